"""/openapi.json, generated from the endpoints themselves, so that it cannot become outdated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from runtime.api.endpoint import ApiEndpoint, Call

PATH_PARAMETER = re.compile(r"{(\w+)}")
ERROR = {
    "description": "Refused; `code` is for programs, `message` for people.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "properties": {
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                            "field": {"type": "string"},
                        },
                        "required": ["code", "message"],
                    }
                },
                "required": ["error"],
            }
        }
    },
}


def openapi_endpoint(endpoints: Sequence[ApiEndpoint]) -> ApiEndpoint:
    """GET /openapi.json for the given endpoints."""

    @cache
    def document() -> dict[str, Any]:
        return describe(endpoints)

    async def get(_call: Call) -> object:
        return document()

    return ApiEndpoint("GET", "/openapi.json", "This description.", get, answer=dict[str, Any], is_per_client=True)


def describe(endpoints: Sequence[ApiEndpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "HorizonAI WhatsApp bots", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Error": ERROR},
        },
    }


def _operation(endpoint: ApiEndpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done." if endpoint.answer is None else "The answer."}
    if endpoint.answer is not None:
        success["content"] = {"application/json": {"schema": _schema(endpoint.answer, "serialization", schemas)}}
    elif endpoint.content_type != "application/json":
        success = {"description": "The answer.", "content": {endpoint.content_type: {}}}
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "security": [{"token": [endpoint.scope]}],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in PATH_PARAMETER.findall(endpoint.path)),
            *({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
              for name, meaning in endpoint.query.items()),
        ],
        "responses": {str(endpoint.status): success, "default": {"$ref": "#/components/responses/Error"}},
    }  # fmt: skip
    if endpoint.body is not None:
        schema = _schema(endpoint.body, "validation", schemas)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if endpoint.takes_bytes:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return operation


def _schema(kind: Any, mode: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return schema
