"""The providers' official OpenAPI descriptions, as something to hold an answer against.

They lie beside the repository where they are at hand, and are not a part of it.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.sandbox_process import ROOT

FOLDER = ROOT.parent / "shared" / "specs"
described = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"needs the providers' descriptions in {FOLDER}")
"""For tests that read them: they are not ours to ship, so a clone alone has none."""


def _loosened(node: Any) -> Any:
    """The description as plain JSON Schema.

    `nullable` becomes a type, also where it stands as an alternative of its own, and `oneOf` becomes `anyOf`: OpenAI's
    alternatives overlap, so one answer fits several.
    """
    if isinstance(node, list):
        return [_loosened(item) for item in node]
    if not isinstance(node, dict):
        return node
    fixed = {("anyOf" if key == "oneOf" else key): _loosened(value) for key, value in node.items()}
    fixed.pop("discriminator", None)
    null = {"anyOf": [{}, {"type": "null"}]}
    if null in fixed.get("allOf", ()):
        rest = [item for item in fixed["allOf"] if item != null]
        return {"anyOf": [{**fixed, "allOf": rest}, {"type": "null"}]}
    nullable = fixed.pop("nullable", None)
    return {"anyOf": [fixed, {"type": "null"}]} if nullable is True else fixed


@dataclass(frozen=True)
class Description:
    """One OpenAPI document."""

    path: Path

    @cached_property
    def document(self) -> Any:
        document = _loosened(json.loads(self.path.read_text()))
        record = document["components"]["schemas"].get("api.v2010.account.usage.usage_record")
        if record is not None:
            # The description says number; Twilio's own samples have a string, as for every other price.
            record["properties"]["price"] = {"type": ["string", "null"]}
        return document

    @cached_property
    def _registry(self) -> Registry[Any]:
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        return Registry().with_resource("urn:description", resource)

    def operation(self, method: str, path: str) -> tuple[str, Any] | None:
        """The path template and the operation that a request is for; the most literal template wins."""
        for template in sorted(self.document["paths"], key=lambda item: item.count("{")):
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", re.escape(template).replace(r"\{", "{").replace(r"\}", "}"))
            operation = self.document["paths"][template].get(method.lower())
            if operation and re.fullmatch(pattern, path):
                return template, operation
        return None

    def request(self, method: str, path: str) -> tuple[Any, str]:
        """The schema of a request's body, and the type of its content."""
        found = self.operation(method, path)
        assert found is not None, f"{method} {path} is not in the description"
        content = found[1]["requestBody"]["content"]
        kind = next(iter(content))
        return content[kind]["schema"], kind

    def resolved(self, schema: Any) -> Any:
        """A schema of this description, followed to where it is written."""
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def refuses(self, schema: Any, value: Any) -> bool:
        """Whether a schema of this description refuses a value."""
        return not self._validator(schema).is_valid(value)

    def _validator(self, schema: Any) -> Draft202012Validator:
        placed = {"$id": "urn:placed", "allOf": [_placed(schema)]}
        return Draft202012Validator(placed, registry=self._registry)

    def complaints(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer, by the description."""
        found = self.operation(method, path)
        if found is None:
            return [f"{method} {path} is not in the description"]
        template, operation = found
        if str(status) not in operation["responses"]:
            return [f"{method} {template} never answers {status}"]
        content = operation["responses"][str(status)].get("content", {}).get("application/json")
        if content is None:
            return []
        pointer = "/".join(
            item.replace("~", "~0").replace("/", "~1")
            for item in ("paths", template, method.lower(), "responses", str(status), "content", "application/json")
        )
        schema = {"$ref": f"urn:description#/{pointer}/schema"}
        errors = Draft202012Validator(schema, registry=self._registry).iter_errors(body)
        return [f"{method} {template}: {error.json_path}: {error.message[:300]}" for error in errors]


def _placed(node: Any) -> Any:
    """A part of the description whose references lead into the whole of it."""
    if isinstance(node, list):
        return [_placed(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"urn:description{value}" if key == "$ref" and isinstance(value, str) else _placed(value)
        for key, value in node.items()
    }


def path_of(url: str) -> str:
    return urlsplit(url).path
