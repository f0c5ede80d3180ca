"""An endpoint as data: its input, handler and answer. Routes and the OpenAPI description are both generated from it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from runtime.api.auth import CALLER, Caller
from runtime.api.errors import ApiError

RECONCILER_HEADER = "X-Managed-By"
RECONCILER = "reconcile"


@dataclass(frozen=True, slots=True)
class Call:
    """One authorized request with a valid body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    """An instance of the endpoint's body model."""
    caller: Caller
    reconciling: bool
    """True when the reconciler calls, which alone may change what is declared in git."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status of its own."""

    status: int
    document: object = None


Act = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """One method on one path."""

    method: str
    path: str
    summary: str
    act: Act
    status: int = 200
    body: type[BaseModel] | None = None
    declaration: type[BaseModel] | None = None
    """The body model for the reconciler's calls, where it differs."""
    answer: Any = None
    """Type of the answer, for the description; None for an empty one."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameter → what it means."""

    def route(self) -> web.RouteDef:
        """The aiohttp route."""

        async def handle(request: web.Request) -> web.Response:
            call = await self._call(request)
            result = await self.act(call)
            reply = result if isinstance(result, Reply) else Reply(self.status, result)
            if reply.status == 204:
                return web.Response(status=204)
            return web.json_response(reply.document, status=reply.status, dumps=_dumps)

        return web.route(self.method, self.path, handle)

    async def _call(self, request: web.Request) -> Call:
        unknown = next((name for name in request.query if name not in self.query), None)
        if unknown is not None:
            raise ApiError(400, "unknown_field", _unknown("query parameter", unknown, tuple(self.query)), field=unknown)
        reconciling = request.headers.get(RECONCILER_HEADER) == RECONCILER
        model = (self.declaration if reconciling else None) or self.body
        body = await _read_body(request, model) if model is not None else None
        return Call(request.match_info, request.query, body, request[CALLER], reconciling)


def page_of(call: Call) -> tuple[int | None, str | None]:
    """`?limit` and `?after` of a list."""
    limit = call.query.get("limit")
    if limit is not None and not (limit.isdecimal() and 1 <= int(limit) <= 1000):
        raise ApiError(400, "invalid_field", f"limit must be a number from 1 to 1000, not {limit!r}.", field="limit")
    return (int(limit) if limit else None), call.query.get("after")


async def _read_body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    if request.content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "Send JSON, with the header Content-Type: application/json.")
    content = await request.read()
    try:
        document = json.loads(content)
    except UnicodeDecodeError as error:
        raise ApiError(400, "invalid_json", f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ApiError(400, "invalid_json", f"The body is not valid JSON at {where}: {error.msg}.") from error
    except RecursionError as error:
        raise ApiError(400, "invalid_json", "The body is nested too deeply.") from error
    if not isinstance(document, dict):
        raise ApiError(400, "invalid_json", "The body must be a JSON object: {…}.")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _from_pydantic(error, model) from error


def _from_pydantic(error: ValidationError, model: type[BaseModel]) -> ApiError:
    """The first error, with the field's name; unknown fields first, since they explain missing ones."""
    problems = error.errors(include_url=False)
    problem = next((item for item in problems if item["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        name = str(problem["loc"][-1])
        valid = tuple(model.model_fields) if len(problem["loc"]) == 1 else ()
        return ApiError(400, "unknown_field", _unknown("field", name, valid), field=path)
    if problem["type"] == "missing":
        return ApiError(400, "missing_field", f"The field {path} is required.", field=path)
    said = str(problem["msg"]).removeprefix("Value error, ")
    return ApiError(400, "invalid_field", f"{path or 'The body'}: {said}.", field=path or None)


def _unknown(kind: str, name: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1)
    hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(valid)}." if valid else ""
    return f"There is no {kind} {name}.{hint}"


def _dumps(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)
