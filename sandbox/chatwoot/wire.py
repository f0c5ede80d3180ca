"""Chatwoot's conventions: the header `api_access_token`, who may call what, error bodies.

What an endpoint means is written with the endpoint, never here.
"""

import json
import re
import secrets
from dataclasses import dataclass

from aiohttp import web

from sandbox.errors import ProviderRefusal
from sandbox.middleware import retry_after_header
from sandbox.openai.multipart import Part, all_parts
from sandbox.state import State
from sandbox.storage import Json

NAME = "chatwoot"
ACCOUNTS, USERS, BOTS = "desk_accounts", "desk_users", "desk_agent_bots"
_ACCOUNT = re.compile(r"/api/v1/accounts/(\d+)/")
_OPEN = re.compile(r"/api|/rails/active_storage/.*")
"""Paths without a token: the version, and files, whose signed address is the secret."""
_BOTS_MAY = {
    ("GET", r"conversations/\d+"),
    ("POST", r"conversations"),
    ("POST", r"conversations/\d+/(toggle_status|toggle_typing_status|toggle_priority|custom_attributes)"),
    ("POST", r"conversations/\d+/(messages|assignments|labels)"),
    ("GET", r"conversations/\d+/labels"),
}
"""All that a bot's token is good for."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls."""

    kind: str
    """`user` or `agent_bot`."""
    id: int
    role: str
    """`administrator` or `agent`; a bot's is `agent_bot`."""

    @property
    def is_administrator(self) -> bool:
        return self.role == "administrator"


ACTOR: web.RequestKey[Actor] = web.RequestKey("desk_actor", Actor)


def error(status: int, message: str) -> ProviderRefusal:
    """An error in the shape of most endpoints."""
    return ProviderRefusal(status, {"error": message})


def invalid(message: str, attributes: list[str]) -> ProviderRefusal:
    """An error in the shape of a record that does not pass its validation."""
    return ProviderRefusal(422, {"message": message, "attributes": attributes})


def not_found() -> ProviderRefusal:
    return error(404, "Resource could not be found")


def unauthorized() -> ProviderRefusal:
    return error(401, "You are not authorized to do this action")


def number_in(request: web.Request, name: str) -> int:
    """A numeric part of the path."""
    text = request.match_info[name]
    if not text.isdecimal():
        raise not_found()
    return int(text)


def administrator(request: web.Request) -> None:
    """Raises the refusal of a caller who is none."""
    if not request[ACTOR].is_administrator:
        raise unauthorized()


async def fields_of(request: web.Request) -> tuple[Json, list[Part]]:
    """The fields and the files of a body: JSON, or a multipart form whose files are `attachments[]`."""
    body = await request.read()
    if request.content_type == "multipart/form-data":
        parts = all_parts(body, request.headers["Content-Type"])
        files = parts.pop("attachments[]", [])
        return {name: _typed(name, values[-1].text) for name, values in parts.items()}, files
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        raise error(400, "Error occurred while parsing request parameters") from None
    if not isinstance(document, dict):
        raise error(400, "Error occurred while parsing request parameters")
    return document, []


def _typed(name: str, text: str) -> object:
    if name == "content_attributes":
        return json.loads(text or "{}")
    return text == "true" if name == "private" else text


def next_number(state: State, counter: str, first: int = 1) -> int:
    """The next number of a sequence, which is given once."""
    row = state.storage.get("desk_counters", counter)
    number = first if row is None else row["next"]
    state.storage.put("desk_counters", counter, {"next": number + 1})
    return number


class ChatwootStandIn:
    """How Chatwoot authenticates and reports errors."""

    name = NAME

    def __init__(self, state: State) -> None:
        self._state = state

    def authenticate(self, request: web.Request) -> None:
        if _OPEN.fullmatch(request.path):
            return
        found = _ACCOUNT.match(request.path)
        account = int(found[1]) if found else None
        actor = self._actor(request.headers.get("api_access_token", ""), account)
        rest = request.path[found.end() :] if found else ""
        if actor.kind == "agent_bot" and not any(
            request.method == method and re.fullmatch(path, rest) for method, path in _BOTS_MAY
        ):
            raise error(401, "Access to this endpoint is not authorized for bots")
        request[ACTOR] = actor

    def _actor(self, token: str, account: int | None) -> Actor:
        for table, kind in ((USERS, "user"), (BOTS, "agent_bot")):
            for row in self._state.storage.values(table):
                known = row.get("_token")
                if known and secrets.compare_digest(known.encode(), token.encode()):
                    if account not in (None, row["account_id"]):
                        raise unauthorized()
                    return Actor(kind, row["id"], row.get("role", kind))
        raise error(401, "Invalid Access Token")

    def fault(self, status: int, retry_after: float | None) -> ProviderRefusal:
        headers = retry_after_header(retry_after)
        if status == 429:
            return ProviderRefusal(429, {}, headers, "Retry later")
        return ProviderRefusal(status, {"error": "The request was refused by a fault of the sandbox"}, headers)

    def no_such_path(self, method: str, path: str) -> ProviderRefusal:
        del method, path
        return not_found()

    def headers(self, started: float) -> dict[str, str]:
        del started
        return {"X-Request-Id": secrets.token_hex(16)}

    def without_items(self, answer: Json) -> Json:
        return {**answer, "payload": []} if "payload" in answer else answer
