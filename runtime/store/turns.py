"""Turns: one answer in the making, from the messages it answers to what is remembered and sent. Functions over a
connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from runtime.store.outbox import Draft, OutboxRow, add_to_outbox
from runtime.store.statement import Statement
from runtime.store.times import timestamp

BURST_LIMIT = 100
"""Messages answered by one turn at the most."""
LONGEST_BURST = 3
"""A stream of messages that does not pause is answered after so many pauses."""


class TurnTakenOver(Exception):
    """A process that was taken for dead comes back: neither its answer nor what it would do next is wanted."""


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message that a turn answers."""

    inbox_id: int
    account_sid: str
    message_sid: str
    sender: str
    body: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What a process has of a turn that it began; it is gone when another one begins the turn."""

    turn_id: int
    starts: int
    started_at: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that has begun, with everything the store knows about it."""

    id: int
    conversation_id: int
    bot_id: str
    user_key: str
    starts: int
    """How many processes have begun it and did not live to say what became of it, this one included."""
    started_at: str
    """When the process that has it took it up."""
    messages: Sequence[WaitingMessage]
    history: Sequence[tuple[str, int]]
    """Remembered items as JSON with their size in tokens, oldest first."""
    progress: str | None
    """Function calls made and answered before the turn was cut short, as JSON."""
    thread_id: str | None
    catalog_version: int

    @property
    def hold(self) -> Hold:
        """What its process has of it."""
        return Hold(self.id, self.starts, self.started_at)


@dataclass(frozen=True, slots=True)
class Unripe:
    """A turn that is not begun yet, because its user may still be writing."""

    seconds: float
    """How long to wait before it is asked for again."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A turn that is not begun yet, because more processes ended while it was under way than the caller trusts."""

    turn_id: int
    ends: int
    """So many processes ended."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider counted for a turn."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended."""

    state: Literal["answered", "unanswered", "dead"]
    drafts: Sequence[Draft] = ()
    items: Sequence[tuple[str, int]] = ()
    """What is remembered: items as JSON with their size in tokens."""
    model: str | None = None
    usage: Usage = Usage()
    bot_version: int | None = None
    assistant_version: int | None = None
    error: str | None = None


_MESSAGE = "inbox.id, account_sid, message_sid, sender, body, received_at"
WAITING = Statement(
    f"SELECT {_MESSAGE}, inbox.bot_id, turn_id, user_key, thread_id, version"  # noqa: S608 - our own column names
    " FROM inbox JOIN conversations ON conversations.id = inbox.conversation_id, catalog"
    " WHERE inbox.conversation_id = :conversation_id AND state = 'open' ORDER BY inbox.id LIMIT :limit"
)
ATTACHED = Statement(
    f"SELECT {_MESSAGE} FROM inbox WHERE turn_id = :turn_id AND state = 'open' ORDER BY id"  # noqa: S608
)
BEGIN = Statement(
    "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at)"
    " VALUES (:conversation_id, :bot_id, 'running', 1, :now) RETURNING id"
)
BEGUN = Statement("SELECT starts, started_at, progress FROM turns WHERE id = :id")
AGAIN = Statement(
    "UPDATE turns SET starts = starts + 1, started_at = :now WHERE id = :id AND state = 'running' RETURNING starts"
)
HAND_BACK = Statement(
    "UPDATE turns SET starts = starts - 1, started_at = ''"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
ATTACH = Statement(
    "UPDATE inbox SET turn_id = :turn_id WHERE conversation_id = :conversation_id AND state = 'open' AND id <= :last"
)
LEAVE_ENDED = Statement("UPDATE inbox SET turn_id = NULL WHERE turn_id = :turn_id AND state = 'open'")
HISTORY = Statement(
    "SELECT item, tokens FROM items WHERE conversation_id = :conversation_id ORDER BY id DESC LIMIT :limit"
)
END = Statement(
    "UPDATE turns SET state = :state, model = :model, input_tokens = :input_tokens, cached_tokens = :cached_tokens,"
    " output_tokens = :output_tokens, bot_version = :bot_version, assistant_version = :assistant_version,"
    " error = :error, progress = NULL, finished_at = :now"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
CLOSE_MESSAGES = Statement("UPDATE inbox SET state = :state WHERE turn_id = :turn_id AND state = 'open'")
REMEMBER = Statement(
    "INSERT INTO items (conversation_id, turn_id, item, tokens, created_at)"
    " VALUES (:conversation_id, :turn_id, :item, :tokens, :now)"
)
KEEP_PROGRESS = Statement(
    "UPDATE turns SET progress = :progress"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
KEEP_THREAD = Statement(
    "UPDATE conversations SET thread_id = :thread_id WHERE id = (SELECT conversation_id FROM turns"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at)"
)


def begin_turn(
    connection: Connection,
    conversation_id: int,
    memory_items: int,
    pause_seconds: float,
    mine: Hold | None,
    trusted_ends: int,
) -> Turn | Unripe | Suspect | None:
    """Begins a turn for the messages that wait, or goes on with one that was cut short; None when none waits.

    Nothing is begun while messages come with no longer a pause between them, nor when more than `trusted_ends`
    processes ended with the turn. `mine` is the turn of the conversation that this process has begun and not ended:
    going on with it is no new start.
    """
    waiting = WAITING.rows(connection, conversation_id=conversation_id, limit=BURST_LIMIT)
    if not waiting:
        return None
    now = timestamp()
    bot_id, _, user_key, thread_id, version = waiting[-1][6:]
    begun = next((row[7] for row in waiting if row[7] is not None), None)
    if begun is None:
        if (left := _pause_left(waiting, pause_seconds)) > 0:
            return Unripe(left)
        (turn_id,) = BEGIN.one(connection, conversation_id=conversation_id, bot_id=bot_id, now=now)
        starts, started_at, progress = 1, now, None
    else:
        turn_id = begun
        starts, started_at, progress = BEGUN.one(connection, id=turn_id)
        is_mine = mine == Hold(turn_id, starts, started_at)
        ends = starts - 1 if is_mine else starts
        if ends > trusted_ends:
            return Suspect(turn_id, ends)
        if not is_mine:
            again = AGAIN.first(connection, id=turn_id, now=now)
            if again is None:
                # Who had it ended it a moment ago, on PostgreSQL: what waited is answered, all but what came just then.
                LEAVE_ENDED.run(connection, turn_id=turn_id)
                return begin_turn(connection, conversation_id, memory_items, pause_seconds, mine, trusted_ends)
            starts, started_at = again[0], now
    attached = ATTACH.run(connection, turn_id=turn_id, conversation_id=conversation_id, last=waiting[-1][0])
    if attached != len(waiting):
        # On PostgreSQL a message with a smaller id may be committed between the two statements.
        waiting = ATTACHED.rows(connection, turn_id=turn_id)
    history = HISTORY.rows(connection, conversation_id=conversation_id, limit=memory_items)
    return Turn(
        id=turn_id,
        conversation_id=conversation_id,
        bot_id=bot_id,
        user_key=user_key,
        starts=starts,
        started_at=started_at,
        messages=[WaitingMessage(*row[:6]) for row in waiting],
        history=[(row[0], row[1]) for row in reversed(history)],
        progress=progress,
        thread_id=thread_id,
        catalog_version=version,
    )


def _pause_left(waiting: Sequence[tuple[Any, ...]], pause_seconds: float) -> float:
    """Seconds until the messages are taken for all that the user wants to say now."""
    if not pause_seconds or len(waiting) == BURST_LIMIT:
        return 0.0
    oldest, newest = (datetime.fromisoformat(row[5]).timestamp() for row in (waiting[0], waiting[-1]))
    return min(newest + pause_seconds, oldest + pause_seconds * LONGEST_BURST) - time.time()


def end_turn(connection: Connection, turn: Turn, ending: Ending) -> list[OutboxRow]:
    """Writes how a turn ended, what is remembered and what is to be sent, all or nothing; returns the latter.

    Raises TurnTakenOver when somebody else has begun the turn since: the answer is theirs to give.
    """
    now = timestamp()
    ended = END.run(
        connection,
        id=turn.id,
        starts=turn.starts,
        started_at=turn.started_at,
        state=ending.state,
        model=ending.model,
        input_tokens=ending.usage.input_tokens,
        cached_tokens=ending.usage.cached_tokens,
        output_tokens=ending.usage.output_tokens,
        bot_version=ending.bot_version,
        assistant_version=ending.assistant_version,
        error=ending.error,
        now=now,
    )
    if not ended:
        raise _taken_over(turn.id)
    CLOSE_MESSAGES.run(connection, turn_id=turn.id, state=ending.state)
    remember(connection, turn.conversation_id, ending.items, turn.id)
    return [add_to_outbox(connection, draft, turn.id) for draft in ending.drafts]


def hand_back(connection: Connection, hold: Hold) -> None:
    """Says that a process lets go of a turn that did not end it; changes nothing when somebody else has the turn.

    Until it is begun again it was started at no time, so nobody who had it before comes to have it again.
    """
    HAND_BACK.run(connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at)


def remember(
    connection: Connection, conversation_id: int, items: Sequence[tuple[str, int]], turn_id: int | None = None
) -> None:
    """Adds items to a conversation's memory."""
    now = timestamp()
    REMEMBER.each(
        connection,
        [
            {"conversation_id": conversation_id, "turn_id": turn_id, "item": item, "tokens": tokens, "now": now}
            for item, tokens in items
        ],
    )


def keep_progress(connection: Connection, hold: Hold, progress: str) -> None:
    """Notes the function calls of a turn, so that one that is cut short goes on from there.

    Raises TurnTakenOver when somebody else has the turn: the calls are theirs to make.
    """
    kept = KEEP_PROGRESS.run(
        connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at, progress=progress
    )
    if not kept:
        raise _taken_over(hold.turn_id)


def keep_thread(connection: Connection, hold: Hold, thread_id: str) -> None:
    """Notes the provider's thread of a turn's conversation, before anything is said in it; raises TurnTakenOver."""
    kept = KEEP_THREAD.run(
        connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at, thread_id=thread_id
    )
    if not kept:
        raise _taken_over(hold.turn_id)


def _taken_over(turn_id: int) -> TurnTakenOver:
    return TurnTakenOver(f"Turn {turn_id} was taken over by another replica while this one was silent.")
