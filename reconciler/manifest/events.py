"""The values of a file in which nothing is odd, straight from the parser's events.

A tree of nodes is needed for the place of what is wrong, and costs half as much again. So most files are read here, and
what is not plainly right is not judged here: the answer is None, and `document` composes the file and says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import intern
from typing import Any, Final, TypeAlias

from yaml import CSafeLoader, YAMLError
from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.manifest import plain

Next: TypeAlias = Callable[[], Any]
"""Gives the next event."""


_NUL_BEGINS: Final = ("\\0", "\\x", "\\u", "\\U")


class _Odd(Exception):
    """The file is to be composed."""


def values_of(text: str, max_depth: int) -> dict[str, Any] | None:
    """The mapping that a text holds; None where something is odd.

    Odd are an alias, a tag, what may be an escaped NUL, a key that is written twice or is no text, a scalar that YAML
    versions read differently, more than `max_depth` levels, a syntax error, and what is no mapping.
    """
    if "\\" in text and any(escape in text for escape in _NUL_BEGINS):
        return None
    parser = CSafeLoader(text)
    following: Next = parser.get_event
    try:
        following(), following()  # the stream and the document begin
        first = following()
        if type(first) is not MappingStartEvent:
            return None
        values = _mapping(first, following, max_depth)
        following()  # the document ends
        return values if type(following()) is StreamEndEvent else None
    except (YAMLError, _Odd):
        return None
    finally:
        parser.dispose()


def _mapping(start: Any, following: Next, depth: int) -> dict[str, Any]:
    _check(start, depth)
    values: dict[str, Any] = {}
    while type(event := following()) is ScalarEvent:
        key = _scalar(event)
        if type(key) is not str or key in values:
            raise _Odd
        values[key] = _value(following(), following, depth)
    if type(event) is not MappingEndEvent:
        raise _Odd
    return values


def _sequence(start: Any, following: Next, depth: int) -> list[Any]:
    _check(start, depth)
    values: list[Any] = []
    while type(event := following()) is not SequenceEndEvent:
        values.append(_value(event, following, depth))
    return values


def _value(event: Any, following: Next, depth: int) -> Any:
    if type(event) is ScalarEvent:
        return _scalar(event)
    return _COLLECTIONS[type(event)](event, following, depth - 1)


def _scalar(event: Any) -> Any:
    if event.tag is not None or event.anchor is not None:
        raise _Odd
    value = event.value
    # The first of the two says that it stands without quotes.
    if not event.implicit[0] or (tag := plain.tag_of(value)) is plain.STR:
        return intern(value)
    if tag not in _SCALARS:
        raise _Odd
    return _SCALARS[tag](value)


def _check(start: Any, depth: int) -> None:
    if start.tag is not None or start.anchor is not None or depth < 0:
        raise _Odd


def _alias(*_: Any) -> Any:
    raise _Odd


_COLLECTIONS: Final[Mapping[type[Event], Callable[[Any, Next, int], Any]]] = {
    MappingStartEvent: _mapping,
    SequenceStartEvent: _sequence,
    AliasEvent: _alias,
}
_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    plain.NULL: lambda _: None,
    plain.TRUE: lambda _: True,
    plain.FALSE: lambda _: False,
    plain.INT: int,
    plain.FLOAT: float,
}
