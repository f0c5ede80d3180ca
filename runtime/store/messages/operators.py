"""People in a conversation: they take it, write in it, give it back and close it. Functions over a connection.

    assistant ──take, reply──► human ──release──► assistant    what its user wrote meanwhile is answered, in one turn
        ▲                        │ └───timer────────► ▲        where WhatsApp still delivers an answer
        └── its user writes ── closed ◄──close────────┘

One operator has a conversation at a time. What the assistant has not sent when one takes it is withheld in the same
commit, and a turn under way ends without an answer: none of its messages is claimed after that commit. What a person
writes is a row of the outbox in a turn of its own (`operator`), so it goes out in the order of the conversation, and an
item of its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, record_conversation
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import ConversationTaken, NoConversation, PersonBlocked, WindowClosed
from runtime.store.messages import answered_later, conversations, handoffs, outbox
from runtime.store.messages.handoffs import Cause, Held
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_to_outbox
from runtime.store.messages.turns import remember
from runtime.store.timers import Timer

WAKE = "conversation_wake"
"""Timers, whose keys are ids of conversations: something waits there for the process that serves it."""


class Correspondent(NamedTuple):
    """Whom a reply goes to."""

    bot_id: str
    address: str
    """Their number where it is known, else that from which they last wrote."""


NOT_ALL_SENT: Final = (
    '{"role":"developer","content":"A person of the team took over here; part of your last answer was not sent."}',
    28,
)
"""What the assistant remembers where an answer was withheld: an item, with its estimated size in tokens."""
INTERRUPT = Statement(
    "UPDATE turns SET starts = starts - 1, started_at = '' WHERE conversation_id = :id AND state = 'running'"
    " AND started_at <> ''"
)
"""As `turns.release`: the process that runs it notes nothing more, and ends nothing."""
ADD_TURN = Insert(
    "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at, finished_at)"
    " VALUES (:conversation_id, :bot_id, 'operator', 0, :now, :now)"
)
WRITTEN = Statement("UPDATE conversations SET operator_at = :now, state_until = :until WHERE id = :id")
CHANGE_OPERATOR = Statement("UPDATE conversations SET operator = :operator, state_until = :until WHERE id = :id")
CORRESPONDENT = Statement(
    "SELECT inbox.bot_id, sender, phone FROM inbox JOIN conversations ON conversations.id = conversation_id"
    " WHERE conversation_id = :id AND sender <> '' ORDER BY inbox.id DESC LIMIT 1"
)
_SINCE_THEN = "(SELECT max(id) FROM turns WHERE conversation_id = :id AND state = 'operator')"
UNANSWERED = Statement(
    "SELECT id FROM turns WHERE conversation_id = :id AND state = 'unanswered' AND reason = 'human'"  # noqa: S608
    f" AND finished_at >= :since AND id > coalesce({_SINCE_THEN}, 0) UNION SELECT turn_id FROM outbox"
    " WHERE conversation_id = :id AND author IS NULL AND turn_id IN (SELECT id FROM turns WHERE conversation_id = :id"
    f" AND state = 'answered' AND id > coalesce({_SINCE_THEN}, 0)) GROUP BY turn_id"
    " HAVING min(CASE WHEN state = 'withheld' AND withheld_at >= :since THEN 1 ELSE 0 END) = 1 ORDER BY 1"
)
"""Turns that no person has answered since people have the conversation; also those whose whole answer was withheld."""
UNANSWERED_AFTER = Statement(
    "SELECT id FROM turns WHERE conversation_id = :id AND state = 'unanswered' AND reason = 'human'"
    " AND finished_at >= :since AND EXISTS (SELECT 1 FROM inbox WHERE inbox.conversation_id = :id"
    " AND inbox.turn_id = turns.id AND inbox.id > :after) ORDER BY id"
)
SEND_AFTER_ALL = Statement(
    "UPDATE outbox SET withheld_at = NULL, error = NULL WHERE conversation_id = :id AND state = 'sending'"  # noqa: S608
    f" AND withheld_at >= :since AND turn_id > coalesce({_SINCE_THEN}, 0)"
)
"""What was claimed when a person took the conversation, and is not known to have left or not: it is looked up."""
ADD_NOTE = Insert(
    "INSERT INTO conversation_notes (conversation_id, at, author, body) VALUES (:conversation_id, :now, :author, :body)"
)


def take(
    connection: Connection, conversation_id: int, by: Actor, resume_seconds: float | None, *, force: bool = False
) -> Held:
    """Lets a person have a conversation until they release or close it, or `resume_seconds` after they last wrote.

    Raises NoConversation, and ConversationTaken where another person has it, unless `force`.
    """
    held = _locked(connection, conversation_id)
    _take(connection, held, by.name, resume_seconds, force=force)
    record_conversation(connection, by, "taken", conversation_id)
    return _locked(connection, conversation_id)


def reply(
    connection: Connection,
    conversation_id: int,
    by: Actor,
    message: OutboundMessage,
    item: tuple[str, int],
    resume_seconds: float | None,
    *,
    force: bool = False,
    cause: Cause = "operator",
) -> OutboxRow:
    """Writes what a person says: to the outbox, in the order of the conversation, and as an item into its memory. Takes
    the conversation where no person has it.

    Raises NoConversation, ConversationTaken, PersonBlocked, and WindowClosed where WhatsApp would not deliver it.
    """
    held = _locked(connection, conversation_id)
    blocked_at = conversations.blocked_since(connection, conversation_id)
    if blocked_at is not None:
        raise PersonBlocked(blocked_at)
    last_inbound, refused_at = conversations.window_facts(connection, conversation_id)
    if conversations.open_until(last_inbound, refused_at) is None:
        raise WindowClosed(last_inbound, refused_at)
    now = timestamp()
    _take(connection, held, by.name, resume_seconds, force=force, cause=cause)
    until = None if resume_seconds is None else later(now, resume_seconds)
    WRITTEN.run(connection, id=conversation_id, now=now, until=until)
    timers.cancel(connection, handoffs.ESCALATION, str(conversation_id))
    handoffs.schedule_resume(connection, conversation_id, until)
    turn_id = ADD_TURN.one(connection, conversation_id=conversation_id, bot_id=held.bot_id, now=now)
    is_after_ad = conversations.reply_after_ad(
        connection, conversation_id, *conversations.ad_state(connection, conversation_id)
    )
    row = add_to_outbox(connection, message, turn_id, is_after_ad=is_after_ad)
    remember(connection, conversation_id, [item], turn_id)
    record_conversation(connection, by, "replied", conversation_id)
    wake(connection, conversation_id)
    return row


def release(
    connection: Connection, conversation_id: int, by: Actor, *, force: bool = False, answered_up_to: int | None = None
) -> int:
    """Gives a conversation back to the assistant; returns the number of turns that are answered now, since no person
    has answered. `answered_up_to`: the newest message of the inbox that one has answered, where replies came in later
    than they were written; by the order of the turns without it. Raises NoConversation and ConversationTaken."""
    held = _locked(connection, conversation_id)
    _check_operator(held, by.name, force=force)
    answered = _resume(connection, held, by.name, answered_up_to)
    record_conversation(connection, by, "released", conversation_id)
    return answered


def close(connection: Connection, conversation_id: int, by: Actor, *, force: bool = False) -> None:
    """Closes a conversation: no answer is due until its user writes again. Raises NoConversation and
    ConversationTaken."""
    held = _locked(connection, conversation_id)
    _check_operator(held, by.name, force=force)
    _change(connection, held, "closed", by.name)
    record_conversation(connection, by, "closed", conversation_id)


def resume(connection: Connection, timer: Timer) -> int | None:
    """Gives a conversation back to the assistant whose time with people is over, as `release`; None where it is not, or
    not yet: a person wrote meanwhile, and another timer follows. Raises TimerTakenOver."""
    held = handoffs.locked(connection, int(timer.key))
    is_over = held is not None and held.state == "human" and held.until is not None and held.until <= timestamp()
    timers.finish(connection, timer)
    if held is None or not is_over:
        return None
    return _resume(connection, held, "timer")


def add_note(connection: Connection, conversation_id: int, by: Actor, body: str) -> int:
    """Adds a note for other people; returns its id. Raises NoConversation."""
    _locked(connection, conversation_id)
    note_id = ADD_NOTE.one(connection, conversation_id=conversation_id, now=timestamp(), author=by.name, body=body)
    record_conversation(connection, by, "noted", conversation_id)
    return note_id


def wake(connection: Connection, conversation_id: int) -> None:
    """Has the serving process look at a conversation, also across a crash."""
    timers.put(connection, WAKE, str(conversation_id), datetime.now(UTC), {})


def correspondent(connection: Connection, conversation_id: int) -> Correspondent | None:
    """Whom a reply in a conversation goes to; None where its user has written nothing, was erased, or never was."""
    row = CORRESPONDENT.first(connection, id=conversation_id)
    return None if row is None else Correspondent(row[0], conversations.reply_address(row[1], row[2]))


def _locked(connection: Connection, conversation_id: int) -> Held:
    held = handoffs.locked(connection, conversation_id)
    if held is None or held.is_erased:
        raise NoConversation(conversation_id)
    return held


def _check_operator(held: Held, by: str, *, force: bool) -> None:
    if held.state == "human" and held.operator not in (None, by) and not force:
        raise ConversationTaken(str(held.operator), held.since)


def _take(
    connection: Connection,
    held: Held,
    by: str,
    resume_seconds: float | None,
    *,
    force: bool,
    cause: Cause = "operator",
) -> None:
    """Makes a person the operator. Whatever the assistant has not sent stays unsent."""
    _check_operator(held, by, force=force)
    now = timestamp()
    until = None if resume_seconds is None else later(now, resume_seconds)
    if held.state == "human" and (held.until is None or held.until > now):
        CHANGE_OPERATOR.run(connection, id=held.id, operator=by, until=until)
    else:
        conversations.set_state(
            connection, held.id, "human", was=held.state, by=by, reason=cause, until=until, operator=by
        )
        handoffs.summarise(connection, held.id)
    handoffs.schedule_resume(connection, held.id, until)
    _stop_assistant(connection, held.id)


def _stop_assistant(connection: Connection, conversation_id: int) -> None:
    INTERRUPT.run(connection, id=conversation_id)
    if outbox.withhold(connection, conversation_id):
        remember(connection, conversation_id, [NOT_ALL_SENT])


def _change(connection: Connection, held: Held, state: conversations.ConversationState, by: str) -> None:
    """Ends the time with people. Turns that leave messages unanswered begin again."""
    conversations.set_state(connection, held.id, state, was=held.state, by=by)
    INTERRUPT.run(connection, id=held.id)
    for kind in (handoffs.RESUME, handoffs.ESCALATION, handoffs.SUMMARY, handoffs.NOTICE):
        timers.cancel(connection, kind, str(held.id))
    wake(connection, held.id)


def _resume(connection: Connection, held: Held, by: str, answered_up_to: int | None = None) -> int:
    """Gives a conversation back, and has what no person has answered answered in one turn, where that still reaches the
    user."""
    if held.state == "assistant":
        return 0
    _change(connection, held, "assistant", by)
    if conversations.open_until(*conversations.window_facts(connection, held.id)) is None:
        return 0
    since = held.since or ""
    SEND_AFTER_ALL.run(connection, id=held.id, since=since)
    turns: Sequence[tuple[int]] = (
        UNANSWERED.rows(connection, id=held.id, since=since)
        if answered_up_to is None
        else UNANSWERED_AFTER.rows(connection, id=held.id, since=since, after=answered_up_to)
    )
    answered_later.reopen(connection, held.id, [turn_id for (turn_id,) in turns])
    return len(turns)
