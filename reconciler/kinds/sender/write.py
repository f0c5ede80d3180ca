"""How a change of a client's sender is written to Twilio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.model import SHOWN, AccountKey, Change, KindName, Values
from runtime.store.records import AppliedRecord


class SendersPort(Protocol):
    """The methods needed of the writer of one Twilio account."""

    def update_sender(self, sid: str, planned_on: Values, declared: Values) -> Values:
        """Sets the declared fields and keeps the others. Returns what Twilio shows of those that it changed."""

    def detach_sender(self, sid: str, planned_on: Values) -> None:
        """Clears the webhook."""

    def delete_sender(self, sid: str) -> None:
        """Deletes the sender."""


class SendersPorts(Protocol):
    """An object with those writers."""

    def senders(self, account: AccountKey | None) -> SendersPort:
        """The one for an account."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: SendersPorts) -> tuple[str, Values]:
    """Update, or adopt; an adopted sender that lacks nothing is not written. Returns the sid, and what was applied."""
    sid = str(change.live_id)
    if change.action != "adopt" or change.fields:
        shown = ports.senders(change.account).update_sender(sid, change.before or {}, change.after)
        return sid, {**change.after, SHOWN: shown} if shown else change.after
    return sid, change.after


def remove(change: Change, ports: SendersPorts) -> None:
    """Delete or detach."""
    sid = str(change.live_id)
    if change.action == "delete":
        ports.senders(change.account).delete_sender(sid)
    else:
        ports.senders(change.account).detach_sender(sid, change.before or {})
