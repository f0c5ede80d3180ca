"""/v1/assistants: live assistants as an Assistants-API server keeps them.

OpenAI itself answers 404 here since 2026-08-26; the setting `assistants_api: gone` does the same. It never runs an
assistant (see runs).
"""

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import models, tools
from sandbox.openai.assistant_rules import RESOURCES, SAMPLING
from sandbox.openai.response_rules import EFFORT
from sandbox.openai.shapes import array, checked_metadata, mapping, metadata, nullable, record, text
from sandbox.openai.wire import (
    body_of,
    error,
    missing,
    not_found,
    page,
)
from sandbox.state import State
from sandbox.storage import Json, new_id, public

TABLE = "assistants"
_RULES = record(
    {
        "model": text(),
        "name": nullable(text(256)),
        "description": nullable(text(512)),
        "instructions": nullable(text(256_000)),
        "tools": array(mapping, tools.MOST),
        "tool_resources": RESOURCES,
        "metadata": metadata,
        "reasoning_effort": EFFORT,
        **SAMPLING,
    }
)
_BETA = (
    "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
    "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
)


def require_api(state: State, request: web.Request) -> None:
    """Raises the error where the Assistants API is switched off, or the request lacks its beta header."""
    if state.settings.values.assistants_api == "gone":
        raise error(404, f"Invalid URL ({request.method} {request.path})")
    if request.headers.get("OpenAI-Beta") != "assistants=v2":
        raise error(400, _BETA, code="invalid_beta")


class Assistants:
    """Handlers of /v1/assistants."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/assistants/{assistant}"
        return [
            web.post("/v1/assistants", self.create),
            web.get("/v1/assistants", self.list_all),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
        ]

    def _found(self, request: web.Request) -> Json:
        require_api(self._state, request)
        key = request.match_info["assistant"]
        assistant = self._state.storage.get(TABLE, key)
        if assistant is None:
            raise not_found("assistant", key)
        return assistant

    async def create(self, request: web.Request) -> web.Response:
        require_api(self._state, request)
        body = await body_of(request)
        _check(body)
        if body.get("model") is None:
            raise missing("model")
        assistant = {
            "id": new_id("asst_", 24),
            "object": "assistant",
            "created_at": self._state.now(),
            "name": None,
            "description": None,
            "instructions": None,
            "tool_resources": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "response_format": "auto",
            "reasoning_effort": None,
            **_given(body),
            "tools": tools.for_assistant(body.get("tools")),
            "metadata": checked_metadata(body.get("metadata")),
        }
        return answer(public(self._state.storage.put(TABLE, str(assistant["id"]), assistant)))

    async def list_all(self, request: web.Request) -> web.Response:
        require_api(self._state, request)
        return answer(page(request, self._state.storage.rows(TABLE)))

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._found(request)))

    async def update(self, request: web.Request) -> web.Response:
        assistant = self._found(request)
        body = await body_of(request)
        _check(body)
        changed = {**assistant, **_given(body)}
        if "tools" in body:
            changed["tools"] = tools.for_assistant(body["tools"])
        if "metadata" in body:
            changed["metadata"] = checked_metadata(body["metadata"])
        return answer(public(self._state.storage.put(TABLE, assistant["id"], changed)))

    async def delete(self, request: web.Request) -> web.Response:
        key = self._found(request)["id"]
        self._state.storage.delete(TABLE, key)
        return answer({"id": key, "object": "assistant.deleted", "deleted": True})


def _check(body: Json) -> None:
    _RULES(body, "")
    if body.get("model") is not None:
        models.require(body["model"])


def _given(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in ("tools", "metadata")}
