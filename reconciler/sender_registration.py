"""A number on its way to being a WhatsApp sender: where it stands, and how often it was tried.

Meta allows ten attempts per number in 72 hours, registering it and every code sent in counting alike. The attempts are
kept in the bot store, by number, so that nobody's eleventh locks it. Nothing here deletes a sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler.errors import Refused
from runtime.store.client.writer import StoreWriter
from runtime.store.records import AppliedRecord, Snapshot

MOST_ATTEMPTS: Final = 10
WINDOW: Final = timedelta(hours=72)
KIND: Final = "verification"
"""Under this kind, and the number in place of a client, the store keeps the attempts."""

ON_ITS_WAY: Final = ("CREATING", "VERIFYING")
"""Statuses that pass by themselves within a minute."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """When a number was tried, oldest first; only what still counts."""

    number: str
    at: Sequence[datetime] = ()

    def check(self) -> None:
        """Raise `Refused`, with the moment from which on it may be tried again, when none is left."""
        if len(self.at) >= MOST_ATTEMPTS:
            again = self.at[-MOST_ATTEMPTS] + WINDOW
            raise Refused(
                f"{self.number} was tried {len(self.at)} times within 72 hours, and Meta allows {MOST_ATTEMPTS}. The "
                f"next attempt is possible from {again:%Y-%m-%d %H:%M} UTC on; nothing was sent."
            )

    def count(self, store: StoreWriter, now: datetime) -> Attempts:
        """Put one more on record, before it is made: a call whose answer is lost counts at Meta all the same."""
        self.check()
        more = Attempts(self.number, (*self.at, now))
        values = {"attempts": [moment.isoformat(timespec="seconds") for moment in more.at]}
        store.record_applied(AppliedRecord(self.number, KIND, self.number, values))
        return more


def attempts_of(number: str, snapshot: Snapshot, now: datetime) -> Attempts:
    """The attempts that still count, as the store remembers them."""
    for record in snapshot.applied:
        if record.client == number and record.kind == KIND:
            made = (datetime.fromisoformat(text) for text in record.values["attempts"])
            return Attempts(number, tuple(sorted(moment for moment in made if now - moment < WINDOW)))
    return Attempts(number)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(tz=UTC)
