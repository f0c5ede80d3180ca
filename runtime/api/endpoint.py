"""An endpoint as data: its input, handler and answer. Routes and the OpenAPI description are both generated from it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web
from pydantic import BaseModel, ValidationError

from runtime.api.auth import CALLER, Caller
from runtime.api.errors import ApiError
from runtime.api.json_body import decoded_object
from runtime.inbound.connections import BodyIncomplete, whole_body
from runtime.store.tokens import Scope
from runtime.text import is_storable

RECONCILER_HEADER = "X-Managed-By"
RECONCILER = "reconcile"
MAX_NUMBER = 2**63 - 1
"""The largest number in a column of the store."""
MAX_DIGITS = len(str(MAX_NUMBER))
TIMESTAMP_SAMPLE = "2026-11-22T12:00:00.000Z"
TIMESTAMP = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z")
"""As the store has them, where text order is time order."""


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
    request: web.Request
    """The request itself, of an endpoint that takes bytes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status of its own."""

    status: int
    document: object = None


Send = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""An answer that is not JSON: it writes itself."""
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
    needs: Scope | None = None
    """The scope that its callers need, where its method does not say it."""
    content_type: str = "application/json"
    """Of the answer, for the description."""
    takes_bytes: bool = False
    """Whether the body is not JSON: `act` reads it from the request."""
    is_per_client: bool = False
    """Whether a token that is bound to clients may call it; `act` then keeps to them."""

    @property
    def scope(self) -> Scope:
        """The scope that its callers need."""
        if self.needs is not None:
            return self.needs
        return "read" if self.method == "GET" else "write"

    def route(self) -> web.RouteDef:
        """The aiohttp route."""

        async def handle(request: web.Request) -> web.StreamResponse:
            caller = request[CALLER]
            caller.require(self.scope)
            if not self.is_per_client:
                caller.require_all_clients()
            call = await self._call(request, caller)
            result = await self.act(call)
            if callable(result):
                return cast(web.StreamResponse, await result(request))
            reply = result if isinstance(result, Reply) else Reply(self.status, result)
            if reply.status == 204:
                return web.Response(status=204)
            return web.json_response(reply.document, status=reply.status, dumps=_dumps)

        return web.route(self.method, self.path, handle)

    async def _call(self, request: web.Request, caller: Caller) -> Call:
        unknown = next((name for name in request.query if name not in self.query), None)
        if unknown is not None:
            raise ApiError(400, "unknown_field", _unknown("query parameter", unknown, tuple(self.query)), field=unknown)
        for parameter, value in (*request.match_info.items(), *request.query.items()):
            if not is_storable(value):
                message = f"{parameter} has a character that cannot be stored."
                raise ApiError(400, "invalid_field", message, field=parameter)
        reconciling = request.headers.get(RECONCILER_HEADER) == RECONCILER
        if reconciling:
            caller.require_all_clients()
        model = (self.declaration if reconciling else None) or self.body
        body = await _read_body(request, model) if model is not None else None
        return Call(request.match_info, request.query, body, caller, reconciling, request)


def page_of(call: Call) -> tuple[int | None, str | None]:
    """`?limit` and `?after` of a list."""
    limit = call.query.get("limit")
    return None if limit is None else whole_number(limit, "limit", 1, 1000), call.query.get("after")


def moment_of(call: Call, name: str) -> str:
    """A timestamp in a query; raises 400 for any other text, and where it is missing."""
    value = call.query.get(name)
    if value is None:
        raise ApiError(400, "missing_field", f"The query parameter {name} is required.", field=name)
    if TIMESTAMP.fullmatch(value) is None:
        shown = value if len(value) <= len(TIMESTAMP_SAMPLE) else f"{value[: len(TIMESTAMP_SAMPLE)]}…"
        message = f"{name} must be a timestamp like {TIMESTAMP_SAMPLE}, not {shown!r}."
        raise ApiError(400, "invalid_field", message, field=name)
    return value


def whole_number(value: str, name: str, least: int = 0, most: int = MAX_NUMBER) -> int:
    """A number in a path or a query; raises 400 for any other text, and for a number out of its bounds."""
    if value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS and least <= int(value) <= most:
        return int(value)
    bounds = f" from {least} to {most}" if (least, most) != (0, MAX_NUMBER) else ""
    shown = value if len(value) <= MAX_DIGITS else f"{value[:MAX_DIGITS]}…"
    raise ApiError(400, "invalid_field", f"{name} must be a number{bounds}, not {shown!r}.", field=name)


async def _read_body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    if request.content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "Send JSON, with the header Content-Type: application/json.")
    try:
        content = await whole_body(request, request.client_max_size)
    except BodyIncomplete as error:
        raise ApiError(400, "incomplete", "The body has not arrived in full.") from error
    document = decoded_object(content)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _from_pydantic(error, model) from error


def _from_pydantic(error: ValidationError, model: type[BaseModel]) -> ApiError:
    """The first error, with the field's name; unknown fields first, since they explain missing ones."""
    problems = error.errors(include_url=False)
    problem = next((item for item in problems if item["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(part) for part in (*problem["loc"], *problem.get("ctx", {}).get("below", ())))
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
