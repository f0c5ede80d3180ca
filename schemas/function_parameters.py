"""What OpenAI refuses in the parameters of a function, although JSON Schema allows it.

A request with such a tool is answered with 400, whatever its user wrote, so the mistake has to be found where the tool
is declared. The rules are as the error texts in public reports state them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Path = tuple[str | int, ...]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_DEPTH: Final = 100
"""Levels of mappings and lists. The validator of JSON Schema recurses and would end the process at some thousands."""
_NOT_AT_ROOT: Final = ("oneOf", "anyOf", "allOf", "enum", "const", "not")
_ONE: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema."""
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""
_NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value is a schema for each name."""


_NESTING: Final = (dict, list)
"""What JSON and YAML are read as; asking for a `Mapping` instead takes five times as long."""


class SchemaProblem(NamedTuple):
    """Something that OpenAI refuses."""

    path: Path
    """The schema that it is in, from the root of the parameters; empty for the root."""
    message: str
    hint: str


def problems(parameters: Mapping[str, Any], *, strict: bool = False) -> Iterator[SchemaProblem]:
    """The problems of a function's parameters, in the order of the document; those of `json_schema_errors` besides.
    `strict`: also those of a function whose arguments always fit."""
    if _is_too_deep(parameters):
        yield SchemaProblem((), f"nested more than {MAX_DEPTH} levels deep", "Ask for fewer details in one call.")
        return
    yield from _of_root(parameters)
    for path, schema in _schemas(parameters):
        kind = schema.get("type")
        if strict and (kind == "object" or "properties" in schema):
            yield from _of_strict(path, schema)
        if "items" not in schema and (kind == "array" or (isinstance(kind, list) and "array" in kind)):
            yield SchemaProblem(path, "an array without items", "Say what it contains, such as items: {type: string}.")
        reference = schema.get("$ref")
        if isinstance(reference, str) and not _exists(parameters, reference):
            yield SchemaProblem(
                (*path, "$ref"),
                "a reference to nothing in these parameters",
                "Point it at a definition of theirs, such as #/$defs/mesa, or write the schema in its place.",
            )


def _of_strict(path: Path, schema: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """OpenAI, "Structured outputs": every property is required, and no other is allowed."""
    if schema.get("additionalProperties") is not False:
        hint = "Write additionalProperties: false, or leave strict out."
        yield SchemaProblem(path, "an object of a strict function that allows other properties", hint)
    properties, required = schema.get("properties"), schema.get("required")
    names = list(properties) if isinstance(properties, Mapping) else []
    missing = [str(name) for name in names if not isinstance(required, list) or name not in required]
    if missing:
        hint = "Add it to required; one that may be absent has the type [string, 'null'], or leave strict out."
        yield SchemaProblem(path, f'"{missing[0]}" of a strict function is not required', hint)


def json_schema_errors(parameters: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """What is not JSON Schema at all, such as a type that does not exist: the place, and the error of jsonschema-rs,
    whose message hides the value. One error a place: each alternative that did not fit has its own.
    """
    validator = _json_schema()
    seen: set[Path] = set()
    if _is_too_deep(parameters) or validator.is_valid(parameters):
        return
    for error in validator.iter_errors(parameters):
        path = tuple(error.instance_path)
        if path not in seen:
            seen.add(path)
            yield path, error


@functools.cache
def _json_schema() -> Any:
    import jsonschema_rs  # only for functions

    # `mask` keeps the value, which may be a secret, out of the messages.
    return jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, mask="the value here")


def _of_root(parameters: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    if parameters.get("type") != "object":
        yield SchemaProblem(
            (),
            'the arguments of a function are an object, so its "type" must be "object"',
            "Write type: object at its top, with the arguments below properties.",
        )
    elif "properties" not in parameters:
        yield SchemaProblem((), "an object without properties", "Write properties: {} where there are no arguments.")
    for keyword in _NOT_AT_ROOT:
        if keyword in parameters:
            yield SchemaProblem(
                (keyword,), f"{keyword} at the top", "Move it to one of the properties, or describe it in words."
            )


def _is_too_deep(parameters: Mapping[str, Any]) -> bool:
    level: list[Any] = [parameters]
    for _ in range(MAX_DEPTH):
        level = [below for value in level for below in _contents(value) if isinstance(below, _NESTING)]
        if not level:
            return False
    return True


def _contents(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else value.values()


def _schemas(root: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each schema with its path. Values of `enum`, `default` and the like are data, whatever they look like."""
    waiting: list[tuple[Path, Any]] = [((), root)]
    while waiting:
        path, schema = waiting.pop()
        if isinstance(schema, dict):
            yield path, schema
            waiting += reversed([((*path, *steps), below) for steps, below in _below(schema)])


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for keyword, value in schema.items():
        if keyword in _ONE:
            yield (keyword,), value
        elif keyword in _MANY and isinstance(value, list):
            yield from (((keyword, index), below) for index, below in enumerate(value))
        elif keyword in _NAMED and isinstance(value, dict):
            yield from (((keyword, name), below) for name, below in value.items())


def _exists(root: Mapping[str, Any], reference: str) -> bool:
    """Whether a JSON pointer (RFC 6901) in a fragment leads to a schema."""
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return False
    from urllib.parse import unquote

    found: Any = root
    for step in unquote(reference[2:]).split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, Sequence) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return False
    return isinstance(found, Mapping | bool)
