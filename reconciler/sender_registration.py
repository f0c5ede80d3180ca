"""The registration of a number as a WhatsApp sender: its status, and its attempts.

Meta allows ten attempts per number in 72 hours, registering it and every code sent in counting alike. The attempts are
recorded in the bot store, by number, so that an eleventh does not lock it. Nothing here deletes a sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler.errors import ReconcileError, Refused
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import damage
from runtime.store.records import ATTEMPTS_OF_SENDER, AppliedRecord, DamagedRecord, Snapshot

MOST_ATTEMPTS: Final = 10
WINDOW: Final = timedelta(hours=72)
KIND: Final = ATTEMPTS_OF_SENDER

ON_ITS_WAY: Final = ("CREATING", "VERIFYING")
"""Transient statuses, which change within a minute."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts at a number, oldest first; only those that still count."""

    number: str
    at: Sequence[datetime] = ()

    def check(self) -> None:
        """Raise `Refused`, with the time of the next possible attempt, when none is left."""
        if len(self.at) >= MOST_ATTEMPTS:
            again = self.at[-MOST_ATTEMPTS] + WINDOW
            raise Refused(
                f"{self.number} was tried {len(self.at)} times within 72 hours, and Meta allows {MOST_ATTEMPTS}. The "
                f"next attempt is possible from {again:%Y-%m-%d %H:%M} UTC; nothing was sent."
            )

    def count(self, store: StoreWriter, now: datetime) -> Attempts:
        """Record one more before it is made: a call whose answer is lost counts at Meta, too."""
        self.check()
        more = Attempts(self.number, (*self.at, now))
        values = {"attempts": [moment.isoformat(timespec="seconds") for moment in more.at]}
        store.record_applied(AppliedRecord(self.number, KIND, self.number, values))
        return more


def attempts_of(number: str, snapshot: Snapshot, now: datetime) -> Attempts:
    """The attempts that still count, as the store recorded them. Raises `ReconcileError` when their record is damaged:
    an attempt too many locks the number."""
    for damaged in snapshot.damaged:
        if damaged.key == {"client": number, "kind": KIND}:
            raise _unknown(damaged)
    for record in snapshot.applied:
        if record.client == number and record.kind == KIND:
            try:
                made = [datetime.fromisoformat(text) for text in record.values["attempts"]]
                return Attempts(number, tuple(sorted(moment for moment in made if now - moment < WINDOW)))
            except (KeyError, TypeError, ValueError) as error:
                key = {"client": number, "kind": KIND}
                raise _unknown(DamagedRecord("applied", key, "`values` holds no times", number)) from error
    return Attempts(number)


def _unknown(record: DamagedRecord) -> ReconcileError:
    hours = WINDOW.total_seconds() / 3600
    return ReconcileError(
        f"The attempts at {record.client} that count are not known, so nothing was sent: {damage(record)}. Restore "
        f"that row from a backup, or delete it once {hours:.0f} hours have passed without an attempt."
    )


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(tz=UTC)
