"""Parameters of a function that OpenAI refuses, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.function_parameters import MAX_DEPTH, Path, SchemaProblem, json_schema_errors, problems

NO_ITEMS = "an array without items"
NOTHING = "a reference to nothing in these parameters"
TEXT = {"type": "string"}


def found(parameters: Mapping[str, Any]) -> list[tuple[Path, str]]:
    return [(problem.path, problem.message) for problem in problems(parameters)]


def with_(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    "parameters",
    [
        with_(),
        with_(personas={"type": "integer"}, dias={"type": "array", "items": TEXT}),
        with_(dias={"type": ["array", "null"], "items": {}}),
        with_(mesa={"anyOf": [TEXT, {"type": "null"}]}, plato={"enum": ["pan", "té"]}, otro={"not": TEXT}),
        with_(extras={"type": "object"}),
        with_(array=TEXT, items=TEXT),
        with_(mesa={"default": {"carta": {"type": "array"}}}),
        with_(mesa={"default": {"type": "array"}, "examples": [{"$ref": "#/nada"}], "const": {"type": "array"}}),
        {**with_(mesa={"$ref": "#/$defs/mesa"}, nota={"$ref": "#"}), "$defs": {"mesa": TEXT}},
        {**with_(mesa={"$ref": "#/definitions/a~1b%20~0"}), "definitions": {"a/b ~": True}},
        with_(mesa={"anyOf": [TEXT, TEXT]}, silla={"$ref": "#/properties/mesa/anyOf/1"}),
        {**with_(), "description": "Reserva", "required": [], "additionalProperties": False},
    ],
)
def test_what_openai_accepts(parameters: dict[str, Any]) -> None:
    assert found(parameters) == []
    assert list(json_schema_errors(parameters)) == []


@pytest.mark.parametrize("kind", ["array", "string", None, ["object", "null"], ["object"]])
def test_the_arguments_are_an_object(kind: object) -> None:
    ((path, message),) = found({"type": kind, "properties": {}, "items": TEXT})
    assert (path, '"type" must be "object"' in message) == ((), True)


def test_a_function_without_arguments_says_so() -> None:
    assert found({"type": "object"}) == [((), "an object without properties")]


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf", "allOf", "enum", "const", "not"])
def test_the_top_has_no_alternatives(keyword: str) -> None:
    assert found({**with_(), keyword: [TEXT]}) == [((keyword,), f"{keyword} at the top")]


@pytest.mark.parametrize("kind", ["array", ["string", "array"], ["array"]])
@pytest.mark.parametrize(
    "path",
    [
        ("properties", "dias"),
        ("properties", "mesa", "properties", "dias"),
        ("properties", "mesa", "items"),
        ("properties", "mesa", "anyOf", 1),
        ("properties", "mesa", "oneOf", 0),
        ("properties", "mesa", "allOf", 0),
        ("properties", "mesa", "prefixItems", 2),
        ("properties", "mesa", "additionalProperties"),
        ("properties", "mesa", "patternProperties", "^a"),
        ("properties", "mesa", "dependentSchemas", "a"),
        ("properties", "mesa", "if"),
        ("properties", "mesa", "then"),
        ("properties", "mesa", "else"),
        ("properties", "mesa", "not"),
        ("properties", "mesa", "contains"),
        ("properties", "mesa", "propertyNames"),
        ("properties", "mesa", "unevaluatedItems"),
        ("properties", "mesa", "unevaluatedProperties"),
        ("properties", "mesa", "additionalItems"),
        ("$defs", "dias"),
        ("definitions", "dias"),
    ],
    ids=lambda path: "/".join(map(str, path)),
)
def test_an_array_says_what_it_contains_wherever_it_is(path: Path, kind: object) -> None:
    assert found({"properties": {}, **placed(path, {"type": kind}), "type": "object"}) == [(path, NO_ITEMS)]


@pytest.mark.parametrize(
    "reference",
    [
        "#/$defs/mesa",
        "#/properties/mesas",
        "#/properties/mesa/anyOf/2",
        "#/properties/mesa/anyOf/x",
        "#/type",
        "#mesa",
        "mesa.json",
        "https://example.cl/mesa.json",
        "",
    ],
)
def test_a_reference_leads_to_a_schema_of_the_same_parameters(reference: str) -> None:
    parameters = with_(mesa={"anyOf": [TEXT, TEXT]}, silla={"$ref": reference})
    assert found(parameters) == [(("properties", "silla", "$ref"), NOTHING)]


@pytest.mark.parametrize(
    ("parameters", "path", "message", "hint"),
    [
        (
            {"type": "string"},
            (),
            'the arguments of a function are an object, so its "type" must be "object"',
            "Write type: object at its top, with the arguments below properties.",
        ),
        (
            {"type": "object"},
            (),
            "an object without properties",
            "Write properties: {} where there are no arguments.",
        ),
        (
            {**with_(), "anyOf": [TEXT]},
            ("anyOf",),
            "anyOf at the top",
            "Move it to one of the properties, or describe it in words.",
        ),
        (
            with_(dias={"type": "array"}),
            ("properties", "dias"),
            NO_ITEMS,
            "Say what it contains, such as items: {type: string}.",
        ),
        (
            with_(mesa={"$ref": "#/nada"}),
            ("properties", "mesa", "$ref"),
            NOTHING,
            "Point it at a definition of theirs, such as #/$defs/mesa, or write the schema in its place.",
        ),
    ],
    ids=["no object", "no properties", "alternatives", "no items", "a reference to nothing"],
)
def test_each_problem_says_what_to_do(parameters: dict[str, Any], path: Path, message: str, hint: str) -> None:
    assert list(problems(parameters)) == [SchemaProblem(path, message, hint)]


def test_all_problems_are_found_in_the_order_of_the_document() -> None:
    parameters = {**with_(b={"type": "array"}, a={"type": "array"}), "$defs": {"c": {"$ref": "#/x"}}, "enum": []}
    assert [path for path, _ in found(parameters)] == [
        ("enum",),
        ("properties", "b"),
        ("properties", "a"),
        ("$defs", "c", "$ref"),
    ]


def test_what_is_no_json_schema_has_one_error_a_place_and_its_value_is_hidden() -> None:
    parameters = {**with_(mesa={"type": "clave-secreta"}, silla="clave"), "required": "mesa"}
    listed = list(json_schema_errors(parameters))
    errors = dict(listed)
    assert (len(listed), set(errors)) == (3, {("properties", "mesa", "type"), ("properties", "silla"), ("required",)})
    assert "clave" not in "".join(error.message for error in errors.values())
    assert errors["required",].message == 'the value here is not of type "array"'


@pytest.mark.parametrize("levels", [MAX_DEPTH, 20_000])
def test_parameters_too_deep_for_a_validator_are_refused_without_one(levels: int) -> None:
    schema: Any = {}
    for _ in range(levels):
        schema = {"items": schema}
    hint = "Ask for fewer details in one call."
    assert list(problems(schema)) == [SchemaProblem((), f"nested more than {MAX_DEPTH} levels deep", hint)]
    assert list(json_schema_errors(schema)) == []


def test_lists_are_levels_too() -> None:
    value: Any = "pan"
    for _ in range(MAX_DEPTH):
        value = [value]
    assert [message for _, message in found(with_(plato={"enum": value}))] == [
        f"nested more than {MAX_DEPTH} levels deep"
    ]


_KEYWORDS = st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "$defs", "enum", "required", "a"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["array", "object", "#", "#/$defs/a", "#/0", "string"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYWORDS, below, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_KEYWORDS, _VALUES, max_size=5))
def test_every_problem_of_whatever_is_written_has_a_place_in_it(parameters: dict[str, Any]) -> None:
    for path in [path for path, _ in found(parameters)] + [path for path, _ in json_schema_errors(parameters)]:
        place: Any = parameters
        for step in path:
            place = place[step]


def placed(path: Path, value: Any) -> dict[str, Any]:
    """Parameters with a schema at a path, the rest of which is nothing but the way there."""
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [TEXT] * step + [value]
    built: dict[str, Any] = value
    return built
