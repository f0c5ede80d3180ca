"""Conversations: numbered within an account, with a status that says whose they are.

pending   the bot's          ── a person opens it ──►  open   people's
resolved  over: a further message of the customer makes it `pending` where a bot is connected, else `open`
"""

import time
from uuid import uuid4

from aiohttp import web

from sandbox.chatwoot.contacts import DeskContacts
from sandbox.chatwoot.events import DeskEvents
from sandbox.chatwoot.inboxes import inbox_of
from sandbox.chatwoot.shapes import (
    CONTACT_INBOXES,
    CONTACTS,
    CONVERSATIONS,
    INBOXES,
    assignee_json,
    conversation_json,
    conversation_key,
    drop_conversation,
)
from sandbox.chatwoot.wire import (
    ACTOR,
    USERS,
    Actor,
    administrator,
    error,
    fields_of,
    next_number,
    not_found,
    number_in,
)
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json

_BASE = "/api/v1/accounts/{account}/conversations"
_STATUSES = ("open", "resolved", "pending", "snoozed")
_PAGE = 25


class DeskConversations:
    """Handlers of conversations, and what messages and operators do to them."""

    def __init__(self, state: State, contacts: DeskContacts, events: DeskEvents) -> None:
        self._state = state
        self._contacts = contacts
        self._events = events

    def routes(self) -> list[web.RouteDef]:
        one = f"{_BASE}/{{conversation}}"
        return [
            web.post(_BASE, self.create),
            web.get(_BASE, self.list_all),
            web.get(one, self.get),
            web.delete(one, self.delete),
            web.post(f"{one}/toggle_status", self.toggle_status),
            web.post(f"{one}/assignments", self.assign),
            web.get(f"{one}/labels", self.labels),
            web.post(f"{one}/labels", self.set_labels),
            web.post(f"{one}/custom_attributes", self.set_attributes),
            web.post(f"{one}/toggle_typing_status", self.typing),
        ]

    async def create(self, request: web.Request) -> web.Response:
        account, (fields, _) = number_in(request, "account"), await fields_of(request)
        inbox, link = self._linked(account, fields)
        if inbox["lock_to_single_conversation"]:
            former = [row for row in self._state.storage.values(CONVERSATIONS) if row["_contact_inbox"] == link["id"]]
            if former:
                return answer(conversation_json(self._state, former[-1]))
        row = self._put(self._new(account, inbox, link, fields))
        self._events.conversation(row, "conversation_created")
        return answer(conversation_json(self._state, row))

    def _linked(self, account: int, fields: Json) -> tuple[Json, Json]:
        source_id = fields.get("source_id")
        links = list(self._state.storage.values(CONTACT_INBOXES))
        if not fields.get("contact_id"):
            found = next((link for link in links if link["source_id"] == source_id), None)
            if found is None:
                raise not_found()
            return inbox_of(self._state, account, found["inbox_id"]), found
        inbox = inbox_of(self._state, account, fields.get("inbox_id"))
        contact = self._state.storage.get(CONTACTS, str(fields["contact_id"]))
        if contact is None or contact["account_id"] != account:
            raise not_found()
        taken = [link for link in links if (link["inbox_id"], link["source_id"]) == (inbox["id"], source_id)]
        if any(link["contact_id"] != contact["id"] for link in taken):
            raise error(422, "source_id should be unique")
        return inbox, self._contacts.linked(contact, inbox, source_id)

    def _new(self, account: int, inbox: Json, link: Json, fields: Json) -> Json:
        status = "pending" if inbox["_bot"] is not None else fields.get("status") or "open"
        now = self._state.settings.time()
        return {
            "id": next_number(self._state, f"conversations/{account}", 1),
            "account_id": account,
            "inbox_id": inbox["id"],
            "status": status,
            "labels": [],
            "custom_attributes": fields.get("custom_attributes") or {},
            "additional_attributes": fields.get("additional_attributes") or {},
            "priority": None,
            "snoozed_until": None,
            "uuid": str(uuid4()),
            "first_reply_created_at": None,
            "created_at": now,
            "updated_at": now,
            "last_activity_at": now,
            "waiting_since": now,
            "_contact": link["contact_id"],
            "_contact_inbox": link["id"],
            "_assignee": None,
        }

    async def list_all(self, request: web.Request) -> web.Response:
        query, account = request.query, number_in(request, "account")
        status, inbox = query.get("status", "open"), query.get("inbox_id")
        rows = [row for row in self._state.storage.values(CONVERSATIONS) if row["account_id"] == account]
        rows = [row for row in rows if status in ("all", row["status"]) and inbox in (None, str(row["inbox_id"]))]
        rows.sort(key=lambda row: float(row["last_activity_at"]), reverse=True)
        if (within := query.get("updated_within")) is not None:
            rows = [row for row in rows if row["updated_at"] > self._state.settings.time() - float(within)]
        else:
            page = int(query.get("page", "1"))
            rows = rows[(page - 1) * _PAGE : page * _PAGE]
        meta = {"mine_count": 0, "assigned_count": 0, "unassigned_count": len(rows), "all_count": len(rows)}
        return answer({"data": {"meta": meta, "payload": [conversation_json(self._state, row) for row in rows]}})

    async def get(self, request: web.Request) -> web.Response:
        return answer(conversation_json(self._state, self.of(request)))

    async def delete(self, request: web.Request) -> web.Response:
        administrator(request)
        drop_conversation(self._state, self.of(request))
        return web.Response(status=200)

    async def toggle_status(self, request: web.Request) -> web.Response:
        row, (fields, _) = self.of(request), await fields_of(request)
        wanted = fields.get("status") or ("resolved" if row["status"] == "open" else "open")
        if wanted not in _STATUSES:
            raise error(422, f"'{wanted}' is not a valid status")
        row = self.set_status(row, wanted, request[ACTOR])
        shown = {"success": True, "conversation_id": row["id"], "current_status": wanted, "snoozed_until": None}
        return answer({"meta": {}, "payload": shown})

    def set_status(self, row: Json, status: str, by: Actor | None = None) -> Json:
        """Changes a status. A user with the role agent who opens a conversation is assigned to it."""
        former = row["status"]
        takes = status == "open" and by is not None and by.role == "agent" and row["_assignee"] is None
        if former == status and not takes:
            return row
        row = self.touch({**row, "status": status, **({"_assignee": by.id} if takes and by is not None else {})})
        if former != status:
            self._events.status(row, former)
        return row

    async def assign(self, request: web.Request) -> web.Response:
        row, (fields, _) = self.of(request), await fields_of(request)
        user = fields.get("assignee_id")
        found = None if user is None else self._state.storage.get(USERS, str(user))
        row = self.touch({**row, "_assignee": None if found is None else found["id"]})
        self._events.conversation(row, "conversation_updated", [])
        return answer(None if found is None else assignee_json(found))

    async def labels(self, request: web.Request) -> web.Response:
        return answer({"payload": self.of(request)["labels"]})

    async def set_labels(self, request: web.Request) -> web.Response:
        row, (fields, _) = self.of(request), await fields_of(request)
        row = self.touch({**row, "labels": list(fields.get("labels") or [])})
        self._events.conversation(row, "conversation_updated", [])
        return answer({"payload": row["labels"]})

    async def set_attributes(self, request: web.Request) -> web.Response:
        row, (fields, _) = self.of(request), await fields_of(request)
        row = self.touch({**row, "custom_attributes": fields.get("custom_attributes") or {}})
        self._events.conversation(row, "conversation_updated", [])
        return answer({"custom_attributes": row["custom_attributes"]})

    async def typing(self, request: web.Request) -> web.Response:
        self.of(request)
        return web.Response()

    def incoming(self, row: Json) -> Json:
        """A message of the customer: a conversation that rests is someone's again."""
        bot = self._state.storage.rows(INBOXES)[str(row["inbox_id"])]["_bot"]
        now = self._state.settings.time()
        status = {"snoozed": "open", "resolved": "open" if bot is None else "pending"}.get(row["status"])
        row = self.touch({**row, "last_activity_at": now, "waiting_since": row["waiting_since"] or now})
        return row if status is None else self.set_status(row, status)

    def outgoing(self, row: Json, *, by_person: bool) -> Json:
        """A message to the customer; one of a person is their first reply."""
        now = self._state.settings.time()
        first = row["first_reply_created_at"] or (int(now) if by_person else None)
        return self.touch({**row, "last_activity_at": now, "waiting_since": None, "first_reply_created_at": first})

    def touch(self, row: Json) -> Json:
        return self._put({**row, "updated_at": self._state.settings.time()})

    def of(self, request: web.Request) -> Json:
        """The conversation in a path. Raises Chatwoot's 404."""
        return self.known(number_in(request, "account"), number_in(request, "conversation"))

    def known(self, account: int, conversation: int) -> Json:
        """A conversation by its number. Raises Chatwoot's 404."""
        row = self._state.storage.get(CONVERSATIONS, conversation_key(account, conversation))
        if row is None:
            raise not_found()
        return row

    def _put(self, row: Json) -> Json:
        return self._state.storage.put(CONVERSATIONS, conversation_key(row["account_id"], row["id"]), row)


def minute_ago() -> float:
    """For limits by the minute, by this machine's steady clock."""
    return time.monotonic() - 60
