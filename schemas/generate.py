"""JSON Schemas of manifests and plans, generated from the models, for editors and for checks outside Python.

`client.schema.json` describes a client's file, `defaults.schema.json` the file `_defaults.yaml`. They are a little
laxer than the models: what `_defaults.yaml` may give, a client's file may leave out. `case.schema.json` describes a
test case in a file of its own, `tariffs.schema.json` the file `tariffs.yaml`, `plan.schema.json` a plan as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from schemas.cases import Case
from schemas.client import OWN_KEYS, Client
from schemas.plan import PlanDocument
from schemas.tariffs import Tariffs

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def client_schema() -> dict[str, Any]:
    """Schema of `clients.d/<name>.yaml`."""
    schema = _generated()
    schema["title"] = "Client manifest"
    schema["required"] = [key for key in schema["required"] if key in OWN_KEYS]
    return {"$schema": DIALECT, **schema}


def defaults_schema() -> dict[str, Any]:
    """Schema of `clients.d/_defaults.yaml`."""
    schema = _generated()
    schema["title"] = "Defaults of all clients"
    schema["description"] = "What every client has unless its own file sets it."
    del schema["required"]
    for key in OWN_KEYS:
        del schema["properties"][key]
    return {"$schema": DIALECT, **schema}


def as_text(schema: Mapping[str, Any]) -> str:
    """A schema as it is written to its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def plan_schema() -> dict[str, Any]:
    """Schema of what `reconcile --format json` prints."""
    return {"$schema": DIALECT, **_rewritten(PlanDocument.model_json_schema()), "title": "Plan"}


def tariffs_schema() -> dict[str, Any]:
    """Schema of `tariffs.yaml`."""
    return {"$schema": DIALECT, **_rewritten(Tariffs.model_json_schema()), "title": "Tariffs"}


def case_schema() -> dict[str, Any]:
    """Schema of a test case in a file of its own."""
    return {"$schema": DIALECT, **_rewritten(Case.model_json_schema()), "title": "Test case"}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = MappingProxyType(
    {
        "client": client_schema,
        "defaults": defaults_schema,
        "case": case_schema,
        "plan": plan_schema,
        "tariffs": tariffs_schema,
    }
)


def shipped(kind: str) -> Path:
    """Where the generated schema is kept, beside the models."""
    return Path(__file__).with_name(f"{kind}.schema.json")


def _generated() -> dict[str, Any]:
    schema: dict[str, Any] = _rewritten(Client.model_json_schema())
    del schema["$defs"]["Assistant"]["required"]
    return schema


def _rewritten(node: Any) -> Any:
    """Pydantic's schema in the words of JSON Schema: exclusive alternatives as oneOf, no OpenAPI discriminator."""
    if isinstance(node, list):
        return [_rewritten(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        "oneOf" if key == "anyOf" else key: _rewritten(value)
        for key, value in node.items()
        if key != "discriminator" or not isinstance(value, dict) or "propertyName" not in value
    }
