"""What OpenAI finds wrong in the parameters of a function, in its words. Public reports of its errors are the source:
its OpenAPI description does not say what it refuses.
"""

from collections.abc import Iterator
from typing import Any

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_NOT_AT_TOP = ("oneOf", "anyOf", "allOf", "enum", "const", "not")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def fault_of(parameters: object, *, strict: bool = False) -> str | None:
    """The reason for which a function's parameters are refused; None for those that are accepted."""
    kind = parameters.get("type") if isinstance(parameters, dict) else None
    if not isinstance(parameters, dict) or kind != "object":
        shown = f'"{kind}"' if isinstance(kind, str) else kind
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {shown}'."
    if any(keyword in parameters for keyword in _NOT_AT_TOP):
        listed = "/".join(f"'{keyword}'" for keyword in _NOT_AT_TOP)
        return f"schema must have type 'object' and not have {listed} at the top level."
    for context, schema in _schemas(parameters, ()):
        wrong = _wrong(schema, parameters, context) or (_not_strict(schema) if strict else None)
        if wrong is not None:
            return wrong if wrong.endswith("schemas.") else f"In context={context}, {wrong}"
    return None


def _wrong(schema: dict[str, Any], root: dict[str, Any], context: tuple[str, ...]) -> str | None:
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    for kind in kinds:
        if kind not in _TYPES:
            return f"{kind!r} is not valid under any of the given schemas."
    if "object" in kinds and not context and "properties" not in schema:
        return "object schema missing properties."
    if "array" in kinds and "items" not in schema:
        return "array schema missing items."
    reference = schema.get("$ref")
    if reference is not None and not _found(root, reference):
        return f"reference to component '{reference}' which was not found in the schema."
    return None


def _not_strict(schema: dict[str, Any]) -> str | None:
    """Strict functions have no argument that the model may leave out or add."""
    if schema.get("type") != "object":
        return None
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    if set(schema.get("required", [])) != set(schema.get("properties", {})):
        return "'required' is required to be supplied and to be an array including every key in properties."
    return None


def _schemas(schema: Any, context: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield context, schema
    for keyword, value in schema.items():
        if keyword in _SINGLE:
            yield from _schemas(value, (*context, keyword))
        elif keyword in _LISTS and isinstance(value, list):
            for index, below in enumerate(value):
                yield from _schemas(below, (*context, keyword, str(index)))
        elif keyword in _MAPS and isinstance(value, dict):
            for name, below in value.items():
                yield from _schemas(below, (*context, keyword, name))


def _found(root: dict[str, Any], reference: object) -> bool:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    place: Any = root
    for step in reference.split("/")[1:]:
        if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        elif isinstance(place, dict) and step in place:
            place = place[step]
        else:
            return False
    return isinstance(place, dict | bool)
