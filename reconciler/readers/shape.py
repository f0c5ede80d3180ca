"""The expected shape of an answer, checked before anything is read from it.

An item with another shape is a failed read: its state and that of all others is unknown then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from reconciler.errors import PermanentError

T = TypeVar("T")


def understood(what: str, items: Iterable[Any], read: Callable[[Mapping[str, Any]], T]) -> list[T]:
    """The results of `read` for each item. Raises `PermanentError` for one on which it fails."""
    try:
        return [read(mapping(item)) for item in items]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise PermanentError(f"{what} came in a shape that this version does not understand ({reason})") from error


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; empty where there is none. Raises `TypeError` for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def listed(value: Any) -> Sequence[Mapping[str, Any]]:
    """A list of objects; empty where there is none. Raises `TypeError` for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return [mapping(item) for item in value]


def text(value: Any) -> str:
    """A text. Raises `TypeError` for anything else, a missing one included."""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return value
