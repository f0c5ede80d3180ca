"""The name that WhatsApp shows, which Meta reviews: a declared one that waits for its review counts as in sync.

    declared ──► submitted ──► PENDING_REVIEW ──► APPROVED, COMPLETED        shown
                                    └───────────► DECLINED, EXPIRED, …       reported; never submitted again

Twilio: Senders API v2. `profile.name` is the name that is shown; a submitted one is `pending_display_name` with its
status until 14 days after the review. Meta takes few changes in 30 days, so a name is submitted once: one that was not
taken needs another name in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.kinds.sender.profile import tidied
from reconciler.model import Finding, Values

PENDING: Final = "pending_display_name"
STATUS: Final = "pending_display_name_status"
SINCE: Final = "pending_display_name_status_date"
UNDER_WAY: Final = frozenset({"PENDING_REVIEW", "APPROVED", "COMPLETED"})
REFUSED: Final = {
    "DECLINED": "Meta declined it",
    "EXPIRED": "its review expired",
    "PIN_MISMATCH": "the number's two-step PIN does not match: switch two-step verification off in WhatsApp Manager",
    "REGISTRATION_FAILED": "the number could not be registered again under it",
}
NOT_SUBMITTED: Final = "error"
"""`display_name_status` in the answer to an update whose name was not submitted, which is 202 all the same."""


def name_as_declared(profile: Mapping[str, Any], declared: str, last: Values | None) -> Any:
    """The live name, for the comparison: the declared one where that is shown or was submitted, whatever came of it."""
    applied = (last or {}).get("profile", {}).get("name")
    known = (profile.get("name"), profile.get(PENDING), applied)
    return declared if any(tidied(name) == tidied(declared) for name in known if name) else profile.get("name")


def name_findings(client: str, profile: Mapping[str, Any], declared: str, last: Values | None) -> Iterator[Finding]:
    """What is to be known about a declared name that is not shown, once it was submitted."""
    shown, pending, status = profile.get("name"), profile.get(PENDING), str(profile.get(STATUS) or "")
    applied = (last or {}).get("profile", {}).get("name")
    if tidied(shown) == tidied(declared):
        return
    if pending and tidied(pending) == tidied(declared):
        if status in REFUSED:
            yield _warning(client, f"{REFUSED[status]}: WhatsApp still shows {shown!r} and not {declared!r}")
        else:
            since = f" since {profile[SINCE]}" if profile.get(SINCE) else ""
            state = "approved, and shown soon" if status in ("APPROVED", "COMPLETED") else f"under review{since}"
            message = f"the display name {declared!r} is {state}; WhatsApp shows {shown!r} until then"
            yield Finding("notice", message, client, "sender")
    elif applied is not None and tidied(applied) == tidied(declared):
        yield _warning(client, f"WhatsApp shows {shown!r} although {declared!r} was submitted")


def _warning(client: str, message: str) -> Finding:
    hint = (
        "it is not submitted again, since Meta takes few changes in 30 days: declare another sender.profile.name, or "
        "change it in Twilio's console"
    )
    return Finding("warning", f"{message}; {hint}", client, "sender")
