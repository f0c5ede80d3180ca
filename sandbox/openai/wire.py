"""OpenAI's conventions: bearer keys, error bodies, response headers, cursor paging, checked request bodies.

What an endpoint means is written with the endpoint, never here.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from aiohttp import web

from sandbox.errors import ProviderRefusal
from sandbox.middleware import retry_after_header
from sandbox.state import State
from sandbox.storage import Json, new_id, public

NAME = "openai"
_ADMINISTRATION = "/v1/organization/"
"""Where OpenAI takes an admin key, and no other."""


def error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: dict[str, str] | None = None,
) -> ProviderRefusal:
    """An error in the shape that every OpenAI endpoint answers with."""
    return ProviderRefusal(status, {"error": {"message": message, "type": kind, "param": param, "code": code}}, headers)


def missing(param: str) -> ProviderRefusal:
    return error(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def invalid(param: str, message: str, code: str = "invalid_value") -> ProviderRefusal:
    return error(400, message, param=param, code=code)


def wrong_type(param: str, expected: str) -> ProviderRefusal:
    return invalid(param, f"Invalid type for '{param}': expected {expected}.", "invalid_type")


def out_of_set(param: str, value: object, supported: Iterable[str]) -> ProviderRefusal:
    listed = ", ".join(f"'{item}'" for item in supported)
    return invalid(param, f"Invalid value: '{value}'. Supported values are: {listed}.")


def not_found(what: str, key: str) -> ProviderRefusal:
    return error(404, f"No {what} found with id '{key}'.")


class OpenAIStandIn:
    """How OpenAI authenticates and reports errors."""

    name = NAME

    def __init__(self, state: State) -> None:
        self._state = state

    def authenticate(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            raise error(401, message)
        given = self._state.credentials
        if key != (given.admin_key if request.path.startswith(_ADMINISTRATION) else given.api_key):
            shown = key[:8] + "*" * max(len(key) - 12, 4) + key[-4:]
            message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
            raise error(401, message, code="invalid_api_key")

    def fault(self, status: int, retry_after: float | None) -> ProviderRefusal:
        headers = retry_after_header(retry_after)
        if status == 429:
            message = "Rate limit reached for requests. Limit: 500 / min. Please try again later."
            return error(429, message, kind="requests", code="rate_limit_exceeded", headers=headers)
        if status >= 500:
            message = "The server had an error while processing your request. Sorry about that!"
            return error(status, message, kind="server_error", headers=headers)
        return error(status, "The request was refused by a fault of the sandbox.", headers=headers)

    def no_such_path(self, method: str, path: str) -> ProviderRefusal:
        return error(404, f"Invalid URL ({method} {path})")

    def headers(self, started: float) -> dict[str, str]:
        return {
            "x-request-id": new_id("req_"),
            "openai-version": "2020-10-01",
            "openai-organization": self._state.settings.values.organization,
            "openai-project": self._state.settings.values.project,
            "openai-processing-ms": str(int((time.monotonic() - started) * 1000)),
        }

    def without_items(self, document: Json) -> Json:
        return {**document, "data": []} if document.get("object") in ("list", "page") else document


async def body_of(request: web.Request, known: Iterable[str] = ()) -> Json:
    """The request's JSON object. With `known`, any other key is refused, as OpenAI does."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        document = json.loads(raw)
    except ValueError:
        message = "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload."
        raise error(400, message) from None
    if not isinstance(document, dict):
        raise error(400, "The body of the request must be a JSON object.")
    allowed = frozenset(known)
    for key in document:
        if allowed and key not in allowed:
            raise error(400, f"Unknown parameter: '{key}'.", param=key, code="unknown_parameter")
    return document


def page(
    request: web.Request,
    rows: Mapping[str, Json],
    *,
    default: int = 20,
    most: int = 100,
    order: str = "desc",
    shown: Callable[[Json], Json] = public,
) -> Json:
    """One page of a list by OpenAI's cursors: after, before, limit, order. `rows` are oldest first."""
    limit = number_within("limit", request.query.get("limit", str(default)), most)
    direction = request.query.get("order", order)
    if direction not in ("asc", "desc"):
        raise out_of_set("order", direction, ("asc", "desc"))
    keys = list(rows) if direction == "asc" else list(rows)[::-1]
    after, before = request.query.get("after"), request.query.get("before")
    for name, cursor in (("after", after), ("before", before)):
        if cursor and cursor not in rows:
            raise invalid(name, f"Invalid '{name}': no object found with id '{cursor}'.")
    if after:
        keys = keys[keys.index(after) + 1 :]
    if before:
        keys = keys[: keys.index(before)]
    chosen = keys[-limit:] if before and not after else keys[:limit]
    data = [shown(rows[key]) for key in islice(chosen, limit)]
    ends = {"first_id": chosen[0] if chosen else None, "last_id": chosen[-1] if chosen else None}
    return {"object": "list", "data": data, **ends, "has_more": len(keys) > len(chosen)}


def number_within(name: str, text: str, most: int) -> int:
    """A number in the query, from 1 on. Raises OpenAI's errors for any other text."""
    if not text.lstrip("-").isdecimal():
        raise wrong_type(name, f"an integer, but got '{text}' instead")
    value = int(text)
    if value < 1:
        message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
        raise invalid(name, message, "integer_below_min_value")
    if value > most:
        message = f"Invalid '{name}': integer above maximum value. Expected a value <= {most}, but got {value} instead."
        raise invalid(name, message, "integer_above_max_value")
    return value
