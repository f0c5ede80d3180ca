"""Contacts, and the links by which an inbox knows them: a `source_id`, unique within the inbox."""

import re
import time
from collections import deque
from uuid import uuid4

from aiohttp import web

from sandbox.chatwoot.inboxes import inbox_of
from sandbox.chatwoot.shapes import (
    CONTACT_INBOXES,
    CONTACTS,
    CONVERSATIONS,
    contact_json,
    conversation_json,
    drop_conversation,
    slim_inbox,
)
from sandbox.chatwoot.wire import administrator, error, fields_of, invalid, next_number, not_found, number_in
from sandbox.errors import ProviderRefusal
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json

_BASE = "/api/v1/accounts/{account}"
_PAGE = 15
_SEARCHES = 100
"""Per minute and account."""
_PHONE = re.compile(r"\+[1-9]\d{1,14}")
_UNIQUE = (("phone_number", "Phone number"), ("identifier", "Identifier"), ("email", "Email"))


class DeskContacts:
    """Handlers of contacts."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._searches: dict[int, deque[float]] = {}
        state.after_reset.append(self._searches.clear)

    def routes(self) -> list[web.RouteDef]:
        contact = f"{_BASE}/contacts/{{contact}}"
        return [
            web.get(f"{_BASE}/contacts/search", self.search),
            web.post(f"{_BASE}/contacts", self.create),
            web.get(contact, self.get),
            web.put(contact, self.update),
            web.patch(contact, self.update),
            web.delete(contact, self.delete),
            web.post(f"{contact}/contact_inboxes", self.link),
            web.get(f"{contact}/conversations", self.conversations),
            web.post(f"{_BASE}/contact_inboxes/filter", self.filter),
        ]

    async def search(self, request: web.Request) -> web.Response:
        account = number_in(request, "account")
        recent = self._searches.setdefault(account, deque())
        while recent and recent[0] < time.monotonic() - 60:
            recent.popleft()
        if len(recent) >= _SEARCHES:
            raise ProviderRefusal(429, {}, text="Retry later")
        recent.append(time.monotonic())
        words, page = request.query.get("q", ""), int(request.query.get("page", "1"))
        found = [row for row in self._rows(account) if _matches(row, words)]
        shown = found[(page - 1) * _PAGE : page * _PAGE]
        meta = {"count": len(shown), "current_page": page, "has_more": len(found) > page * _PAGE}
        return answer({"meta": meta, "payload": [contact_json(self._state, row) for row in shown]})

    async def create(self, request: web.Request) -> web.Response:
        account, (fields, _) = number_in(request, "account"), await fields_of(request)
        row: Json = {
            "id": 0,
            "account_id": account,
            "name": fields.get("name") or "",
            "email": fields.get("email"),
            "phone_number": fields.get("phone_number"),
            "identifier": fields.get("identifier"),
            "custom_attributes": fields.get("custom_attributes") or {},
            "additional_attributes": fields.get("additional_attributes") or {},
            "blocked": False,
            "created_at": self._state.now(),
            "last_activity_at": None,
        }
        inbox = inbox_of(self._state, account, fields["inbox_id"]) if fields.get("inbox_id") else None
        self._check(row)
        row = self._put({**row, "id": next_number(self._state, "contacts", 12)})
        made = None if inbox is None else self.linked(row, inbox, fields.get("source_id"))
        shown = None if made is None else {"inbox": slim_inbox(inbox or {}), "source_id": made["source_id"]}
        return answer({"payload": {"contact": contact_json(self._state, row), "contact_inbox": shown}})

    async def get(self, request: web.Request) -> web.Response:
        return answer({"payload": contact_json(self._state, self._contact(request))})

    async def update(self, request: web.Request) -> web.Response:
        row, (fields, _) = self._contact(request), await fields_of(request)
        names = ("name", "email", "phone_number", "identifier", "blocked")
        changed = {**row, **{name: fields[name] for name in names if name in fields}}
        for name in ("custom_attributes", "additional_attributes"):
            changed[name] = {**row[name], **(fields.get(name) or {})}
        self._check(changed)
        return answer({"payload": contact_json(self._state, self._put(changed))})

    async def delete(self, request: web.Request) -> web.Response:
        administrator(request)
        row = self._contact(request)
        for conversation in list(self._state.storage.values(CONVERSATIONS)):
            if conversation["_contact"] == row["id"]:
                drop_conversation(self._state, conversation)
        for key, link in list(self._state.storage.rows(CONTACT_INBOXES).items()):
            if link["contact_id"] == row["id"]:
                self._state.storage.delete(CONTACT_INBOXES, key)
        self._state.storage.delete(CONTACTS, str(row["id"]))
        return web.Response(status=200)

    async def link(self, request: web.Request) -> web.Response:
        row, (fields, _) = self._contact(request), await fields_of(request)
        inbox = inbox_of(self._state, row["account_id"], fields.get("inbox_id"))
        made = self.linked(row, inbox, fields.get("source_id"))
        return answer({"source_id": made["source_id"], "inbox": slim_inbox(inbox)})

    async def conversations(self, request: web.Request) -> web.Response:
        contact = self._contact(request)["id"]
        found = [row for row in self._state.storage.values(CONVERSATIONS) if row["_contact"] == contact]
        found.sort(key=lambda row: float(row["last_activity_at"]), reverse=True)
        return answer({"payload": [conversation_json(self._state, row) for row in found[:20]]})

    async def filter(self, request: web.Request) -> web.Response:
        account, (fields, _) = number_in(request, "account"), await fields_of(request)
        inbox = inbox_of(self._state, account, fields.get("inbox_id"))
        found = self._link(inbox["id"], str(fields.get("source_id")))
        if found is None:
            return web.Response(status=404)
        return answer(contact_json(self._state, self._state.storage.rows(CONTACTS)[str(found["contact_id"])]))

    def linked(self, contact: Json, inbox: Json, source_id: str | None) -> Json:
        """A contact's link to an inbox, made where there is none. Raises Chatwoot's 500 for another contact's."""
        source_id = source_id or str(uuid4())
        found = self._link(inbox["id"], source_id)
        if found is not None:
            if found["contact_id"] != contact["id"]:
                raise error(500, "Internal Server Error")
            return found
        number = next_number(self._state, "contact_inboxes", 8)
        row = {"id": number, "contact_id": contact["id"], "inbox_id": inbox["id"], "source_id": source_id}
        return self._state.storage.put(CONTACT_INBOXES, str(number), {**row, "_created_at": self._state.now()})

    def _link(self, inbox: int, source_id: str) -> Json | None:
        links = self._state.storage.values(CONTACT_INBOXES)
        return next((row for row in links if (row["inbox_id"], row["source_id"]) == (inbox, source_id)), None)

    def _check(self, row: Json) -> None:
        phone = row["phone_number"]
        if phone and not _PHONE.fullmatch(phone):
            raise invalid("Phone number should be in e164 format", ["phone_number"])
        for name, shown in _UNIQUE:
            if row[name] and any(
                other[name] == row[name] and other["id"] != row["id"] for other in self._rows(row["account_id"])
            ):
                raise invalid(f"{shown} has already been taken", [name])

    def _rows(self, account: int) -> list[Json]:
        return [row for row in self._state.storage.values(CONTACTS) if row["account_id"] == account]

    def _put(self, row: Json) -> Json:
        return self._state.storage.put(CONTACTS, str(row["id"]), row)

    def _contact(self, request: web.Request) -> Json:
        row = self._state.storage.get(CONTACTS, request.match_info["contact"])
        if row is None or row["account_id"] != number_in(request, "account"):
            raise not_found()
        return row


def _matches(row: Json, words: str) -> bool:
    loose = (str(row[name] or "").lower() for name in ("name", "email", "phone_number"))
    return any(words.lower() in text for text in loose) or words in str(row["identifier"] or "")
