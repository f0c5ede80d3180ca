"""The kind `sender`: what Twilio holds for the number. Attached last, since this switches traffic on.

A sender is found by its number, never created here (registering one needs a code that Meta sends to its owner). What is
not declared is kept: writes send the live webhook and profile back with the declared fields changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.diff import field_changes
from reconciler.model import AccountKey, Change, FieldChange, Values
from reconciler.observation.accounts import account_of_bot
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.readers.twilio import ONLINE, LiveSender
from reconciler.settings import Settings
from schemas.overrides import with_overrides, without_overrides

WEBHOOK_PATH = "/webhook/whatsapp"
STATUS_PATH = "/webhook/whatsapp/status"
DETACHED = {"callback_url": "", "fallback_url": "", "status_callback_url": ""}

_STATUS_ADVICE = {
    "CREATING": "wait until Twilio has created it",
    "PENDING_VERIFICATION": "complete its verification in Twilio's console (Messaging, Senders, WhatsApp senders)",
    "VERIFYING": "wait until Meta has verified it",
    "TWILIO_REVIEW": "wait for Twilio's review",
    "OFFLINE": "see the sender in Twilio's console (Messaging, Senders, WhatsApp senders)",
    "DRAFT": "finish its registration in Twilio's console (Messaging, Senders, WhatsApp senders)",
}


def plan(column: Column) -> list[Change]:
    """The changes of one client's sender. Raises `Withheld`."""
    number = column.manifest.client.number
    live = online(column)
    after = sender_values(column)
    changes = []
    seen = declared_part(live, after, _last_logo(column))
    if column.adoptions and column.applied("sender") is None and _lacks_only_later_urls(seen, after):
        column.adopt("sender", number, live.sid, seen, after, _whole(live))
    elif change := column.update("sender", number, live.sid, seen, after, _whole(live)):
        changes.append(change)
    changes += _detach_former(column, live.sid)
    return changes


def online(column: Column) -> LiveSender:
    """The sender of the declared number. Raises `Withheld` while it cannot take messages."""
    number = column.manifest.client.number
    live = _senders(column).by_number.get(number)
    if live is None:
        raise Withheld(
            f"{number} is not registered as a WhatsApp sender in {column.account.describe()}; register it in Twilio's "
            f"console (Messaging, Senders, WhatsApp senders) or with `reconcile verify {column.id}`, then run again"
        )
    if isinstance(live, Failed):
        raise Withheld(live.message)
    if live.status not in ONLINE:
        raise Withheld(_not_online(live))
    return live


def plan_absent(column: Column) -> list[Change]:
    """Detaches the sender of a client that shall be absent; deleted only where that is said."""
    applied = column.applied("sender")
    if applied is not None:
        return _detach(column, applied.live_id)
    # A run that was cut off may have attached it without coming to write that down.
    live = _senders(column).by_number.get(column.bot.twilio_phone_number) if column.bot is not None else None
    return _detach(column, live.sid) if isinstance(live, LiveSender) else []


def sender_values(column: Column) -> dict[str, Any]:
    """What the manifest and the settings declare of the sender."""
    profile = column.manifest.client.sender.profile
    declared = profile.model_dump(exclude_none=True)
    for several in ("emails", "websites"):
        if several in declared:
            declared[several] = sorted(declared[several])
    return {"webhook": webhook_values(column.settings), **({"profile": declared} if declared else {})}


def webhook_values(settings: Settings) -> dict[str, str]:
    """The webhook of every sender. Twilio calls the fallback with the same message when the first call failed.

    Each URL says how it is called. Without that an answer 503 of ours, which asks for another try, would get none, and
    a status callback has no fallback that could stand in.
    """
    fallback = settings.fallback_url or settings.public_url
    overrides = settings.connection_overrides
    return {
        "callback_url": with_overrides(f"{settings.public_url}{WEBHOOK_PATH}", overrides),
        "callback_method": "POST",
        "fallback_url": with_overrides(f"{fallback}{WEBHOOK_PATH}", overrides),
        "fallback_method": "POST",
        "status_callback_url": with_overrides(f"{settings.public_url}{STATUS_PATH}", overrides),
        "status_callback_method": "POST",
    }


def called_by(live: LiveSender) -> str:
    """Whom a live sender calls, however it does so; "" for nobody."""
    return without_overrides(str((live.webhook or {}).get("callback_url") or ""))


def our_webhook(settings: Settings) -> str:
    """Whom every sender of ours shall call, to be compared with `called_by`."""
    return f"{settings.public_url}{WEBHOOK_PATH}"


def normalised(live: LiveSender, declared: Values, last_logo: str | None = None) -> dict[str, Any]:
    """A live sender in the shape of the declared values: methods default to POST, labels and order do not count.

    WhatsApp serves a logo from an address of its own, so the logo counts as equal while the declared one is the one
    that was applied last.
    """
    webhook = {key: value for key, value in (live.webhook or {}).items() if value is not None}
    for method in ("callback_method", "fallback_method", "status_callback_method"):
        webhook.setdefault(method, "POST")
    profile = {key: value for key, value in (live.profile or {}).items() if value is not None}
    profile["emails"] = sorted(item["email"] for item in profile.get("emails") or ())
    profile["websites"] = sorted(item["website"] for item in profile.get("websites") or ())
    logo = declared.get("profile", {}).get("logo_url")
    if logo is not None and logo == last_logo and profile.get("logo_url"):
        profile["logo_url"] = logo
    return {"webhook": webhook, "profile": profile}


def declared_part(live: LiveSender, declared: Values, last_logo: str | None = None) -> dict[str, Any]:
    """What a live sender shows of the declared values; the rest of its webhook and profile is not ours."""
    shown = normalised(live, declared, last_logo)
    return {part: {key: shown[part].get(key) for key in values} for part, values in declared.items()}


def _lacks_only_later_urls(seen: Values, declared: Values) -> bool:
    """Whether a sender set up by hand calls us and lacks nothing but what a console's form leaves empty: the later
    URLs, and how each URL is called."""
    return all(_is_later(change) for change in field_changes(seen, declared))


def _is_later(change: FieldChange) -> bool:
    if change.path not in ("webhook.callback_url", "webhook.fallback_url", "webhook.status_callback_url"):
        return False
    if not change.old:
        return change.path != "webhook.callback_url"
    return without_overrides(change.old) == without_overrides(change.new)


def _senders(column: Column) -> AccountSenders:
    senders = column.live_state.senders[column.account]
    if isinstance(senders, Failed):
        raise Withheld(senders.message)
    return senders


def _detach_former(column: Column, sid: str) -> list[Change]:
    """After a client has moved to another number or account, its former sender must not route to us any longer."""
    applied = column.applied("sender")
    if applied is None or applied.live_id == sid:
        return []
    return _detach(column, applied.live_id)


def _detach(column: Column, sid: str) -> list[Change]:
    """Clears the webhook of a sender that was ours, unless somebody pointed it elsewhere meanwhile."""
    found = _former(column, sid)
    if found is None or _serves_another(found[1], column):
        return []
    account, live = found
    if column.delete_sender and column.declared is None and column.applied("sender") is not None:
        change = column.take_away("sender", live.number, live.sid, "delete", _whole(live))
    elif _is_ours(called_by(live), column):
        change = column.take_away("sender", live.number, live.sid, "detach", _whole(live))
    else:
        return []
    return [replace(change, account=account)]


def _former(column: Column, sid: str) -> tuple[AccountKey, LiveSender] | None:
    """A sender that was ours, in the declared account or in the one that the client's bot is still in."""
    for account in dict.fromkeys((column.account, account_of_bot(column.bot, column.settings))):
        senders = column.live_state.senders.get(account)
        if isinstance(senders, Failed):
            column.say(
                "warning",
                "sender",
                f"its former sender {sid} may still call us, and cannot be detached: {senders.message}",
            )
        elif senders is not None and sid in senders.by_sid:
            return account, senders.by_sid[sid]
    return None


def _serves_another(live: LiveSender, column: Column) -> bool:
    """Whether the sender's number routes to somebody else's bot by now, or is to: its webhook is theirs, and looks like
    ours."""
    holder = column.store.bots_by_number.get(live.number)
    if holder is not None and holder.client != column.id:
        return True
    return any(number == live.number and client != column.id for client, number in column.numbers.items())


def _is_ours(url: str, column: Column) -> bool:
    """Whether a callback URL is the one that we set: by the settings of today, or by the last apply."""
    applied = column.applied("sender")
    ours = {our_webhook(column.settings)} if column.settings.public_url else set()
    if applied is not None:
        ours.add(without_overrides(applied.values.get("webhook", {}).get("callback_url", "")))
    return bool(url) and url in ours


def _last_logo(column: Column) -> str | None:
    applied = column.applied("sender")
    profile: Mapping[str, Any] = applied.values.get("profile", {}) if applied else {}
    return profile.get("logo_url")


def _whole(live: LiveSender) -> dict[str, Any]:
    return {"webhook": dict(live.webhook or {}), "profile": dict(live.profile or {})}


def _not_online(live: LiveSender) -> str:
    advice = _STATUS_ADVICE.get(live.status.removeprefix("ONLINE:"), "see the sender in Twilio's console")
    reasons = f" ({'; '.join(live.offline_reasons)})" if live.offline_reasons else ""
    return f"the sender {live.number} is {live.status}{reasons}, not ONLINE; {advice}, then run again"
