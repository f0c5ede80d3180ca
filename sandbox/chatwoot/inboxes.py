"""Inboxes of the type API, agent bots, the profile of a token's owner, and the version."""

import re
import secrets
from typing import Any

from aiohttp import web

from sandbox.chatwoot.shapes import INBOXES, bot_json, inbox_json
from sandbox.chatwoot.wire import ACTOR, BOTS, USERS, administrator, fields_of, next_number, not_found, number_in
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json

_BASE = "/api/v1/accounts/{account}"
_SETTABLE = (
    "name",
    "greeting_enabled",
    "greeting_message",
    "working_hours_enabled",
    "out_of_office_message",
    "csat_survey_enabled",
    "enable_auto_assignment",
    "allow_messages_after_resolved",
    "lock_to_single_conversation",
)
_OF_CHANNEL = ("webhook_url", "hmac_mandatory", "additional_attributes")


class DeskInboxes:
    """Handlers of inboxes and bots."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        inbox, bot = f"{_BASE}/inboxes/{{inbox}}", f"{_BASE}/agent_bots"
        return [
            web.get("/api", self.version),
            web.get("/api/v1/profile", self.profile),
            web.post(f"{_BASE}/inboxes", self.create),
            web.get(f"{_BASE}/inboxes", self.list_all),
            web.get(inbox, self.get),
            web.patch(inbox, self.update),
            web.post(f"{inbox}/reset_secret", self.reset_secret),
            web.post(f"{inbox}/set_agent_bot", self.set_agent_bot),
            web.get(f"{inbox}/agent_bot", self.agent_bot),
            web.get(bot, self.list_bots),
            web.post(bot, self.create_bot),
        ]

    async def version(self, _: web.Request) -> web.Response:
        services = {"queue_services": "ok", "data_services": "ok"}
        return answer({"version": self._state.settings.values.desk_version, "timestamp": "2026-11-28", **services})

    async def profile(self, request: web.Request) -> web.Response:
        actor = request[ACTOR]
        row = self._state.storage.rows(USERS if actor.kind == "user" else BOTS)[str(actor.id)]
        accounts = [{"id": row["account_id"], "role": actor.role}]
        return answer({"id": row["id"], "name": row["name"], "email": row.get("email"), "accounts": accounts})

    async def create(self, request: web.Request) -> web.Response:
        administrator(request)
        fields, _ = await fields_of(request)
        channel = fields.get("channel") or {}
        row = self.open(number_in(request, "account"), fields.get("name", ""), channel.get("webhook_url", ""))
        return answer(inbox_json(self._changed(row, fields), administrator=True))

    def open(self, account: int, name: str, webhook_url: str) -> Json:
        """A new inbox of the type API."""
        number = next_number(self._state, "inboxes", 3)
        row: Json = {
            "id": number,
            "account_id": account,
            "channel_id": number + 6,
            "name": name,
            "channel_type": "Channel::Api",
            "greeting_enabled": False,
            "greeting_message": None,
            "working_hours_enabled": False,
            "out_of_office_message": None,
            "enable_email_collect": True,
            "csat_survey_enabled": False,
            "enable_auto_assignment": True,
            "allow_messages_after_resolved": True,
            "lock_to_single_conversation": False,
            "timezone": "UTC",
            "hmac_mandatory": False,
            "webhook_url": webhook_url,
            "inbox_identifier": secrets.token_urlsafe(16),
            "additional_attributes": {},
            "callback_webhook_url": None,
            "provider": None,
            "_secret": secrets.token_urlsafe(24),
            "_hmac_token": secrets.token_urlsafe(16),
            "_bot": None,
        }
        return self._state.storage.put(INBOXES, str(number), row)

    async def list_all(self, request: web.Request) -> web.Response:
        rows = [
            row for row in self._state.storage.values(INBOXES) if row["account_id"] == number_in(request, "account")
        ]
        return answer({"payload": [self._shown(request, row) for row in rows]})

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._shown(request, self._inbox(request)))

    async def update(self, request: web.Request) -> web.Response:
        administrator(request)
        fields, _ = await fields_of(request)
        return answer(inbox_json(self._changed(self._inbox(request), fields), administrator=True))

    async def reset_secret(self, request: web.Request) -> web.Response:
        administrator(request)
        row = {**self._inbox(request), "_secret": secrets.token_urlsafe(24)}
        return answer(inbox_json(self._put(row), administrator=True))

    async def set_agent_bot(self, request: web.Request) -> web.Response:
        administrator(request)
        fields, _ = await fields_of(request)
        bot = fields.get("agent_bot")
        if bot is not None and self._state.storage.get(BOTS, str(bot)) is None:
            raise not_found()
        self._put({**self._inbox(request), "_bot": bot})
        return web.Response()

    async def agent_bot(self, request: web.Request) -> web.Response:
        bot = self._inbox(request)["_bot"]
        row = None if bot is None else self._state.storage.get(BOTS, str(bot))
        return answer({"agent_bot": None if row is None else bot_json(row)})

    async def list_bots(self, request: web.Request) -> web.Response:
        rows = [row for row in self._state.storage.values(BOTS) if row["account_id"] == number_in(request, "account")]
        return answer([bot_json(row, token=request[ACTOR].is_administrator) for row in rows])

    async def create_bot(self, request: web.Request) -> web.Response:
        administrator(request)
        fields, _ = await fields_of(request)
        return answer(
            bot_json(
                self.open_bot(
                    number_in(request, "account"), str(fields.get("name", "")), fields.get("outgoing_url") or ""
                ),
                token=True,
            )
        )

    def open_bot(self, account: int, name: str, outgoing_url: str = "") -> Json:
        """A new bot."""
        number = next_number(self._state, "agent_bots", 5)
        row = {"id": number, "account_id": account, "name": name, "outgoing_url": outgoing_url}
        return self._state.storage.put(BOTS, str(number), {**row, "_token": secrets.token_urlsafe(18)})

    def _changed(self, row: Json, fields: Json) -> Json:
        channel = fields.get("channel") or {}
        changes: dict[str, Any] = {name: fields[name] for name in _SETTABLE if name in fields}
        changes |= {name: channel[name] for name in _OF_CHANNEL if name in channel}
        return self._put({**row, **changes})

    def _put(self, row: Json) -> Json:
        return self._state.storage.put(INBOXES, str(row["id"]), row)

    def _shown(self, request: web.Request, row: Json) -> Json:
        return inbox_json(row, administrator=request[ACTOR].is_administrator)

    def _inbox(self, request: web.Request) -> Json:
        return inbox_of(self._state, number_in(request, "account"), number_in(request, "inbox"))


def inbox_of(state: State, account: int, inbox: object) -> Json:
    """An inbox of an account. Raises Chatwoot's 404."""
    row = state.storage.get(INBOXES, str(inbox)) if re.fullmatch(r"\d+", str(inbox)) else None
    if row is None or row["account_id"] != account:
        raise not_found()
    return row
