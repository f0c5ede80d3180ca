"""POST /webhook/desk/{client}: Chatwoot says that something happened in a client's inbox.

It is believed when it is signed with the inbox's secret and at most five minutes old, else refused with 403. It is a
hint and nothing more: 200 once the store has it, and what happened is found by asking Chatwoot. Chatwoot tries once,
and marks a message as failed whose webhook is not answered with 2xx, so what is of no interest is answered with 200,
too.
"""

from __future__ import annotations

import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from runtime.desk.desks import Desks
from runtime.dispatch.timers import Timers
from runtime.inbound.connections import BodyIncomplete, whole_body
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import desk

PATH: Final = "/webhook/desk/{client}"
MAX_BODY_BYTES: Final = 1024 * 1024
MAX_AGE_SECONDS: Final = 300
SIGNATURE, TIMESTAMP = "X-Chatwoot-Signature", "X-Chatwoot-Timestamp"
UNSIGNED: Final = "not signed with the secret of this client's inbox"
OLD: Final = f"signed more than {MAX_AGE_SECONDS // 60} minutes ago, or ahead of the time"
_DIGITS: Final = 15

log = structlog.get_logger("runtime.desk")


@dataclass(frozen=True, slots=True)
class DeskWebhook:
    """The handler."""

    database: Database
    desks: Desks
    timers: Timers

    def routes(self) -> list[web.RouteDef]:
        """The route."""
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """One event."""
        client = request.match_info["client"]
        stamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        try:
            found = await self.desks.of_client(client)
            if found is None or not signature:
                return _answer(403, UNSIGNED)
            if not is_recent(stamp, time.time()):
                return self._refused(client, OLD)
            body = await whole_body(request, MAX_BODY_BYTES)
            if not is_signed(found.webhook_secret, stamp, body, signature):
                return self._refused(client, UNSIGNED)
            number = conversation_of(body, found.inbox.account, found.inbox.inbox)
            known = None
            if number is not None:
                known = await self.database.write(desk.hint, found.bot_id, found.inbox.place, number)
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, f"the body is larger than {MAX_BODY_BYTES // 1024} KiB")
        except BodyIncomplete as error:
            return _answer(400, str(error))
        except StoreError as error:
            log.error("desk_event_not_stored", client=client, error=str(error))
            return _answer(503, "not stored")
        if known is not None:
            self.timers.wake()
        log.debug("desk_event", client=client, conversation=known)
        return web.json_response({})

    def _refused(self, client: str, reason: str) -> web.Response:
        """A refusal, which Chatwoot shows at the message: a wrong secret marks each of them as failed."""
        self.desks.warn_of_refusal(client, reason)
        return _answer(403, reason)


def is_signed(secret: str | None, stamp: str, body: bytes, signature: str) -> bool:
    """Whether a body is signed: HMAC-SHA256 over the time, a dot and the body (Chatwoot 4.13)."""
    if secret is None or not signature.isascii():
        return False
    digest = hmac.digest(secret.encode(), stamp.encode("utf-8", "replace") + b"." + body, "sha256").hex()
    return hmac.compare_digest(signature, f"sha256={digest}")


def is_recent(stamp: str, now: float) -> bool:
    """Whether a time in seconds since the epoch is at most five minutes away."""
    return stamp.isascii() and stamp.isdecimal() and len(stamp) <= _DIGITS and abs(now - int(stamp)) <= MAX_AGE_SECONDS


def conversation_of(body: bytes, account: int, inbox: int) -> int | None:
    """The number of the conversation that an event is about; None for an event of another kind, account or inbox."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    conversation: Any = event.get("conversation") if str(event.get("event", "")).startswith("message_") else event
    if not isinstance(conversation, dict) or conversation.get("inbox_id") != inbox:
        return None
    of = event.get("account") or conversation.get("account") or {}
    number = conversation.get("id")
    is_here = isinstance(of, dict) and of.get("id") in (account, None)
    return number if is_here and isinstance(number, int) and not isinstance(number, bool) else None


def _answer(status: int, text: str) -> web.Response:
    return web.json_response({"error": {"message": text}}, status=status)
