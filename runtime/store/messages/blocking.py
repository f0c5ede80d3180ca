"""Blocks a person: nothing of them is processed, until they are unblocked. Functions over a connection.

    block ──► their conversations are blocked, what was not sent is withheld, turns under way are interrupted
          └─► a mark for each address: their next conversation begins blocked, also after an erasure

A turn that runs meanwhile can note nothing more, and so begins no further call; nor can it end. Its messages are taken
by a turn that the policy ends. On PostgreSQL a turn may begin while its person is blocked, without knowing it:
`interrupt` after the commit ends that one too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.messages import handoffs, operators, outbox, people, person_marks, receipts
from runtime.store.messages.people import KnownPerson
from runtime.store.messages.person_marks import ALL_CLIENTS, Mark
from runtime.store.messages.receipts import PersonReceipt

KIND: Final = "person"
"""Of the audit's rows."""
BLOCK = Statement(
    "UPDATE conversations SET blocked_at = :now, blocked_by = :by, waiting_since = NULL"
    " WHERE id = :id AND blocked_at IS NULL"
)
UNBLOCK = Statement(
    "UPDATE conversations SET blocked_at = NULL, blocked_by = NULL WHERE id = :id AND blocked_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class BlockingDone:
    """A person was blocked or unblocked."""

    conversations: int
    """Number of conversations that were not so before."""
    conversation_ids: Sequence[int]
    """All of theirs that it concerns."""
    receipt: PersonReceipt


class NotBlocked(StoreError):
    """There is nothing to unblock."""

    def __init__(self) -> None:
        super().__init__("This person is not blocked; nothing was changed.")


class BlockedForAll(StoreError):
    """A person is not unblocked for one client while the block holds for all of them."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"This person is blocked for all clients, not for {client} alone; nothing was changed. Unblock them "
            "without a client, and block them again for those where it is to last."
        )


def block(connection: Connection, address: str, client: str | None, by: Actor) -> BlockingDone:
    """Blocks the person with an address (`whatsapp:+…`) for one client or all, from this commit on. It holds for a
    client to whom they have not written, too."""
    person = people.find_person(connection, address, None if client is None else [client])
    now = timestamp()
    blocked = [one.id for one in person.conversations if BLOCK.run(connection, id=one.id, now=now, by=by.name)]
    interrupt(connection, [one.id for one in person.conversations])
    hashes = person_marks.hashes_of(connection, person.addresses)
    person_marks.put(connection, hashes, Mark("blocked", client or ALL_CLIENTS, now, by.name, None))
    facts = {
        "done": [{"where": "store", "what": "conversations blocked", "count": len(blocked)}],
        "remains": ["What was stored before, and what they write from now on, unread by any processor."],
    }
    return _done(connection, "blocked", client, by, hashes, person, len(blocked), facts)


def interrupt(connection: Connection, conversation_ids: Sequence[int]) -> None:
    """Interrupts the turns of blocked conversations and withholds what they have not sent."""
    for conversation_id in conversation_ids:
        operators.INTERRUPT.run(connection, id=conversation_id)
        outbox.withhold_all(connection, conversation_id)
        for kind in (handoffs.ESCALATION, handoffs.SUMMARY, handoffs.NOTICE):
            timers.cancel(connection, kind, str(conversation_id))
        operators.wake(connection, conversation_id)


def unblock(connection: Connection, address: str, client: str | None, by: Actor) -> BlockingDone:
    """Ends a block. What was written meanwhile stays unanswered. Raises BlockedForAll, and NotBlocked."""
    person = people.find_person(connection, address, None if client is None else [client])
    hashes = person_marks.hashes_of(connection, person.addresses)
    marks = person_marks.marks_of(connection, hashes)
    if client is not None and any(mark.kind == "blocked" and mark.client == ALL_CLIENTS for mark in marks):
        raise BlockedForAll(client)
    removed = person_marks.remove(connection, hashes, "blocked", client)
    unblocked = sum(UNBLOCK.run(connection, id=one.id) for one in person.conversations)
    if not removed and not unblocked:
        raise NotBlocked
    facts = {"done": [{"where": "store", "what": "conversations unblocked", "count": unblocked}], "remains": []}
    return _done(connection, "unblocked", client, by, hashes, person, unblocked, facts)


def _done(
    connection: Connection,
    action: str,
    client: str | None,
    by: Actor,
    hashes: Sequence[str],
    person: KnownPerson,
    count: int,
    facts: Mapping[str, Any],
) -> BlockingDone:
    """Records what was done, with its receipt."""
    ids = [one.id for one in person.conversations]
    record(connection, by, Entry(action, KIND, client or "", client, ids))
    receipt = receipts.issue(connection, action=action, by=by.name, client=client, people=hashes, facts=facts)
    return BlockingDone(count, ids, receipt)
