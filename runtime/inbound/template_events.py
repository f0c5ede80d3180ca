"""POST /webhook/templates/{account}: Twilio says what Meta has decided about a template of an account (Event Streams).

It is believed when the account's auth token signed the URL, with the body's hash in it; else 403. It is a hint and
nothing more: 200 once the store has it, and what Meta says is found by asking Twilio. The body is an array of
CloudEvents; those of another type or account are left out. A test event is confirmed, which makes the sink active.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiohttp import web

from runtime.dispatch.template_events import CONFIRM, LOOK
from runtime.dispatch.timers import Timers
from runtime.inbound.connections import BodyIncomplete, whole_body
from runtime.inbound.signature import SETTINGS_HEADER, algorithm_of, is_signed
from runtime.inbound.unsigned import Unsigned
from runtime.store import catalog
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.twilio.accounts import Accounts

PATH: Final = "/webhook/templates/{account}"
TYPE: Final = "com.twilio.messaging.template.approval.updated"
TEST: Final = "com.twilio.eventstreams.test-event"
MAX_BODY_BYTES: Final = 256 * 1024
MOST_EVENTS: Final = 100
"""Of one request; Twilio sends one, unless the sink batches them."""
SIGNATURE: Final = "X-Twilio-Signature"
UNSIGNED: Final = "not signed by this Twilio account, over the URL with bodySHA256"
_ACCOUNT: Final = re.compile(r"AC[0-9a-f]{32}", re.ASCII)
_CONTENT: Final = re.compile(r"HX[0-9a-f]{32}", re.ASCII)
_TEST_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)

log = structlog.get_logger("runtime.templates")


@dataclass(frozen=True, slots=True)
class TemplateEventsWebhook:
    """The handler."""

    public_url: str
    database: Database
    accounts: Accounts
    timers: Timers
    unsigned: Unsigned

    def routes(self) -> list[web.RouteDef]:
        """The route."""
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """One request, with one event or several."""
        account, given = request.match_info["account"], request.headers.get(SIGNATURE)
        if given is None or _ACCOUNT.fullmatch(account) is None or "bodySHA256" not in request.query:
            self.unsigned.note("no_signature" if given is None else "stranger")
            return _answer(403, UNSIGNED)
        try:
            secrets = await self._secrets(account, request.headers.get(SETTINGS_HEADER))
            body = await whole_body(request, MAX_BODY_BYTES) if secrets else b""
            if not self._is_signed(request, given, secrets, body):
                self.unsigned.note("stranger")
                return _answer(403, UNSIGNED)
            for kind, key, payload in found_in(body, account):
                await self.timers.put(kind, key, datetime.now(UTC), payload)
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, f"the body is larger than {MAX_BODY_BYTES // 1024} KiB")
        except (BodyIncomplete, EventsUnreadable) as error:
            return _answer(400, str(error))
        except StoreError as error:
            log.error("template_event_not_stored", account=account, error=str(error))
            return _answer(503, "not stored, try again")
        return web.json_response({})

    async def _secrets(self, account: str, settings: str | None) -> list[str]:
        """What may have signed it: of the shared account, else of a client's own."""
        secrets = self.accounts.webhook_secrets(None, account, shared_key=settings is not None)
        if secrets:
            return secrets
        bot = await self.database.read(catalog.bot_of_account, account)
        return [] if bot is None else self.accounts.webhook_secrets(bot, account, shared_key=settings is not None)

    def _is_signed(self, request: web.Request, given: str, secrets: list[str], body: bytes) -> bool:
        algorithm = algorithm_of(request.headers.get(SETTINGS_HEADER))
        return is_signed(given, secrets, self.public_url + request.raw_path, {}, body=body, algorithm=algorithm)


class EventsUnreadable(Exception):
    """A signed body that is not an array of events."""


def found_in(body: bytes, account: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The timers that events ask for: kind, key and payload. Raises EventsUnreadable."""
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):
        raise EventsUnreadable("the body is not JSON") from None
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise EventsUnreadable(f"the body is not an array of at most {MOST_EVENTS} events")
    for event in events:
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict):
            continue
        template, test_id = data.get("template"), data.get("test_id")
        if event.get("type") == TEST and isinstance(test_id, str) and _TEST_ID.fullmatch(test_id):
            yield CONFIRM, account, {"test_id": test_id}
        elif event.get("type") == TYPE and data.get("accountSid") == account and isinstance(template, dict):
            sid = template.get("sid")
            if isinstance(sid, str) and _CONTENT.fullmatch(sid):
                yield LOOK, f"{account}/{sid}", {}


def _answer(status: int, text: str) -> web.Response:
    return web.json_response({"error": {"message": text}}, status=status)
