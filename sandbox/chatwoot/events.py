"""Webhooks of an inbox: signed, one attempt within five seconds, and a message whose webhook fails is marked as failed.

Sidekiq runs them in several threads, so their order is not that of what happened.
"""

import asyncio
import hmac
import json
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp

from sandbox.chatwoot.shapes import INBOXES, conversation_event, iso, message_event, messages_table
from sandbox.chatwoot.wire import NAME
from sandbox.faults import WEBHOOK_KINDS
from sandbox.state import State
from sandbox.storage import Json

_SECONDS = 5.0
_SIGNED_SINCE = (4, 13)


class DeskEvents:
    """Sends the webhooks of all inboxes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def message(self, message: Json, conversation: Json, event: str) -> None:
        """`message_created` or `message_updated`; activities have none."""
        if message["message_type"] != "activity":
            body = message_event(self._state, message, conversation, event)
            self._start(conversation, body, message if event == "message_created" else None)

    def conversation(self, conversation: Json, event: str, changed: list[Json] | None = None) -> None:
        """`conversation_created`, `conversation_updated` or `conversation_status_changed`."""
        body = {**conversation_event(self._state, conversation), "event": event, "changed_attributes": changed}
        self._start(conversation, body, None)

    def status(self, conversation: Json, former: str) -> None:
        """What a change of status sends: with the attributes that changed in one of two."""
        stamp = {"previous_value": iso(conversation["updated_at"]), "current_value": iso(conversation["updated_at"])}
        change = {"previous_value": former, "current_value": conversation["status"]}
        self.conversation(conversation, "conversation_updated", [{"status": change}, {"updated_at": stamp}])
        self.conversation(conversation, "conversation_status_changed")

    def _start(self, conversation: Json, body: Json, message: Json | None) -> None:
        inbox = self._state.storage.rows(INBOXES)[str(conversation["inbox_id"])]
        if inbox["webhook_url"]:
            self._state.background.start(self._deliver(inbox, body, message))

    async def _deliver(self, inbox: Json, body: Json, message: Json | None) -> None:
        path = urlsplit(inbox["webhook_url"]).path
        found = self._state.faults.matching(NAME, "POST", path, WEBHOOK_KINDS, json.dumps(body).encode())
        rules = {rule.kind: rule for rule in found}
        if "drop_webhook" in rules:
            return
        if "reorder_webhooks" in rules:
            await asyncio.sleep(rules["reorder_webhooks"].random_hold(0.2))
        failure = await self._attempt(inbox, body)
        if "duplicate_webhook" in rules:
            await asyncio.sleep(rules["duplicate_webhook"].hold(0.0))
            await self._attempt(inbox, body)
        if failure is not None and message is not None:
            self._mark_failed(message, failure)

    async def _attempt(self, inbox: Json, body: Json) -> str | None:
        """What went wrong; None for an answer of 200 to 299."""
        content = json.dumps(body).encode()
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        status, failure = None, None
        try:
            async with self._session.post(
                inbox["webhook_url"],
                data=content,
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    **self._signed(inbox, content),
                },
                timeout=aiohttp.ClientTimeout(total=_SECONDS * 2, sock_connect=_SECONDS, sock_read=_SECONDS),
            ) as response:
                status = response.status
                if not 200 <= status < 300:
                    failure = f"{status} {response.reason}"
        except TimeoutError:
            failure = "Timed out reading data from server"
        except aiohttp.ClientError as error:
            failure = f"Failed to open TCP connection: {error}"
        self._state.ledger.append(
            "desk_webhook", NAME, event=body["event"], url=inbox["webhook_url"], status=status, error=failure
        )
        return failure

    def _signed(self, inbox: Json, content: bytes) -> dict[str, str]:
        """The headers of an attempt; inboxes were not signed before 4.13."""
        headers = {"X-Chatwoot-Delivery": str(uuid4())}
        version = tuple(int(part) for part in self._state.settings.values.desk_version.split(".")[:2])
        if version < _SIGNED_SINCE:
            return headers
        stamp = str(self._state.now())
        return {
            **headers,
            "X-Chatwoot-Timestamp": stamp,
            "X-Chatwoot-Signature": signature(inbox["_secret"], stamp, content),
        }

    def _mark_failed(self, message: Json, failure: str) -> None:
        table = messages_table(message["account_id"], message["conversation_id"])
        row = self._state.storage.get(table, str(message["id"]))
        if row is not None:
            attributes = {**row["content_attributes"], "external_error": failure}
            self._state.storage.put(
                table, str(row["id"]), {**row, "status": "failed", "content_attributes": attributes}
            )


def signature(secret: str, stamp: str, content: bytes) -> str:
    """Chatwoot 4.13: HMAC-SHA256 over the time, a dot and the body."""
    return "sha256=" + hmac.digest(secret.encode(), stamp.encode() + b"." + content, "sha256").hex()
