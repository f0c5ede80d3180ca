"""Bad requests, made from a provider's description: one value is wrong in each, the rest is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.descriptions import Description

WRONG: tuple[Any, ...] = (7, 1.5, -1, "x", True, [], ["x"], {}, {"x": 1}, None)
"""Values of every JSON type; the description says which of them are wrong where."""
DEPTH = 3
_SAMPLES: Mapping[str, Any] = {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": []}


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A body, and the place of what is wrong in it."""

    place: str
    body: dict[str, Any]


def bad_requests(
    description: Description, schema: Any, good: Mapping[str, Any], depth: int = DEPTH
) -> Iterator[BadRequest]:
    """Bodies that the description refuses, each different from a good one in one place, so deep in it at most."""
    for place, body in _changed(description, schema, good, depth):
        if description.refuses(schema, body):
            yield BadRequest(place, body)


def _changed(description: Description, schema: Any, good: Any, depth: int) -> Iterator[tuple[str, Any]]:
    for name, below in properties_of(description, schema).items():
        for value in (*WRONG, *_beyond(description, below)):
            yield f"{name}={str(value)[:20]}", {**good, name: value}
        inner = _sample(description, below)
        if depth and isinstance(inner, dict):
            given = good.get(name)
            for place, value in _changed(description, below, given if isinstance(given, dict) else inner, depth - 1):
                yield f"{name}.{place}", {**good, name: value}
    for name in good:
        yield f"{name} missing", {key: value for key, value in good.items() if key != name}


def bad_texts(description: Description, schema: Any) -> Iterator[str]:
    """Values of a form's field that its description refuses; a form knows texts only."""
    for alternative in _alternatives(description, schema):
        kind, format_ = alternative.get("type"), alternative.get("format")
        if kind == "array":
            yield from bad_texts(description, alternative["items"])
        elif format_ == "phone-number":
            yield from ("12", "whatsapp:", "whatsapp:+56 9 1234")
        elif "pattern" in alternative or "enum" in alternative or kind in ("boolean", "integer", "number"):
            yield from ("tal vez", "x" * 34)
        elif format_ in ("uri", "date-time"):
            yield from ("tal vez", "//", "12-31")


def properties_of(description: Description, schema: Any) -> dict[str, Any]:
    """The properties of an object, of all its alternatives."""
    found: dict[str, Any] = {}
    for alternative in _alternatives(description, schema):
        found |= alternative.get("properties", {})
    return found


def _alternatives(description: Description, schema: Any) -> Iterator[Any]:
    schema = description.resolved(schema)
    yield schema
    for keyword in ("anyOf", "allOf"):
        for below in schema.get(keyword, ()):
            yield from _alternatives(description, below)


def _beyond(description: Description, schema: Any) -> Iterator[Any]:
    """Values just beyond the bounds of a schema."""
    for alternative in _alternatives(description, schema):
        if "maxLength" in alternative and alternative["maxLength"] < 2**20:
            yield "x" * (alternative["maxLength"] + 1)
        if "maxItems" in alternative and alternative["maxItems"] < 2**12:
            yield [_sample(description, alternative["items"])] * (alternative["maxItems"] + 1)
        if "minimum" in alternative:
            yield alternative["minimum"] - 1
        if "maximum" in alternative:
            yield alternative["maximum"] + 1
        if "maxProperties" in alternative:
            yield {f"k{index}": "x" for index in range(alternative["maxProperties"] + 1)}
        if "propertyNames" in alternative:
            yield {"k" * (alternative["propertyNames"]["maxLength"] + 1): "x"}


def _sample(description: Description, schema: Any) -> Any:
    """A small value of a schema."""
    for alternative in _alternatives(description, schema):
        if "enum" in alternative:
            return alternative["enum"][0]
        kind = alternative.get("type")
        if kind == "object":
            known, required = alternative.get("properties", {}), alternative.get("required", ())
            return {name: _sample(description, known[name]) for name in required if name in known}
        if kind in _SAMPLES:
            return alternative.get("minimum", _SAMPLES[kind])
    return "x"
