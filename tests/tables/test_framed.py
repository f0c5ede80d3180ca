"""What goes between the service and its page process comes out as it went in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from runtime.console.page_process import framed, received


@dataclass(frozen=True, slots=True)
class One:
    """With one value."""

    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Nested:
    """With others in it, and with a default."""

    first: One
    number: int = 3


@dataclass(frozen=True, slots=True)
class Longer(Nested):
    """Of another one, with more."""

    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Made with names."""

    name: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Made by more than its values."""

    total: int = field(init=False)
    parts: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.parts))


@dataclass
class Open:
    """Without slots."""

    value: int


class Pair(NamedTuple):
    """No data class."""

    one: One
    other: int


async def sent(value: object) -> Any:
    reader = asyncio.StreamReader()
    reader.feed_data(framed(value))
    reader.feed_eof()
    return await received(reader)


@pytest.mark.parametrize(
    "value",
    [
        One(["ñ", ""]),
        Nested(One([])),
        [Nested(One(["a"]), 7)] * 2,
        Longer(One(["c"]), 1, "now"),
        Named(name="Ana"),
        Checked((1, 2)),
        Open(4),
        Pair(One(["x"]), 2),
        (1, {"two": Nested(One(["b"]), 0)}, None),
        framed,
        One,
    ],
    ids=lambda value: getattr(value, "__qualname__", type(value).__name__),
)
async def test_it_comes_out_as_it_went_in(value: object) -> None:
    found = await sent(value)
    assert found == value
    assert type(found) is type(value)


async def test_what_is_the_same_object_twice_is_so_again() -> None:
    first = One(["a"])
    one, other = await sent([first, first])
    assert one is other
