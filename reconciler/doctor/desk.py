"""The links of a client's desk: Chatwoot, its inbox, and its webhook's way to the runtime."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.doctor.link import Link
from reconciler.doctor.probe import probe
from reconciler.errors import ProviderError
from reconciler.readers.http import Reader
from reconciler.settings import Settings
from schemas.client import Client
from schemas.desk import LEAST_VERSION, ChatwootInbox

API: Final = "Channel::Api"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_SENT_AND_PAID: Final = "it would be sent to people by WhatsApp, and paid"
_UNWANTED: Final[Mapping[str, tuple[str, str]]] = {
    "greeting_enabled": ("its greeting is on", "Turn off the channel greeting in the inbox's settings."),
    "working_hours_enabled": (
        "its business hours are on, with an out-of-office message",
        "Turn off business availability in the inbox's settings; `hours` in the manifest is for that.",
    ),
    "csat_survey_enabled": ("its survey (CSAT) is on", "Turn off CSAT in the inbox's settings."),
}


def examine_desk(client: Client, inbox: ChatwootInbox, settings: Settings) -> Iterator[Link]:
    """The links of a client's desk."""
    token = settings.secret(inbox.token.env)
    if token is None:
        yield Link("desk", None, f"{inbox.token.env} is not set here, so Chatwoot cannot be asked")
    else:
        yield from _at_chatwoot(client, inbox, token, settings)
    yield _webhook(client, inbox, settings)


def _at_chatwoot(client: Client, inbox: ChatwootInbox, token: str, settings: Settings) -> Iterator[Link]:
    reader = Reader(inbox.url.rstrip("/"), headers={"api_access_token": token}, timeout=settings.timeout, retries=1)
    base = f"/api/v1/accounts/{inbox.account}/inboxes/{inbox.inbox}"
    try:
        version = str(reader.get("/api").get("version", ""))
        found, bot = reader.get(base), reader.get(f"{base}/agent_bot").get("agent_bot")
    except ProviderError as error:
        fix = (
            "Check url, account, inbox and token of handoff.desk.chatwoot, that the token's user is an agent of the "
            "inbox, and that a proxy lets headers with underscores pass (nginx: underscores_in_headers on)."
        )
        yield Link("desk", False, str(error), fix)
        return
    yield _version(inbox, version)
    yield _inbox(client, inbox, found, settings, has_bot=bool(bot))


def _version(inbox: ChatwootInbox, version: str) -> Link:
    numbers = _VERSION.match(version)
    least = ".".join(map(str, LEAST_VERSION))
    if numbers is None or (int(numbers[1]), int(numbers[2])) < LEAST_VERSION:
        fix = f"Upgrade Chatwoot to {least} or later: before, it does not sign an inbox's webhooks."
        return Link("desk", False, f"{inbox.url} is Chatwoot {version or 'of no version'}", fix)
    return Link("desk", True, f"{inbox.url} is Chatwoot {version} and accepts the token")


def _inbox(
    client: Client, inbox: ChatwootInbox, found: Mapping[str, Any], settings: Settings, *, has_bot: bool
) -> Link:
    name = "desk inbox"
    if found.get("channel_type") != API:
        fix = "Make an inbox of the type API for this client, and write its number into the manifest."
        return Link(name, False, f"inbox {inbox.inbox} is not of the type API", fix)
    for key, (says, fix) in _UNWANTED.items():
        if found.get(key) and (key != "working_hours_enabled" or found.get("out_of_office_message")):
            return Link(name, False, f"{says}: {_SENT_AND_PAID}", fix)
    wanted = desk_webhook(client, settings)
    if found.get("webhook_url") != wanted:
        fix = f"Set the inbox's webhook URL to {wanted}."
        return Link(name, False, f"it calls {found.get('webhook_url') or 'no address'}", fix)
    if not has_bot:
        fix = "Connect an agent bot without a webhook URL to the inbox (Bot configuration)."
        return Link(name, False, "no bot is connected to it, so an open conversation does not mean a person's", fix)
    if not found.get("lock_to_single_conversation"):
        fix = "Set “Lock to single conversation” in the inbox's settings."
        return Link(name, False, "it makes a new conversation each time, so that a person's past is in several", fix)
    return Link(name, True, f"inbox {inbox.inbox} ({found.get('name')}) calls {wanted}")


def _webhook(client: Client, inbox: ChatwootInbox, settings: Settings) -> Link:
    name = "desk webhook"
    secret = settings.secret(inbox.webhook_secret.env)
    if secret is None:
        return Link(name, None, f"{inbox.webhook_secret.env} is not set here, so no signed call can be made")
    body, stamp = json.dumps({"event": "doctor"}).encode(), str(int(time.time()))
    digest = hmac.digest(secret.encode(), stamp.encode() + b"." + body, "sha256").hex()
    headers = {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}"}
    answer = probe("POST", desk_webhook(client, settings), headers=headers, body=body)
    if answer.status is None:
        return Link(name, None, "the runtime does not answer")
    if answer.status == 200:
        return Link(name, True, "the runtime accepts this secret's signature")
    fix = (
        f"Give the runtime {inbox.webhook_secret.env} with the inbox's secret (Settings, Inboxes, Configuration), "
        "apply the manifest, and compare the clocks: each refused webhook marks a message as failed at the desk."
    )
    return Link(name, False, f"the runtime refuses a signed call: {answer.said}", fix)


def desk_webhook(client: Client, settings: Settings) -> str:
    """Where a client's desk calls us."""
    return f"{settings.public_url}/webhook/desk/{client.id}"
