"""The beginning of a turn: with all waiting messages of its conversation. Functions over a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import seconds_since, timestamp
from runtime.store.messages.content import load_content
from runtime.store.messages.conversations import COLUMNS, Conversation
from runtime.store.messages.inbox import InboundMessage, StoredMessage, store_message
from runtime.store.messages.turns import HistoryItem, Hold, Turn, WaitingMessage
from schemas.policy import read_document

BURST_LIMIT = 100
"""Maximum number of messages that one turn answers."""
RECENT_ITEMS = 30
"""Number of a conversation's newest items in which a loop between programs is looked for, whatever is sent along."""
LONGEST_BURST = 3
"""A stream of messages without a pause is answered after this many pauses."""


@dataclass(frozen=True, slots=True)
class UserStillWriting:
    """A turn that is not begun yet, since its user may still be writing."""

    seconds: float
    """Seconds until it is to be begun again."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A turn that is not begun yet, since more processes crashed while it ran than the caller trusts."""

    turn_id: int
    crashes: int
    """Number of crashes while it ran."""


_MESSAGE = "inbox.id, account_sid, message_sid, sender, received_at, content, body, params"
WAITING = Statement(
    f"SELECT {_MESSAGE}, turn_id, version, (SELECT policy FROM bots WHERE bots.id = inbox.bot_id), {COLUMNS}"  # noqa: S608
    " FROM inbox JOIN conversations ON conversations.id = inbox.conversation_id, catalog"
    " WHERE inbox.conversation_id = :conversation_id AND inbox.state = 'open' ORDER BY inbox.id LIMIT :limit"
)
TURN_ID, VERSION, POLICY = 8, 9, 10
CONVERSATION = slice(11, None)
"""Columns of a row of WAITING beside the message."""
ATTACHED = Statement(
    f"SELECT {_MESSAGE} FROM inbox WHERE turn_id = :turn_id AND state = 'open' ORDER BY id"  # noqa: S608
)
BEGIN = Insert(
    "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at)"
    " VALUES (:conversation_id, :bot_id, 'running', 1, :now)"
)
BEGUN = Statement("SELECT id, state, starts, started_at, progress FROM turns WHERE id = :id")
AGAIN = Statement(
    "UPDATE turns SET state = 'running', starts = starts + 1, started_at = :now"
    " WHERE id = :id AND state IN ('running', 'retried') RETURNING starts"
)
JOINED = Statement("UPDATE turns SET progress = NULL WHERE id = :id")
WITH_PROGRESS = Statement("UPDATE turns SET progress = :progress WHERE id = :id")
ATTACH = Statement(
    "UPDATE inbox SET turn_id = :turn_id WHERE conversation_id = :conversation_id AND state = 'open' AND id <= :last"
)
LEAVE_ENDED = Statement("UPDATE inbox SET turn_id = NULL WHERE turn_id = :turn_id AND state = 'open'")
HISTORY = Statement(
    "SELECT item, tokens, created_at FROM items WHERE conversation_id = :conversation_id ORDER BY id DESC LIMIT :limit"
)


def begin_turn(
    connection: Connection,
    conversation_id: int,
    memory_items: int,
    pause_seconds: float,
    mine: Hold | None,
    trusted_crashes: int,
) -> Turn | UserStillWriting | Suspect | None:
    """Begins a turn for the waiting messages, or resumes one that was interrupted or retried; None when none wait.

    Nothing is begun while messages come with shorter pauses than `pause_seconds`, nor when more than `trusted_crashes`
    processes crashed with the turn. `mine` is the turn of the conversation that this process has begun and not ended:
    continuing it is not a new start. At most `memory_items` items of the conversation are loaded, unless the bot's
    policy sets another number.
    """
    waiting = WAITING.rows(connection, conversation_id=conversation_id, limit=BURST_LIMIT)
    if not waiting:
        return None
    begun = dict.fromkeys(row[TURN_ID] for row in waiting if row[TURN_ID] is not None)
    if not begun:
        if (left := _pause_left(waiting, pause_seconds)) > 0:
            return UserStillWriting(left)
        return _begin_new(connection, conversation_id, waiting, memory_items)
    turn, joining = _resumed([_Begun(*BEGUN.one(connection, id=id_)) for id_ in begun])
    is_mine = mine == turn.hold
    crashes = turn.starts - 1 if is_mine else turn.starts
    if crashes > trusted_crashes:
        return Suspect(turn.id, crashes)
    hold = turn.hold
    if not is_mine:
        now = timestamp()
        again = AGAIN.first(connection, id=turn.id, now=now)
        if again is None:
            # Its owner has just ended it, on PostgreSQL: the waiting messages are answered, except those that came
            # meanwhile.
            LEAVE_ENDED.run(connection, turn_id=turn.id)
            return begin_turn(connection, conversation_id, memory_items, pause_seconds, mine, trusted_crashes)
        hold = Hold(turn.id, again[0], now)
    progress = _join(connection, turn, joining) if joining else turn.progress
    return _with_messages(connection, conversation_id, waiting, memory_items, hold, progress)


def store_and_begin(
    connection: Connection, message: InboundMessage, memory_items: int
) -> tuple[StoredMessage | None, Turn | None]:
    """Stores a message (None for a duplicate) and begins its turn, where no other message of its conversation waits.
    For the only process of a store, since no other one searches for waiting messages then."""
    taken = store_message(connection, message)
    if taken is None:
        return None, None
    waiting = WAITING.rows(connection, conversation_id=taken.conversation_id, limit=2)
    if len(waiting) > 1:
        return taken, None
    return taken, _begin_new(connection, taken.conversation_id, waiting, memory_items)


class _Begun(NamedTuple):
    """A turn of waiting messages, as it is stored: running, or a dead letter that is retried."""

    id: int
    state: str
    starts: int
    started_at: str
    progress: str | None

    @property
    def hold(self) -> Hold:
        return Hold(self.id, self.starts, self.started_at)


def _resumed(begun: Sequence[_Begun]) -> tuple[_Begun, Sequence[_Begun]]:
    """The turn that is resumed, and the dead letters that join it: those of several turns are answered together."""
    turn = next((one for one in begun if one.state == "running"), begun[0])
    return turn, [one for one in begun if one.id != turn.id]


def _join(connection: Connection, turn: _Begun, joining: Sequence[_Begun]) -> str | None:
    """Adds the progress of other turns to that of the one that answers for them; returns it."""
    notes = [note for one in (turn, *joining) if one.progress for note in json.loads(one.progress)]
    progress = dump_json(notes) if notes else None
    WITH_PROGRESS.run(connection, id=turn.id, progress=progress)
    for one in joining:
        JOINED.run(connection, id=one.id)
    return progress


def _begin_new(
    connection: Connection, conversation_id: int, waiting: Sequence[tuple[Any, ...]], memory_items: int
) -> Turn:
    now = timestamp()
    bot_id = Conversation(*waiting[-1][CONVERSATION]).bot_id
    turn_id = BEGIN.one(connection, conversation_id=conversation_id, bot_id=bot_id, now=now)
    return _with_messages(connection, conversation_id, waiting, memory_items, Hold(turn_id, 1, now), None)


def _with_messages(
    connection: Connection,
    conversation_id: int,
    waiting: Sequence[tuple[Any, ...]],
    memory_items: int,
    hold: Hold,
    progress: str | None,
) -> Turn:
    """The turn, to which all waiting messages are attached."""
    newest = waiting[-1]
    attached = ATTACH.run(connection, turn_id=hold.turn_id, conversation_id=conversation_id, last=newest[0])
    if attached != len(waiting):
        # On PostgreSQL a message with a smaller id may be committed between the two statements.
        waiting = ATTACHED.rows(connection, turn_id=hold.turn_id)
    items = _items_of(newest[POLICY]) or memory_items
    history = HISTORY.rows(connection, conversation_id=conversation_id, limit=max(items, RECENT_ITEMS))
    return Turn(
        id=hold.turn_id,
        conversation=Conversation(*newest[CONVERSATION]),
        starts=hold.starts,
        started_at=hold.started_at,
        messages=[_message(row) for row in waiting],
        history=[HistoryItem(*row) for row in reversed(history[:items])],
        progress=progress,
        catalog_version=newest[VERSION],
        recent=[(row[0], row[2]) for row in reversed(history[:RECENT_ITEMS])],
    )


@lru_cache(maxsize=1024)
def _items_of(policy: str | None) -> int | None:
    """How many items of a conversation the bot's policy loads; None where it leaves that to the settings."""
    memory = read_document(json.loads(policy)).policy.memory if policy else None
    return memory.items if memory is not None else None


def _message(row: tuple[Any, ...]) -> WaitingMessage:
    inbox_id, account_sid, message_sid, sender, received_at, content, body, params = row[:8]
    said = load_content(content, body, params)
    return WaitingMessage(inbox_id, account_sid, message_sid, sender, received_at, said, params)


def _pause_left(waiting: Sequence[tuple[Any, ...]], pause_seconds: float) -> float:
    """Seconds until the messages count as complete."""
    if not pause_seconds or len(waiting) == BURST_LIMIT:
        return 0.0
    oldest, newest = (seconds_since(row[4]) for row in (waiting[0], waiting[-1]))
    return min(pause_seconds - newest, pause_seconds * LONGEST_BURST - oldest)
