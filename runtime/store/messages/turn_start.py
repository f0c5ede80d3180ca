"""The beginning of a turn: with all waiting messages of its conversation. Functions over a connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Insert, Statement, pipelined
from runtime.store.database.times import seconds_since, timestamp
from runtime.store.messages import conversations, last_answers
from runtime.store.messages.content import load_content
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.inbox import InboundMessage, StoredMessage, store_message
from runtime.store.messages.last_answers import SentLast
from runtime.store.messages.turns import HistoryItem, Hold, Turn, WaitingMessage, taken_over
from schemas.policy_document import read_document

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


_MESSAGE = (
    "inbox.id, inbox.account_sid, inbox.message_sid, inbox.sender, received_at, inbox.content, inbox.body, params"
)
_BESIDE = (
    "version, (SELECT policy FROM bots WHERE bots.id = conversations.bot_id),"  # noqa: S608
    f" {last_answers.COLUMNS}, {conversations.COLUMNS}"
)
"""What a turn needs to know beside its messages."""
_WAITING = (
    f"SELECT {_MESSAGE}, inbox.turn_id, {_BESIDE}"  # noqa: S608
    f" FROM inbox JOIN conversations ON conversations.id = inbox.conversation_id{last_answers.JOIN}, catalog"
    " WHERE inbox.conversation_id = :conversation_id AND inbox.state = 'open' AND user_key <> ''"
    " ORDER BY inbox.id LIMIT :limit"
)
WAITING: Mapping[str, Statement] = {
    "sqlite": Statement(_WAITING),
    "postgresql": Statement(f"{_WAITING} FOR KEY SHARE OF conversations"),
}
"""None of a conversation that was erased. On PostgreSQL an erasure waits for those who begin a turn in one, and they
for an erasure: it finds the turn, or the turn is not begun."""
TURN_ID, BESIDE = 8, slice(9, None)
"""Columns of a row of WAITING beside the message."""
ALONE = Statement(
    f"SELECT (SELECT received_at FROM inbox WHERE id = :inbox_id), {_BESIDE}"  # noqa: S608
    f" FROM conversations{last_answers.JOIN}, catalog WHERE conversations.id = :conversation_id AND NOT EXISTS"
    " (SELECT 1 FROM inbox WHERE conversation_id = :conversation_id AND state = 'open' AND inbox.id <> :inbox_id)"
)
"""For a message that was just stored: a row unless others of its conversation wait."""
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
ATTACH_ONE = Statement("UPDATE inbox SET turn_id = :turn_id WHERE id = :inbox_id")
BEGIN_FOR_ONE = Statement(
    "WITH begun AS (INSERT INTO turns (conversation_id, bot_id, state, starts, started_at)"
    " VALUES (:conversation_id, :bot_id, 'running', 1, :now) RETURNING id)"
    " UPDATE inbox SET turn_id = (SELECT id FROM begun) WHERE id = :inbox_id RETURNING turn_id"
)
"""BEGIN and ATTACH_ONE, where both are one round trip: on PostgreSQL."""
LEAVE_ENDED = Statement("UPDATE inbox SET turn_id = NULL WHERE turn_id = :turn_id AND state = 'open'")
HISTORY = Statement(
    "SELECT item, tokens, created_at, turn_id FROM items WHERE conversation_id = :conversation_id"
    " ORDER BY id DESC LIMIT :limit"
)


HOLD = Statement("SELECT starts, started_at FROM turns WHERE id = :id")


@pipelined
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
    continuing it is not a new start. Raises TurnTakenOver where another process has begun it since: the conversation is
    that one's, and two that began its turns from each other would count as its crashes. At most `memory_items` items of
    the conversation are loaded, unless the bot's policy sets another number.
    """
    waiting = WAITING[connection.dialect.name].rows(connection, conversation_id=conversation_id, limit=BURST_LIMIT)
    if not waiting:
        return None
    if mine is not None and _is_taken_over(connection, mine):
        raise taken_over(mine.turn_id)
    begun = dict.fromkeys(row[TURN_ID] for row in waiting if row[TURN_ID] is not None)
    if not begun:
        if (left := _pause_left(waiting, pause_seconds)) > 0:
            return UserStillWriting(left)
        hold = _begin(connection, _Beside.of(waiting[-1][BESIDE]).conversation)
        return _with_messages(connection, waiting, memory_items, hold, None)
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
            LEAVE_ENDED.do(connection, turn_id=turn.id)
            return begin_turn(connection, conversation_id, memory_items, pause_seconds, mine, trusted_crashes)
        hold = Hold(turn.id, again[0], now)
    progress = _join(connection, turn, joining) if joining else turn.progress
    return _with_messages(connection, waiting, memory_items, hold, progress)


@pipelined
def store_and_begin(
    connection: Connection, message: InboundMessage, memory_items: int, busy: Container[int] = ()
) -> tuple[StoredMessage | None, Turn | None]:
    """Stores a message (None for a duplicate) and begins its turn, where no other message of its conversation waits.
    For the only process of a store, since no other one searches for waiting messages then. `busy`: conversations whose
    next turn is begun by what is under way there; nothing is read for it here."""
    taken = store_message(connection, message)
    if taken is None or taken.conversation_id in busy:
        return taken, None
    return taken, begin_stored(connection, message, taken, surroundings_later(connection, taken, memory_items))


class Surroundings(NamedTuple):
    """What a turn needs to know beside its message, once it is asked for."""

    memory_items: int
    alone: Callable[[], list[tuple[Any, ...]]]
    """A row of ALONE."""
    newest: _Newest


def surroundings_later(connection: Connection, taken: StoredMessage, memory_items: int) -> Surroundings:
    """Reads what the turn of a message needs that this transaction has stored."""
    return Surroundings(
        memory_items,
        ALONE.rows_later(connection, conversation_id=taken.conversation_id, inbox_id=taken.inbox_id),
        _history_later(connection, taken.conversation_id, memory_items),
    )


def begin_stored(
    connection: Connection, message: InboundMessage, taken: StoredMessage, surroundings: Surroundings
) -> Turn | None:
    """Begins the turn of a message that this transaction has stored; None where others of its conversation wait."""
    found = surroundings.alone()
    if not found:
        return None
    beside = _Beside.of(found[0][1:])
    conversation = beside.conversation
    if connection.dialect.name == "sqlite":
        hold = _begin(connection, conversation)
        ATTACH_ONE.do(connection, turn_id=hold.turn_id, inbox_id=taken.inbox_id)
    else:
        now = timestamp()
        (turn_id,) = BEGIN_FOR_ONE.one(
            connection, conversation_id=conversation.id, bot_id=conversation.bot_id, now=now, inbox_id=taken.inbox_id
        )
        hold = Hold(turn_id, 1, now)
    said = WaitingMessage(
        taken.inbox_id,
        message.account_sid,
        message.message_sid,
        message.sender,
        found[0][0],
        message.content,
        message.params,
    )
    return _turn(connection, hold, [said], beside, surroundings.memory_items, surroundings.newest)


def attached_messages(connection: Connection, turn_id: int) -> Sequence[WaitingMessage]:
    """The messages of a turn that it has not ended with, in their order."""
    return [_message(row) for row in ATTACHED.rows(connection, turn_id=turn_id)]


class _Beside(NamedTuple):
    """What a turn needs to know beside its messages."""

    version: int
    """Of the catalog."""
    policy: str | None
    """The bot's, as JSON."""
    sent_last: SentLast
    conversation: Conversation

    @classmethod
    def of(cls, columns: tuple[Any, ...]) -> _Beside:
        """From the columns of _BESIDE."""
        version, policy, *others = columns
        sent = len(SentLast._fields)
        return cls(version, policy, SentLast(*others[:sent]), Conversation(*others[sent:]))


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


def _is_taken_over(connection: Connection, mine: Hold) -> bool:
    """Whether another process has begun a turn that this one had begun. One that was released is anybody's, and one
    that ended under this hold was ended here, by a commit whose outcome was not known."""
    row = HOLD.first(connection, id=mine.turn_id)
    return row is not None and row[1] != "" and Hold(mine.turn_id, *row) != mine


def _resumed(begun: Sequence[_Begun]) -> tuple[_Begun, Sequence[_Begun]]:
    """The turn that is resumed, and the dead letters that join it: those of several turns are answered together."""
    turn = next((one for one in begun if one.state == "running"), begun[0])
    return turn, [one for one in begun if one.id != turn.id]


def _join(connection: Connection, turn: _Begun, joining: Sequence[_Begun]) -> str | None:
    """Adds the progress of other turns to that of the one that answers for them; returns it."""
    notes = [note for one in (turn, *joining) if one.progress for note in json.loads(one.progress)]
    progress = dump_json(notes) if notes else None
    WITH_PROGRESS.do(connection, id=turn.id, progress=progress)
    for one in joining:
        JOINED.do(connection, id=one.id)
    return progress


def _begin(connection: Connection, conversation: Conversation) -> Hold:
    """A new turn, without messages."""
    now = timestamp()
    turn_id = BEGIN.one(connection, conversation_id=conversation.id, bot_id=conversation.bot_id, now=now)
    return Hold(turn_id, 1, now)


def _with_messages(
    connection: Connection, waiting: Sequence[tuple[Any, ...]], memory_items: int, hold: Hold, progress: str | None
) -> Turn:
    """The turn, to which all waiting messages are attached."""
    newest = waiting[-1]
    beside = _Beside.of(newest[BESIDE])
    attached = ATTACH.later(connection, turn_id=hold.turn_id, conversation_id=beside.conversation.id, last=newest[0])
    history = _history_later(connection, beside.conversation.id, _items_of(beside.policy) or memory_items)
    if attached() != len(waiting):
        # On PostgreSQL a message with a smaller id may be committed between the two statements.
        waiting = ATTACHED.rows(connection, turn_id=hold.turn_id)
    return _turn(connection, hold, [_message(row) for row in waiting], beside, memory_items, history, progress)


def _turn(
    connection: Connection,
    hold: Hold,
    messages: Sequence[WaitingMessage],
    beside: _Beside,
    memory_items: int,
    newest: _Newest,
    progress: str | None = None,
) -> Turn:
    """A turn with the history of its conversation. `newest`: of `memory_items` items or of as many as the bot's policy
    sets."""
    items = _items_of(beside.policy) or memory_items
    history = newest.rows()
    if items > newest.limit:
        history = _history_later(connection, beside.conversation.id, items).rows()
    return Turn(
        id=hold.turn_id,
        conversation=beside.conversation,
        starts=hold.starts,
        started_at=hold.started_at,
        messages=messages,
        history=[HistoryItem(*row[:3]) for row in reversed(history[:items])],
        progress=progress,
        catalog_version=beside.version,
        recent=[(row[0], row[2]) for row in reversed(history[:RECENT_ITEMS])],
        last_answer=last_answers.last_answer(beside.sent_last, history),
    )


class _Newest(NamedTuple):
    """The newest items of a conversation's memory, the newest first, once they are asked for."""

    limit: int
    rows: Callable[[], list[tuple[Any, ...]]]


def _history_later(connection: Connection, conversation_id: int, items: int) -> _Newest:
    limit = max(items, RECENT_ITEMS)
    return _Newest(limit, HISTORY.rows_later(connection, conversation_id=conversation_id, limit=limit))


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
