"""/v1/conversations and their items: memory kept at the provider, one response at a time.

There is no list of conversations, and deleting one leaves its items, as at OpenAI.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import items as item_rules
from sandbox.openai.shapes import anything, array, checked_metadata
from sandbox.openai.wire import body_of, error, missing, page
from sandbox.state import State
from sandbox.storage import Json, new_id

_TABLE = "conversations"
_MOST_AT_ONCE = 20


class Conversations:
    """Handlers of /v1/conversations, and what responses need of them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._busy: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/conversations/{conversation}"
        return [
            web.post("/v1/conversations", self.create),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/items", self.create_items),
            web.get(f"{one}/items", self.list_items),
            web.get(f"{one}/items/{{item}}", self.get_item),
            web.delete(f"{one}/items/{{item}}", self.delete_item),
        ]

    def named_by(self, value: object) -> str | None:
        """The id in a response's `conversation`, which may be a string or an object."""
        if value is None:
            return None
        key = value.get("id") if isinstance(value, dict) else value
        if not isinstance(key, str) or self._state.storage.get(_TABLE, key) is None:
            raise error(404, f"Conversation with id '{key}' not found.", param="conversation")
        return key

    @contextmanager
    def locked(self, conversation: str) -> Iterator[None]:
        """Held while a response works on the conversation; a second one is refused, not queued."""
        if conversation in self._busy:
            message = "Another process is currently operating on this conversation. Please retry in a few seconds."
            raise error(400, message, param="conversation", code="conversation_locked")
        self._busy.add(conversation)
        try:
            yield
        finally:
            self._busy.discard(conversation)

    def items(self, conversation: str) -> list[Json]:
        return list(self._state.storage.values(f"items/{conversation}"))

    def append(self, conversation: str, items: list[Json]) -> None:
        for item in items:
            self._state.storage.put(f"items/{conversation}", item["id"], item)

    def _found(self, request: web.Request) -> Json:
        key = request.match_info["conversation"]
        conversation = self._state.storage.get(_TABLE, key)
        if conversation is None:
            raise error(404, f"Conversation with id '{key}' not found.")
        return conversation

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request, ("metadata", "items"))
        key = new_id("conv_")
        metadata = checked_metadata(body.get("metadata"))
        items = _accepted(body["items"]) if body.get("items") is not None else []
        conversation: Json = {
            "id": key,
            "object": "conversation",
            "created_at": self._state.now(),
            "metadata": metadata,
        }
        self._state.storage.put(_TABLE, key, conversation)
        self.append(key, items)
        return answer(conversation)

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._found(request))

    async def update(self, request: web.Request) -> web.Response:
        conversation = self._found(request)
        body = await body_of(request, ("metadata",))
        if "metadata" not in body:
            raise missing("metadata")
        changed = {**conversation, "metadata": checked_metadata(body["metadata"])}
        return answer(self._state.storage.put(_TABLE, conversation["id"], changed))

    async def delete(self, request: web.Request) -> web.Response:
        key = self._found(request)["id"]
        self._state.storage.delete(_TABLE, key)
        return answer({"id": key, "object": "conversation.deleted", "deleted": True})

    async def create_items(self, request: web.Request) -> web.Response:
        conversation = self._found(request)
        items = _accepted((await body_of(request, ("items",))).get("items"))
        self.append(conversation["id"], items)
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {"first_id": "", "last_id": ""}
        return answer({"object": "list", "data": items, **ends, "has_more": False})

    async def list_items(self, request: web.Request) -> web.Response:
        listed = page(request, self._state.storage.rows(f"items/{self._found(request)['id']}"))
        return answer({**listed, "first_id": listed["first_id"] or "", "last_id": listed["last_id"] or ""})

    def _item(self, request: web.Request) -> tuple[str, Json]:
        table = f"items/{request.match_info['conversation']}"
        key = request.match_info["item"]
        item = self._state.storage.get(table, key)
        if item is None:
            raise error(404, f"Item with id '{key}' not found.")
        return table, item

    async def get_item(self, request: web.Request) -> web.Response:
        return answer(self._item(request)[1])

    async def delete_item(self, request: web.Request) -> web.Response:
        table, item = self._item(request)
        self._state.storage.delete(table, item["id"])
        return answer(self._found(request))


def _accepted(value: object) -> list[Json]:
    array(anything, _MOST_AT_ONCE)(value, "items")
    return item_rules.accepted(value, "items")
