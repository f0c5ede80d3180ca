"""Which sender is a client's, and live ones in the shape of the declared values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from reconciler.kinds.context import ClientContext
from reconciler.kinds.sender.desired import CONFIGURATION, VOICE_APPLICATION
from reconciler.kinds.sender.display_name import name_as_declared
from reconciler.kinds.sender.profile import as_declared
from reconciler.kinds.withheld import NotReady, Withheld
from reconciler.model import AccountKey, Orphan, Unmanaged, Values
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store
from reconciler.readers.twilio import ONLINE, LiveSender
from schemas.overrides import without_overrides

_STATUS_ADVICE: Final = {
    "CREATING": "wait until Twilio has created it",
    "PENDING_VERIFICATION": "complete its verification in Twilio's console (Messaging, Senders, WhatsApp senders)",
    "VERIFYING": "wait until Meta has verified it",
    "TWILIO_REVIEW": "wait for Twilio's review",
    "OFFLINE": "see the sender in Twilio's console (Messaging, Senders, WhatsApp senders)",
    "DRAFT": "finish its registration in Twilio's console (Messaging, Senders, WhatsApp senders)",
}


def online(context: ClientContext) -> LiveSender:
    """The sender of the declared number. Raises `NotReady` while it cannot receive messages."""
    number = context.manifest.client.number
    live = senders_of(context).by_number.get(number)
    if live is None and (other := account_with(number, context.live_state)) is not None:
        raise NotReady(
            f"{number} is a WhatsApp sender of {other.describe()}, and not of {context.account.describe()}; declare "
            "its account as sender.account, or correct the number"
        )
    if live is None:
        raise NotReady(
            f"{number} is not registered as a WhatsApp sender in {context.account.describe()}; register it in Twilio's "
            f"console (Messaging, Senders, WhatsApp senders) or with `reconcile verify {context.id}`, then run again"
        )
    if isinstance(live, Failed):
        raise Withheld(live.message)
    if live.status not in ONLINE:
        raise NotReady(_not_online(live))
    return live


def account_with(number: str, live_state: LiveState) -> AccountKey | None:
    """The account, of those that were read, in which a number is registered; None for one in none of them."""
    for account, senders in live_state.senders.items():
        if isinstance(senders, AccountSenders) and number in senders.by_number:
            return account
    return None


def senders_of(context: ClientContext) -> AccountSenders:
    """All senders of the client's account. Raises `Withheld` when they could not be read."""
    senders = context.live_state.senders[context.account]
    if isinstance(senders, Failed):
        raise Withheld(senders.message)
    return senders


def called_by(live: LiveSender) -> str:
    """The URL that a live sender calls, without connection overrides; "" for none."""
    return without_overrides(str((live.webhook or {}).get("callback_url") or ""))


def whole(live: LiveSender, declared: Values) -> dict[str, Any]:
    """The parts of a sender that a write sends back, and those that it sets."""
    calls = {CONFIGURATION: {VOICE_APPLICATION: live.voice_application}} if CONFIGURATION in declared else {}
    return {"webhook": dict(live.webhook or {}), "profile": dict(live.profile or {}), **calls}


def normalised(live: LiveSender, declared: Values, last: Values | None = None) -> dict[str, Any]:
    """A live sender in the shape of the declared values: methods default to POST, labels and order do not count, nor
    does what WhatsApp tidies in a profile.

    `last`: what was applied last. WhatsApp serves a logo from its own address, so the logo counts as equal while the
    declared one is the last applied one.
    """
    webhook = {key: value for key, value in (live.webhook or {}).items() if value is not None}
    for method in ("callback_method", "fallback_method", "status_callback_method"):
        webhook.setdefault(method, "POST")
    profile = {key: value for key, value in (live.profile or {}).items() if value is not None}
    profile["emails"] = sorted(item["email"] for item in profile.get("emails") or ())
    profile["websites"] = sorted(item["website"] for item in profile.get("websites") or ())
    wanted: Mapping[str, Any] = declared.get("profile", {})
    logo = wanted.get("logo_url")
    if logo is not None and logo == (last or {}).get("profile", {}).get("logo_url") and profile.get("logo_url"):
        profile["logo_url"] = logo
    if "name" in wanted:
        profile["name"] = name_as_declared(profile, wanted["name"], last)
    return {
        "webhook": webhook,
        "profile": as_declared(profile, wanted, last),
        CONFIGURATION: {VOICE_APPLICATION: live.voice_application},
    }


def declared_part(live: LiveSender, declared: Values, last: Values | None = None) -> dict[str, Any]:
    """The live values of the declared fields; the rest of webhook and profile is not managed."""
    shown = normalised(live, declared, last)
    return {part: {key: shown[part].get(key) for key in values} for part, values in declared.items()}


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterator[Orphan | Unmanaged]:
    """Senders that were applied for a removed client, and those of an undeclared number."""
    read = [senders.by_sid for senders in live_state.senders.values() if isinstance(senders, AccountSenders)]
    live = {sid: sender for by_sid in read for sid, sender in by_sid.items()}
    applied = {client: record.live_id for (client, kind), record in store.applied.items() if kind == "sender"}
    for client, sid in applied.items():
        if client not in clients:
            yield Orphan(client, "sender", live[sid].number if sid in live else sid, sid)
    bound = set(applied.values())
    for sid, sender in live.items():
        if sid not in bound and sender.number not in numbers:
            yield Unmanaged("sender", sender.number, sid)


def _not_online(live: LiveSender) -> str:
    advice = _STATUS_ADVICE.get(live.status.removeprefix("ONLINE:"), "see the sender in Twilio's console")
    reasons = f" ({'; '.join(live.offline_reasons)})" if live.offline_reasons else ""
    return f"the sender {live.number} is {live.status}{reasons}, not ONLINE; {advice}, then run again"
