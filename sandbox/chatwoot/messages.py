"""Messages of conversations, with their files and their delivery status."""

import mimetypes
import re
import time
from collections import deque

from aiohttp import web

from sandbox.chatwoot.conversations import DeskConversations, minute_ago
from sandbox.chatwoot.events import DeskEvents
from sandbox.chatwoot.shapes import (
    CONTACTS,
    INBOXES,
    assignee_json,
    contact_of_event,
    drop_files,
    message_json,
    messages_table,
)
from sandbox.chatwoot.wire import ACTOR, BOTS, USERS, Actor, error, fields_of, next_number, not_found
from sandbox.middleware import answer
from sandbox.openai.multipart import Part
from sandbox.state import State
from sandbox.storage import Json, new_id

_BASE = "/api/v1/accounts/{account}/conversations/{conversation}/messages"
_PER_MINUTE = 200
_LONGEST, _FILES = 150_000, 15
_STATUSES = ("sent", "delivered", "read", "failed")
_IMAGES = re.compile(r"image/(jpeg|jpg|png|gif|bmp|webp)")
_VIDEOS = re.compile(r"video/(ogg|mp4|webm|quicktime)")


class DeskMessages:
    """Handlers of messages, and what an operator writes."""

    def __init__(self, state: State, conversations: DeskConversations, events: DeskEvents) -> None:
        self._state = state
        self._conversations = conversations
        self._events = events
        self._recent: dict[str, deque[float]] = {}
        state.after_reset.append(self._recent.clear)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_BASE, self.list_some),
            web.post(_BASE, self.create),
            web.patch(f"{_BASE}/{{message}}", self.update),
            web.delete(f"{_BASE}/{{message}}", self.delete),
            web.get("/rails/active_storage/blobs/redirect/{blob}/{name}", self.blob),
            web.get("/rails/active_storage/disk/{blob}/{name}", self.file),
        ]

    async def list_some(self, request: web.Request) -> web.Response:
        row = self._conversations.of(request)
        rows = list(self._state.storage.values(messages_table(row["account_id"], row["id"])))
        after, before = request.query.get("after"), request.query.get("before")
        if after is not None:
            rows = [item for item in rows if item["id"] > int(after)]
        if before is not None:
            rows = [item for item in rows if item["id"] < int(before)]
        rows = rows[-20:] if after is None else rows[: 100 if before is None else 1000]
        contact = contact_of_event(self._state, self._state.storage.rows(CONTACTS)[str(row["_contact"])])
        meta: Json = {"labels": row["labels"], "additional_attributes": {}, "contact": contact}
        if row["_assignee"] is not None:
            meta["assignee"] = assignee_json(self._state.storage.rows(USERS)[str(row["_assignee"])])
        return answer({"meta": meta, "payload": [message_json(self._state, item) for item in rows]})

    async def create(self, request: web.Request) -> web.Response:
        row, (fields, files) = self._conversations.of(request), await fields_of(request)
        sender = self._sender(request[ACTOR], row, fields)
        message = self.add(row, fields, files, sender, str(request.url.origin()))
        return answer(message_json(self._state, message, fields.get("echo_id")))

    def _sender(self, actor: Actor, row: Json, fields: Json) -> list[object]:
        if fields.get("message_type") == "incoming":
            return ["contact", row["_contact"]]
        named = str(fields.get("sender_id", ""))
        if fields.get("sender_type") == "AgentBot" and self._state.storage.get(BOTS, named) is not None:
            return ["agent_bot", int(named)]
        return [actor.kind, actor.id]

    def add(self, row: Json, fields: Json, files: list[Part], sender: list[object] | None, origin: str) -> Json:
        """A new message, with its webhooks. Raises Chatwoot's 422."""
        kind = fields.get("message_type") or "outgoing"
        content = fields.get("content")
        if kind not in ("incoming", "outgoing", "template") or (content and len(content) > _LONGEST):
            raise error(422, "Validation failed: Content is too long (maximum is 150000 characters)")
        if len(files) > _FILES:
            raise error(422, "Validation failed: Attachments exceeded maximum allowed")
        self._count(row)
        number = next_number(self._state, "messages", 1001)
        message: Json = {
            "id": number,
            "account_id": row["account_id"],
            "content": content,
            "inbox_id": row["inbox_id"],
            "conversation_id": row["id"],
            "message_type": kind,
            "content_type": fields.get("content_type") or "text",
            "status": "sent",
            "content_attributes": fields.get("content_attributes") or {},
            "created_at": self._state.settings.time(),
            "private": bool(fields.get("private")),
            "source_id": fields.get("source_id"),
            "attachments": [self._stored(row, number, part, origin) for part in files],
            "_sender": sender,
        }
        self._put(message)
        if kind == "incoming":
            row = self._conversations.incoming(row)
        elif not message["private"]:
            row = self._conversations.outgoing(row, by_person=sender is not None and sender[0] == "user")
        self._events.message(message, row, "message_created")
        return message

    def _count(self, row: Json) -> None:
        recent = self._recent.setdefault(f"{row['account_id']}/{row['id']}", deque())
        while recent and recent[0] < minute_ago():
            recent.popleft()
        if len(recent) >= _PER_MINUTE:
            raise error(422, "Validation failed: Too many messages")
        recent.append(time.monotonic())

    def _stored(self, row: Json, message: int, part: Part, origin: str) -> Json:
        blob, name = new_id("blob-"), part.filename or "file"
        self._state.storage.blob(blob).write_bytes(part.content)
        kind = part.content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._state.storage.put("desk_blobs", blob, {"name": name, "type": kind, "at": self._state.settings.time()})
        is_image = _IMAGES.fullmatch(kind) is not None
        shown = "image" if is_image else "video" if _VIDEOS.fullmatch(kind) else "audio" if "audio/" in kind else "file"
        url = f"{origin}/rails/active_storage/blobs/redirect/{blob}/{name}"
        return {
            "id": next_number(self._state, "attachments", 55),
            "message_id": message,
            "file_type": shown,
            "account_id": row["account_id"],
            "extension": None,
            "content_type": kind,
            "data_url": url,
            "thumb_url": url if is_image else "",
            "file_size": len(part.content),
            "width": None,
            "height": None,
        }

    async def update(self, request: web.Request) -> web.Response:
        row, (fields, _) = self._conversations.of(request), await fields_of(request)
        if self._state.storage.rows(INBOXES)[str(row["inbox_id"])]["channel_type"] != "Channel::Api":
            raise error(403, "Message status update is only allowed for API inboxes")
        message = self._message(row, request)
        status = fields.get("status")
        if status in _STATUSES and (message["status"], status) != ("read", "delivered"):
            attributes = {
                name: item for name, item in message["content_attributes"].items() if name != "external_error"
            }
            if status == "failed" and fields.get("external_error"):
                attributes["external_error"] = fields["external_error"]
            message = self._put({**message, "status": status, "content_attributes": attributes})
            self._events.message(message, row, "message_updated")
        return answer(message_json(self._state, message))

    async def delete(self, request: web.Request) -> web.Response:
        row = self._conversations.of(request)
        message = self._message(row, request)
        drop_files(self._state, message)
        kept = {"content": "This message was deleted", "content_attributes": {"deleted": True}, "attachments": []}
        message = self._put({**message, **kept})
        self._events.message(message, row, "message_updated")
        return answer(message_json(self._state, message))

    def _message(self, row: Json, request: web.Request) -> Json:
        table = messages_table(row["account_id"], row["id"])
        message = self._state.storage.get(table, request.match_info["message"])
        if message is None:
            raise not_found()
        return message

    async def blob(self, request: web.Request) -> web.Response:
        row = self._blob(request)
        if self._state.settings.time() < row["at"] + self._state.settings.values.desk_upload_seconds:
            raise not_found()
        path = f"/rails/active_storage/disk/{request.match_info['blob']}/{request.match_info['name']}"
        return web.Response(status=302, headers={"Location": str(request.url.origin()) + path})

    async def file(self, request: web.Request) -> web.Response:
        content = self._state.storage.blob(request.match_info["blob"]).read_bytes()
        return web.Response(body=content, headers={"Content-Type": self._blob(request)["type"]})

    def _blob(self, request: web.Request) -> Json:
        row = self._state.storage.get("desk_blobs", request.match_info["blob"])
        if row is None:
            raise not_found()
        return row

    def _put(self, message: Json) -> Json:
        table = messages_table(message["account_id"], message["conversation_id"])
        return self._state.storage.put(table, str(message["id"]), message)
