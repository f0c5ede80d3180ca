"""What a value of a request may be, put together from small checks; the errors are OpenAI's.

Each endpoint writes down the shape of its body with these. Nothing here does I/O.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.errors import ProviderRefusal
from sandbox.openai.wire import invalid, missing

Check = Callable[[object, str], None]
"""Raises for a value that is not allowed at a place such as `tools[0].name`."""

_KINDS = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a decimal"),
    (list, "an array"),
    (dict, "an object"),
)


def wrong_type(value: object, path: str, expected: str) -> ProviderRefusal:
    given = "null" if value is None else next(name for kind, name in _KINDS if isinstance(value, kind))
    return invalid(path, f"Invalid type for '{path}': expected {expected}, but got {given} instead.", "invalid_type")


def anything(value: object, path: str) -> None:
    """A value that nothing is known about."""


def flag(value: object, path: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")


def mapping(value: object, path: str) -> None:
    """An object whose members are not looked at."""
    if not isinstance(value, dict):
        raise wrong_type(value, path, "an object")


def text(most: int | None = None, *, least: int = 0, pattern: str | None = None) -> Check:
    def check(value: object, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(value, path, "a string")
        if most is not None and len(value) > most:
            raise _length(path, "string", "long", f"maximum length {most}", len(value), "above_max")
        if len(value) < least:
            raise _length(path, "string", "short", f"minimum length {least}", len(value), "below_min")
        if pattern is not None and not re.fullmatch(pattern, value):
            expected = f"Expected a string that matches the pattern '{pattern}'."
            raise invalid(path, f"Invalid '{path}': string does not match pattern. {expected}")

    return check


def _length(path: str, kind: str, how: str, expected: str, given: int, code: str) -> ProviderRefusal:
    article = "an" if kind == "array" else "a"
    said = f"Expected {article} {kind} with {expected}, but got {article} {kind} with length {given} instead."
    return invalid(path, f"Invalid '{path}': {kind} too {how}. {said}", f"{kind}_{code}_length")


def integer(least: int | None = None, most: int | None = None) -> Check:
    def check(value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(value, path, "an integer")
        _check_bounds(value, path, "integer", least, most)

    return check


def decimal(least: float | None = None, most: float | None = None) -> Check:
    def check(value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(value, path, "a decimal")
        _check_bounds(value, path, "decimal", least, most)

    return check


def _check_bounds(value: float, path: str, kind: str, least: float | None, most: float | None) -> None:
    for bound, outside, side, sign in ((least, "below", "minimum", ">="), (most, "above", "maximum", "<=")):
        if bound is not None and (value < bound if side == "minimum" else value > bound):
            expected = f"Expected a value {sign} {bound}, but got {value} instead."
            message = f"Invalid '{path}': {kind} {outside} {side} value. {expected}"
            raise invalid(path, message, f"{kind}_{outside}_{side[:3]}_value")


def one_of(*allowed: str) -> Check:
    def check(value: object, path: str) -> None:
        if value not in allowed:
            listed = ", ".join(f"'{item}'" for item in allowed)
            raise invalid(path, f"Invalid value: '{value}'. Supported values are: {listed}.")

    return check


def nullable(inner: Check) -> Check:
    def check(value: object, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def array(inner: Check, most: int | None = None, *, least: int = 0) -> Check:
    def check(value: object, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        if most is not None and len(value) > most:
            raise _length(path, "array", "long", f"maximum length {most}", len(value), "above_max")
        if len(value) < least:
            raise _length(path, "array", "short", f"minimum length {least}", len(value), "below_min")
        for index, item in enumerate(value):
            inner(item, f"{path}[{index}]")

    return check


def by_type(**checks: Check) -> Check:
    """A value of one of several JSON types: `text`, `array`, `mapping`, each with its check."""
    kinds: dict[str, tuple[type, str]] = {
        "text": (str, "a string"),
        "array": (list, "an array"),
        "mapping": (dict, "an object"),
    }

    def check(value: object, path: str) -> None:
        inner = next((inner for name, inner in checks.items() if isinstance(value, kinds[name][0])), None)
        if inner is None:
            raise wrong_type(value, path, f"one of {' or '.join(kinds[name][1] for name in checks)}")
        inner(value, path)

    return check


def record(members: Mapping[str, Check], *required: str) -> Check:
    """An object with these members and no other; the path of the whole body is empty."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        at = f"{path}." if path else ""
        for name in value:
            if name not in members:
                raise invalid(f"{at}{name}", f"Unknown parameter: '{at}{name}'.", "unknown_parameter")
        for name, item in value.items():
            members[name](item, at + name)
        for name in required:
            if name not in value:
                raise missing(at + name)

    return check


def tagged(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which shape it has."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        if "type" not in value:
            raise missing(f"{path}.type")
        one_of(*kinds)(value["type"], f"{path}.type")
        kinds[value["type"]](value, path)

    return check


def pairs(values: Check) -> Check:
    """Up to 16 pairs, keys to 64 characters. Null is none."""

    def check(value: object, path: str) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        if len(value) > 16:
            said = f"Expected an object with at most 16 properties, but got an object with {len(value)} properties"
            raise invalid(
                path, f"Invalid '{path}': too many properties. {said} instead.", "object_above_max_properties"
            )
        for key, item in value.items():
            text(64)(key, f"{path}.{key}")
            values(item, f"{path}.{key}")

    return check


metadata: Final = pairs(text(512))
"""Values are strings to 512 characters."""


def checked_metadata(value: Any) -> dict[str, str]:
    """The pairs of a checked `metadata`."""
    metadata(value, "metadata")
    return value or {}
