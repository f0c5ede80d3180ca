"""Erasures of which something is left elsewhere: they are continued by a timer until nothing is. Functions over a
connection.

    erase ──► something is left elsewhere ──► a timer ──► tried again ──► nothing is left: the receipt
                                                ▲             │
                                                └── left ─────┘  later each time, up to LONGEST_SECONDS

Only what was there when the person was erased is continued: a conversation that they began since is theirs. Their
addresses stand in the timer until then, since nothing leads to the rest without them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.statement import Statement
from runtime.store.database.times import later
from runtime.store.messages import person_marks
from runtime.store.timers import Timer

KIND: Final = "erasure"
"""Timers; a key is the client, a blank, and the keyed hash of the address by which the person was erased."""
FIRST_SECONDS: Final = 60.0
"""Twilio deletes a message a minute after it has left at the soonest."""
LONGEST_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class UnfinishedErasure:
    """An erasure that is continued."""

    client: str | None
    """None: with all clients."""
    since: str
    """When the person was erased here."""
    by: str
    """Who erased them."""
    attempts: int
    """How often it was tried, the first time included."""
    next_at: str
    """When it is tried again."""
    receipt: int
    """The number of the receipt that named what was left."""
    left: Sequence[Mapping[str, str]]
    """`where` and `why`, without an address."""


@dataclass(frozen=True, slots=True)
class ErasureToContinue:
    """What a timer of an erasure says."""

    addresses: Sequence[str]
    """All of the person's."""
    conversations: Sequence[int]
    """Those of which something is left elsewhere."""
    client: str | None
    clients: Sequence[str]
    """Whose conversations these are; `runtime.store.client.history` counts by them."""
    since: str
    by: str
    is_at_twilio: bool
    receipt: int
    left: Sequence[Mapping[str, str]]
    done: Sequence[Mapping[str, Any]] = ()
    """What was deleted since that receipt."""
    attempts: int = 1
    is_of_client: bool = False
    """Whether it is a client's that ended, and not a person's; the addresses are those of its bots."""

    def again(
        self, conversations: Sequence[int], left: Sequence[Mapping[str, str]], done: Sequence[Mapping[str, Any]]
    ) -> ErasureToContinue:
        """As it is after another attempt that left something."""
        more = summed(self.done, done)
        return replace(self, conversations=conversations, left=left, done=more, attempts=self.attempts + 1)


WAITING: Final = Statement("SELECT key, due_at, payload FROM timers WHERE kind = :kind ORDER BY put_at, key")


def pause_after(attempts: int) -> float:
    """Seconds until the next attempt."""
    return min(FIRST_SECONDS * 2.0 ** min(attempts - 1, 64), LONGEST_SECONDS)


def summed(*lists: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was done in several attempts, as a receipt has it."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in (item for done in lists for item in done):
        counts[one["where"], one["what"]] += one["count"]
    return [{"where": where, "what": what, "count": count} for (where, what), count in counts.items()]


def put(connection: Connection, address: str, erasure: ErasureToContinue) -> None:
    """Has an erasure of the person with an address continued; of one that waits already only what is left now
    counts."""
    due_at = datetime.fromisoformat(later(timers.store_time(connection), pause_after(erasure.attempts)))
    [alias] = person_marks.hashes_of(connection, [address])
    timers.put(connection, KIND, f"{erasure.client or ''} {alias}", due_at, asdict(erasure))


def cancel(connection: Connection, hashes: Collection[str], client: str | None) -> None:
    """Nothing is left of a person with a client, or with all of them: nothing is to be continued."""
    for key, _, _ in WAITING.rows(connection, kind=KIND):
        of_client, _, alias = key.rpartition(" ")
        if alias in hashes and client in (None, of_client):
            timers.cancel(connection, KIND, key)


def erasure_of(timer: Timer) -> ErasureToContinue:
    """The erasure that a timer continues."""
    return ErasureToContinue(**timer.payload)


def list_unfinished(
    connection: Connection, clients: Collection[str] | None = None, hashes: Collection[str] | None = None
) -> list[UnfinishedErasure]:
    """Erasures that are not complete, oldest first: of these clients, of a person with these hashes, or all."""
    found = []
    for key, due_at, payload in WAITING.rows(connection, kind=KIND):
        timer = ErasureToContinue(**json.loads(payload))
        is_theirs = hashes is None or key.rpartition(" ")[2] in hashes
        if is_theirs and (clients is None or timer.client is None or timer.client in clients):
            one = (timer.client, timer.since, timer.by, timer.attempts, due_at, timer.receipt, timer.left)
            found.append(UnfinishedErasure(*one))
    return found
