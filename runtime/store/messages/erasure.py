"""Erases a user for good: messages and answers, under every address of theirs. Functions over a connection.

    forget ──► messages are deleted; addresses and the provider's thread lead to the rest elsewhere ──► erase_ids

What remains identifies no person: ids of messages, so that no sweep accepts them again, and when they came; the rows of
the ledger, which lead to nothing any more; that they are blocked or opted out, as keyed hashes (`person_marks`). After
`forget` a running turn can neither end nor store a thread, and no message can be sent that was not passed to Twilio
before; a user who writes again begins a new conversation. A user who is erased again is found by the remaining
addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from runtime.store import former_bots, timers
from runtime.store.audit import Actor, record_conversation
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement
from runtime.store.messages import (
    conversations,
    handoffs,
    operators,
    people,
    person_marks,
    receipts,
    reply_files,
    unfinished_erasures,
)
from runtime.store.messages.people import Clients, PersonConversation
from runtime.store.messages.person_marks import Mark
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.unfinished_erasures import ErasureToContinue
from runtime.store.timers import Timer
from runtime.store.usage import ledger


@dataclass(frozen=True, slots=True)
class DeskPlace:
    """Where a conversation was at its client's desk."""

    place: str
    number: int


@dataclass(frozen=True, slots=True)
class ErasedUser:
    """A conversation of which only the ids that lead to the rest elsewhere are left here."""

    id: int
    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was made by hand or deleted."""
    assistant_id: str | None
    """The bot's current assistant; None when the bot was deleted or has none."""
    thread_id: str | None
    """The session or thread at the model's provider."""
    messages: int
    """Number of the user's messages."""
    deleted: int
    """Number of rows about them that were deleted besides: answers, memory, turns, notes."""
    ledger_rows: int
    """Number of rows of the ledger that led to them; their amounts stay."""
    addresses: Sequence[str]
    """All addresses of the user, `whatsapp:+…`."""
    account_sids: Sequence[str]
    """Twilio accounts that the user's messages came from."""
    cut_off: Sequence[tuple[int, str]]
    """Turns that were running, with their engine's notes, as JSON."""
    desk: DeskPlace | None
    """None: it is not at a desk."""


@dataclass(frozen=True, slots=True)
class ErasedConversation:
    """What was found of a user."""

    conversations: Sequence[ErasedUser]
    notices: int
    """Number of messages to them outside of any conversation."""
    campaign_rows: int
    """Number of lists that they were on."""
    addresses: Sequence[str]
    """All of theirs, with the one that they were named by."""
    hashes: Sequence[str]
    """Keyed hashes of those."""
    marks: Sequence[Mark]
    """What still holds for them."""


LOCK = Statement("SELECT 1 FROM conversations WHERE id = :id FOR UPDATE")
ACCOUNTS = Statement("SELECT DISTINCT account_sid FROM inbox WHERE conversation_id = :id ORDER BY account_sid")
CUT_OFF = Statement("SELECT id, progress FROM turns WHERE conversation_id = :id AND progress IS NOT NULL ORDER BY id")
DESK = Statement("SELECT place, desk_id FROM desk_conversations WHERE conversation_id = :id AND desk_id IS NOT NULL")
KEPT = Statement(
    "SELECT blocked_at, blocked_by, opted_out_at, opted_in_at, coalesce(opted_out_of, 'marketing'),"
    " coalesce(opted_out_by, 'word') FROM conversations WHERE id = :id AND user_key <> ''"
)
EMPTY_MESSAGES = Statement(
    "UPDATE inbox SET sender = '', body = '', params = '{}', content = NULL, turn_id = NULL,"
    " state = CASE WHEN state = 'open' THEN 'dropped' ELSE state END WHERE conversation_id = :id AND sender <> ''"
)
DELETIONS = (
    Statement("DELETE FROM items WHERE conversation_id = :id"),
    Statement("DELETE FROM turns WHERE conversation_id = :id"),
    Statement("DELETE FROM outbox WHERE conversation_id = :id"),
    Statement("DELETE FROM conversation_notes WHERE conversation_id = :id"),
    Statement("DELETE FROM consents WHERE conversation_id = :id"),
    Statement("DELETE FROM desk_messages WHERE conversation_id = :id"),
)
DELETE_DESK = Statement("DELETE FROM desk_conversations WHERE conversation_id = :id")
DROP_MESSAGES = Statement("DELETE FROM inbox WHERE conversation_id = :id")
DROP_CONVERSATION = Statement("DELETE FROM conversations WHERE id = :id")
DELETE_CAMPAIGN_ROWS = Statement("DELETE FROM campaign_rows WHERE recipient = :address")
DELETE_CAMPAIGN_ROWS_OF = Statement(
    "DELETE FROM campaign_rows WHERE recipient = :address AND campaign_id IN"
    " (SELECT id FROM campaigns WHERE bot_id = :bot_id)"
)
DELETE_NOTICES = Statement("DELETE FROM outbox WHERE conversation_id IS NULL AND recipient = :address")
DELETE_NOTICES_OF = Statement(
    "DELETE FROM outbox WHERE conversation_id IS NULL AND recipient = :address AND bot_id = :bot_id"
)


def forget(connection: Connection, address: str, actor: Actor, clients: Clients = None) -> ErasedConversation:
    """Erases the user with an address (`whatsapp:+…`), with all bots or those of some clients, and records who did it;
    returns what was found.

    The ids that lead to the rest elsewhere stay until `erase_ids`.
    """
    with overwriting(connection):
        _lock(connection, [one.id for one in people.find_person(connection, address, clients).conversations])
        person = people.find_person(connection, address, clients)  # what a turn has left that was waited for, too
        hashes = person_marks.hashes_of(connection, person.addresses)
        for one in person.conversations:
            _keep_marks(connection, one, hashes)
        emptied = [_forgotten(connection, one, actor=actor) for one in person.conversations]
        known = sorted({*person.addresses, *(known for one in emptied for known in one.addresses)})
        rows, notices = _deleted_elsewhere(connection, known, clients)
        marks = person_marks.marks_of(connection, hashes)
    return ErasedConversation(emptied, notices, rows, known, hashes, marks)


def forget_conversations(connection: Connection, conversation_ids: Sequence[int]) -> list[ErasedUser]:
    """Erases conversations of any person, as `forget` does; also those that were before."""
    _lock(connection, conversation_ids)
    found = [people.conversation_of(connection, one) for one in conversation_ids]
    return [_forgotten(connection, one) for one in found if one is not None]


def left_of(connection: Connection, conversation_ids: Collection[int], addresses: Sequence[str]) -> ErasedConversation:
    """What still leads to the rest of erased conversations elsewhere. `addresses`: all that were known of their
    user."""
    found = people.erased_conversations(connection, conversation_ids)
    left = [_left(connection, one, conversations.set_aside(connection, one.id)) for one in found]
    hashes = person_marks.hashes_of(connection, addresses)
    return ErasedConversation(left, 0, 0, addresses, hashes, person_marks.marks_of(connection, hashes))


def erase_ids(connection: Connection, conversation_ids: Sequence[int]) -> None:
    """Deletes the rest of erased conversations: addresses, the provider's thread, and what was written since."""
    with overwriting(connection):
        _lock(connection, conversation_ids)
        for id_ in conversation_ids:
            _empty(connection, id_)
            DELETE_DESK.run(connection, id=id_)
            conversations.detach(connection, id_)


def drop_conversations(connection: Connection, conversation_ids: Collection[int]) -> None:
    """Deletes all rows of erased conversations, whose bot answers nothing any more."""
    erase_ids(connection, sorted(conversation_ids))
    with overwriting(connection):
        for id_ in conversation_ids:
            DROP_MESSAGES.run(connection, id=id_)
            DROP_CONVERSATION.run(connection, id=id_)


def finish(
    connection: Connection,
    address: str,
    erased: ErasedConversation,
    left: Collection[int],
    actor: Actor,
    client: str | None,
    facts: Mapping[str, Any],
    *,
    is_at_twilio: bool,
) -> PersonReceipt:
    """Deletes the rest of the conversations of which nothing is left elsewhere, and issues the receipt. What is left
    of the others is deleted by a timer. `left`: their ids."""
    erase_ids(connection, [one.id for one in erased.conversations if one.id not in left])
    hashes = erased.hashes
    receipt = receipts.issue(connection, action="erased", by=actor.name, client=client, people=hashes, facts=facts)
    if facts["left"]:
        clients = {one.client for one in erased.conversations if one.id in left} | ({client} if client else set())
        waiting = ErasureToContinue(
            addresses=erased.addresses,
            conversations=sorted(left),
            client=client,
            clients=sorted(clients),
            since=receipt.at,
            by=actor.name,
            is_at_twilio=is_at_twilio,
            receipt=receipt.number,
            left=facts["left"],
        )
        unfinished_erasures.put(connection, address, waiting)
    else:
        unfinished_erasures.cancel(connection, hashes, client)
    return receipt


def finish_later(
    connection: Connection,
    timer: Timer,
    continued: ErasureToContinue,
    conversation_ids: Sequence[int],
    facts: Mapping[str, Any] | None,
) -> PersonReceipt | None:
    """Deletes the rest of the conversations of which nothing is left elsewhere any more. `facts`: what the receipt
    says, which ends the timer; None where something is still left. Raises TimerTakenOver."""
    (drop_conversations if continued.is_of_client else erase_ids)(connection, conversation_ids)
    if facts is None:
        return None
    timers.finish(connection, timer)
    if continued.is_of_client and continued.client is not None:
        for bot in former_bots.former_bots(connection, continued.client):
            former_bots.drop(connection, bot.id)
    hashes = [] if continued.is_of_client else person_marks.hashes_of(connection, continued.addresses)
    action = "client_erased" if continued.is_of_client else "erased"
    return receipts.issue(
        connection, action=action, by=continued.by, client=continued.client, people=hashes, facts=facts
    )


def _lock(connection: Connection, conversation_ids: Sequence[int]) -> None:
    """Has all that changes in these conversations wait until the transaction ends. As the end of a turn does, it comes
    before any change to what they consist of: otherwise both would wait for each other."""
    if connection.dialect.name == "postgresql":
        for id_ in sorted(conversation_ids):
            LOCK.rows(connection, id=id_)


def _keep_marks(connection: Connection, conversation: PersonConversation, hashes: Collection[str]) -> None:
    """Keeps that a user is blocked or opted out, beyond what is known of them."""
    kept = KEPT.first(connection, id=conversation.id)
    if kept is None:
        return
    blocked_at, blocked_by, opted_out_at, opted_in_at, opted_out_of, opted_out_by = kept
    client = conversation.client
    if blocked_at is not None:
        person_marks.put(connection, hashes, Mark("blocked", client, blocked_at, blocked_by or "", None))
    if opted_out_at is not None and opted_in_at is None:
        person_marks.put(connection, hashes, Mark("opted_out", client, opted_out_at, opted_out_by, opted_out_of))
    else:
        person_marks.remove(connection, hashes, "opted_out", client)


def _forgotten(connection: Connection, found: PersonConversation, *, actor: Actor | None = None) -> ErasedUser:
    """`actor`: who is recorded to have done it; None where that is recorded as a whole."""
    id_ = found.id
    before = _left(connection, found, conversations.set_aside(connection, id_))
    ledger_rows = ledger.cut_off_conversation(connection, found.client, id_)
    messages, deleted = _empty(connection, id_)
    for kind in (handoffs.SUMMARY, handoffs.NOTICE, handoffs.ESCALATION, handoffs.RESUME, operators.WAKE):
        timers.cancel(connection, kind, str(id_))
    if actor is not None:
        record_conversation(connection, actor, "forgotten", id_)
    return replace(before, messages=messages, deleted=deleted, ledger_rows=ledger_rows)


def _left(connection: Connection, found: PersonConversation, addresses: Sequence[str]) -> ErasedUser:
    """What leads to the rest of a conversation elsewhere."""
    accounts = [sid for (sid,) in ACCOUNTS.rows(connection, id=found.id)]
    cut_off = [(turn_id, progress) for turn_id, progress in CUT_OFF.rows(connection, id=found.id)]
    desk = DESK.first(connection, id=found.id)
    return ErasedUser(
        found.id,
        found.bot_id,
        found.client,
        found.assistant_id,
        found.thread_id,
        0,
        0,
        0,
        addresses,
        accounts,
        cut_off,
        None if desk is None else DeskPlace(*desk),
    )


def _empty(connection: Connection, id_: int) -> tuple[int, int]:
    """Deletes the messages of a conversation; returns how many the user had written, and how many other rows went."""
    deleted = sum(deletion.run(connection, id=id_) for deletion in DELETIONS)
    reply_files.forget(connection, id_)
    conversations.wipe(connection, id_)
    return EMPTY_MESSAGES.run(connection, id=id_), deleted


def _deleted_elsewhere(connection: Connection, addresses: Sequence[str], clients: Clients) -> tuple[int, int]:
    """Deletes what was sent to a person outside of their conversations: rows of lists, and notices; returns how many
    of each."""
    if clients is None:
        rows = sum(DELETE_CAMPAIGN_ROWS.run(connection, address=one) for one in addresses)
        return rows, sum(DELETE_NOTICES.run(connection, address=one) for one in addresses)
    pairs = [(one, bot_id) for one in addresses for bot_id in people.bots_of(connection, clients)]
    rows = sum(DELETE_CAMPAIGN_ROWS_OF.run(connection, address=one, bot_id=bot_id) for one, bot_id in pairs)
    return rows, sum(DELETE_NOTICES_OF.run(connection, address=one, bot_id=bot_id) for one, bot_id in pairs)
