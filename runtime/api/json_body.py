"""A request's JSON, as far as it can be stored and written again.

Python's decoder takes more than that: NaN, numbers beyond any float, digits without end, halves of a surrogate pair.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from runtime.api.errors import ApiError
from runtime.text import is_storable

MAX_DEPTH = 100
"""Levels of objects and lists; a tool's JSON Schema has about ten."""


def decoded_object(content: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises 400 for anything else, with the position where there is one."""
    document = _decoded(content)
    if not isinstance(document, dict):
        raise _refused("The body must be a JSON object: {…}.")
    for name, value in document.items():
        if not is_storable(name):
            raise _refused("The name of a field has a character that cannot be stored.")
        _check(name, value)
    return document


def _decoded(content: bytes) -> object:
    try:
        return json.loads(content, parse_constant=_not_json, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise _refused(f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused(f"The body is not valid JSON at {where}: {error.msg}.") from error
    except RecursionError as error:
        raise _refused("The body is nested too deeply.") from error
    except ValueError as error:  # more digits than Python converts
        raise _refused("The body has a number with too many digits.") from error


def _not_json(constant: str) -> NoReturn:
    raise _refused(f"The body has {constant}, which is not a number in JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _refused("The body has a number that is too large.")
    return number


def _check(field: str, value: object) -> None:
    """Raises 400 for a text that cannot be stored, and for too many levels."""
    left = [(value, 2)]
    while left:
        item, depth = left.pop()
        if isinstance(item, str):
            if not is_storable(item):
                message = f"{field}: a text has a character that cannot be stored, NUL or half of a surrogate pair."
                raise ApiError(400, "invalid_field", message, field=field)
        elif isinstance(item, dict | list):
            if depth > MAX_DEPTH:
                raise _refused(f"The body is nested too deeply: more than {MAX_DEPTH} levels in {field}.")
            left += [(inner, depth + 1) for inner in item]
            if isinstance(item, dict):
                left += [(inner, depth + 1) for inner in item.values()]


def _refused(message: str) -> ApiError:
    return ApiError(400, "invalid_json", message)
