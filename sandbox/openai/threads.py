"""/v1/threads and their messages: messages of users and assistants, as an Assistants-API server keeps them. Runs are in
`runs`.
"""

from collections.abc import Callable

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai.assistant_rules import MESSAGE, RESOURCES, THREAD
from sandbox.openai.assistants import require_api
from sandbox.openai.shapes import checked_metadata, metadata, record
from sandbox.openai.wire import body_of, error, missing, not_found, page
from sandbox.state import State
from sandbox.storage import Json, new_id, public

TABLE = "threads"
_CHANGE = record({"metadata": metadata, "tool_resources": RESOURCES})


class Threads:
    """Handlers of /v1/threads and /v1/threads/{id}/messages."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.busy: Callable[[str], str | None] = lambda _: None
        """Returns the active run of a thread. Runs set it; a thread alone is never busy."""

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/threads/{thread}"
        return [
            web.post("/v1/threads", self.create),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/messages", self.create_message),
            web.get(f"{one}/messages", self.list_messages),
            web.get(f"{one}/messages/{{message}}", self.get_message),
            web.post(f"{one}/messages/{{message}}", self.update_message),
            web.delete(f"{one}/messages/{{message}}", self.delete_message),
        ]

    def found(self, request: web.Request) -> Json:
        require_api(self._state, request)
        key = request.match_info["thread"]
        thread = self._state.storage.get(TABLE, key)
        if thread is None:
            raise not_found("thread", key)
        return thread

    def messages(self, thread: str) -> list[Json]:
        """Oldest first."""
        return list(self._state.storage.values(f"messages/{thread}"))

    def open(self, body: Json) -> Json:
        """Makes a thread from a checked body of POST /threads."""
        thread = {
            "id": new_id("thread_", 24),
            "object": "thread",
            "created_at": self._state.now(),
            "metadata": checked_metadata(body.get("metadata")),
            "tool_resources": body.get("tool_resources") or {},
        }
        self._state.storage.put(TABLE, str(thread["id"]), thread)
        for message in body.get("messages") or []:
            self.add(str(thread["id"]), message)
        return thread

    def add(self, thread: str, body: Json, *, assistant: str | None = None, run: str | None = None) -> Json:
        """Makes a message from a checked body of POST /threads/{id}/messages."""
        now = self._state.now()
        message = {
            "id": new_id("msg_", 24),
            "object": "thread.message",
            "created_at": now,
            "assistant_id": assistant,
            "thread_id": thread,
            "run_id": run,
            "role": body["role"],
            "content": _content(body["content"]),
            "attachments": body.get("attachments") or [],
            "metadata": checked_metadata(body.get("metadata")),
            "status": "completed",
            "completed_at": now,
            "incomplete_at": None,
            "incomplete_details": None,
        }
        return self._state.storage.put(f"messages/{thread}", str(message["id"]), message)

    async def create(self, request: web.Request) -> web.Response:
        require_api(self._state, request)
        body = await body_of(request)
        THREAD(body, "")
        return answer(public(self.open(body)))

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self.found(request)))

    async def update(self, request: web.Request) -> web.Response:
        thread = self.found(request)
        body = await body_of(request)
        _CHANGE(body, "")
        changed = {**thread, **body}
        if "metadata" in body:
            changed["metadata"] = checked_metadata(body["metadata"])
        return answer(public(self._state.storage.put(TABLE, thread["id"], changed)))

    async def delete(self, request: web.Request) -> web.Response:
        key = self.found(request)["id"]
        for table in (f"messages/{key}", f"runs/{key}"):
            self._state.storage.drop(table)
        self._state.storage.delete(TABLE, key)
        return answer({"id": key, "object": "thread.deleted", "deleted": True})

    async def create_message(self, request: web.Request) -> web.Response:
        thread = self.found(request)
        body = await body_of(request)
        MESSAGE(body, "")
        if (run := self.busy(thread["id"])) is not None:
            raise error(400, f"Can't add messages to {thread['id']} while a run {run} is active.")
        return answer(public(self.add(thread["id"], body)))

    async def list_messages(self, request: web.Request) -> web.Response:
        thread = self.found(request)["id"]
        self.busy(thread)
        rows = self._state.storage.rows(f"messages/{thread}")
        if run := request.query.get("run_id"):
            rows = {key: message for key, message in rows.items() if message["run_id"] == run}
        return answer(page(request, rows))

    def _message(self, request: web.Request) -> Json:
        thread = self.found(request)
        key = request.match_info["message"]
        message = self._state.storage.get(f"messages/{thread['id']}", key)
        if message is None:
            raise not_found("message", key)
        return message

    async def get_message(self, request: web.Request) -> web.Response:
        return answer(public(self._message(request)))

    async def update_message(self, request: web.Request) -> web.Response:
        message = self._message(request)
        metadata = checked_metadata((await body_of(request, ("metadata",))).get("metadata"))
        changed = {**message, "metadata": metadata}
        return answer(public(self._state.storage.put(f"messages/{message['thread_id']}", message["id"], changed)))

    async def delete_message(self, request: web.Request) -> web.Response:
        message = self._message(request)
        self._state.storage.delete(f"messages/{message['thread_id']}", message["id"])
        return answer({"id": message["id"], "object": "thread.message.deleted", "deleted": True})


def _content(value: str | list[Json]) -> list[Json]:
    parts: list[Json] = [{"type": "text", "text": value}] if isinstance(value, str) else value
    if not value:
        raise missing("content")
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    return {**part, "text": {"value": part["text"], "annotations": []}} if part["type"] == "text" else part
