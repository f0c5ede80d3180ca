"""The generated JSON Schemas agree with the models: what one accepts, so does the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pydantic import TypeAdapter

from reconciler.manifest import load
from reconciler.manifest.defaults import FILE
from reconciler.manifest.shape import follow
from schemas import OWN_KEYS
from schemas.generate import SCHEMAS, client_schema, defaults_schema
from tests.manifest.situations import SITUATIONS

CLIENTS = Path(__file__).parents[2] / "clients.d"

# What only shows in the file's bytes, in other files, or is laxer in the schema by intention.
TYPED = (
    "unknown_key",
    "unknown_key_near_miss",
    "unknown_key_in_a_policy",
    "number_in_a_policy_out_of_range",
    "duration_without_a_unit",
    "unknown_phone_in_the_context",
    "number_where_a_policy_is_due",
    "key_in_the_wrong_place",
    "webhook_in_a_manifest",
    "id_in_capitals",
    "number_with_spaces",
    "unknown_state",
    "unknown_vertical",
    "too_long",
    "too_many_notes",
    "note_with_a_long_key",
    "number_as_a_note",
    "text_where_a_list_is_due",
    "text_where_a_mapping_is_due",
    "out_of_range",
    "unknown_tool_type",
    "tool_without_type",
    "function_with_a_space",
    "function_without_endpoint",
    "endpoint_without_scheme",
    "documents_nowhere",
    "documents_in_two_places",
    "vector_store_by_name",
    "token_instead_of_a_reference",
)


def documented(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every object of a schema, by dotted name."""
    for name, node in {"": schema, **schema["$defs"]}.items():
        for key, value in node.get("properties", {}).items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schema_is_valid_in_its_dialect(kind: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[kind]())


@pytest.mark.parametrize("kind", ["client", "defaults"])
def test_every_key_that_a_person_writes_has_a_description_and_examples_that_fit(kind: str) -> None:
    schema = SCHEMAS[kind]()
    for name, node in documented(schema):
        assert node.get("description"), name
        assert node.get("examples"), name
        checked = jsonschema_rs.Draft202012Validator({"$defs": schema["$defs"], **node})
        for example in node["examples"]:
            assert checked.is_valid(example), (name, example)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_no_object_takes_unknown_keys(kind: str) -> None:
    schema = SCHEMAS[kind]()
    for name, node in {"": schema, **schema["$defs"]}.items():
        assert node.get("additionalProperties") is False or node["type"] != "object", name


def test_examples_of_the_models_fit_the_models() -> None:
    for name, model in {name: follow(loc).owner for name, loc in LOCATIONS.items()}.items():
        for key, field in model.model_fields.items():
            adapter: TypeAdapter[Any] = TypeAdapter(model)
            for example in field.examples or ():
                errors = _errors_of(adapter, key, example)
                assert not errors, (name, key, errors)


LOCATIONS = {
    "client": ("id",),
    "assistant": ("assistant", "model"),
    "function": ("assistant", "tools", 0, "function", "name"),
    "endpoint": ("assistant", "tools", 0, "function", "endpoint", "url"),
    "file_search": ("assistant", "tools", 0, "file_search", "files"),
    "web_search": ("assistant", "tools", 0, "web_search", "country"),
    "instructions": ("assistant", "instructions", "InstructionsFile", "file"),
    "sender": ("sender", "profile"),
    "profile": ("sender", "profile", "about"),
    "account": ("sender", "account", "sid"),
    "memory": ("memory", "items"),
    "secret": ("sender", "account", "auth_token", "env"),
}


def _errors_of(adapter: TypeAdapter[Any], key: str, example: Any) -> list[Any]:
    from pydantic import ValidationError

    try:
        adapter.validate_python({key: example})
    except ValidationError as invalid:
        return [error for error in invalid.errors() if error["loc"][0] == key]
    return []


@pytest.mark.parametrize("path", sorted(CLIENTS.glob("[!_]*.yaml")), ids=lambda path: path.stem)
def test_shipped_manifest_fits_the_schema(path: Path) -> None:
    jsonschema_rs.validate(client_schema(), yaml.safe_load(path.read_text()))


def test_shipped_defaults_fit_their_schema() -> None:
    jsonschema_rs.validate(defaults_schema(), yaml.safe_load((CLIENTS / FILE).read_text()))


def test_shipped_manifests_are_valid_together() -> None:
    assert [loaded.client.id for loaded in load(CLIENTS).clients] == ["cliente-a", "cliente-b", "la-cocina"]


def test_defaults_cannot_have_what_belongs_to_one_client() -> None:
    assert not set(defaults_schema()["properties"]) & set(OWN_KEYS)


@pytest.mark.parametrize("situation", TYPED)
def test_what_the_models_refuse_the_schema_refuses(situation: str) -> None:
    text, *_ = SITUATIONS[situation].values()
    assert not jsonschema_rs.is_valid(client_schema(), yaml.safe_load(text))
