"""Turns: one answer in progress, from its messages to its memory and outbox rows; `turn_start` begins one. Functions
over a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.parts import Content
from runtime.content.rendering import as_text
from runtime.store.codec import dump_json
from runtime.store.database.statement import InsertRows, Statement, pipelined
from runtime.store.database.times import timestamp
from runtime.store.messages import answered_later, consents, conversations, handoffs
from runtime.store.messages.consents import Consent
from runtime.store.messages.content import dump_content
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.handoffs import Handoff
from runtime.store.messages.last_answers import LastAnswer
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_later
from runtime.store.usage import ledger
from runtime.store.usage.ledger import Line
from runtime.store.usage.quantities import Usage


class TurnTakenOver(Exception):
    """A process that counted as crashed is active again, a person took the conversation, or its user was blocked: the
    answer and further work are discarded."""


class WaitingMessage(NamedTuple):
    """A message that a turn answers."""

    inbox_id: int
    account_sid: str
    message_sid: str
    sender: str
    received_at: str
    content: Content
    params: str
    """Twilio's parameters without a column, as JSON: also those that are not in `content`."""


class Hold(NamedTuple):
    """A process's claim to a turn that it began; it is lost when another process begins the turn."""

    turn_id: int
    starts: int
    started_at: str


class HistoryItem(NamedTuple):
    """One item of a conversation's memory."""

    item: str
    """JSON: an input item of the Responses API."""
    tokens: int
    at: str
    """When its turn ended, as text of `timestamp`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that has begun, with its data from the store."""

    id: int
    conversation: Conversation
    starts: int
    """Number of processes that have begun it and have not recorded an outcome, this one included."""
    started_at: str
    """When its current process began it."""
    messages: Sequence[WaitingMessage]
    history: Sequence[HistoryItem]
    """Oldest first."""
    progress: str | None
    """Function calls made and answered before the turn was interrupted, or became a dead letter, as JSON."""
    catalog_version: int
    recent: Sequence[tuple[str, str]] = ()
    """The newest items of the conversation as JSON with the times at which they were stored, oldest first."""
    last_answer: LastAnswer | None = None
    """Our last message to the user, where it was the assistant's answer and nothing else happened since."""

    @property
    def hold(self) -> Hold:
        """Its process's hold."""
        return Hold(self.id, self.starts, self.started_at)


UNCOUNTED = Usage()


class Ending(NamedTuple):
    """The end of a turn. A named tuple: a turn makes three, each with more of it, in a fourth of the time."""

    state: Literal["answered", "unanswered", "dead"]
    outbound: Sequence[OutboundMessage] = ()
    items: Sequence[tuple[str, int]] = ()
    """Items for the history as JSON with their size in tokens."""
    contents: Sequence[tuple[int, Content]] = ()
    """Messages by their id in the inbox, with what was read in their files."""
    model: str | None = None
    usage: Usage = UNCOUNTED
    bot_version: int | None = None
    assistant_version: int | None = None
    variant: str | None = None
    """The bot's variant that answered."""
    error: str | None = None
    reason: str | None = None
    """The policy's reason for not answering."""
    notices: Sequence[str] = ()
    """What is said with `outbound` that is due once a day or a night, or once: noted in the conversation."""
    is_loop: bool = False
    """Whether a loop between programs was found: its conversation is paused from now on."""
    is_fallback: bool = False
    """Whether `outbound` is the fallback message."""
    progress: str | None = None
    """Of a dead letter: from where a retry continues, without what is in `lines`."""
    client: str = ""
    """The label under which `lines` are kept."""
    lines: Sequence[Line] = ()
    """What the models used for it, for the ledger."""
    documents: Sequence[str] = ()
    """Names of the documents that an answer cites."""
    functions: Sequence[str] = ()
    """Names of the functions that were called for it."""
    handoff: Handoff | None = None
    """Of the conversation to people."""
    answered_at: str | None = None
    """When the messages are answered after all, as text of `timestamp`: at the next opening."""
    consent: Consent | None = None
    """What the user said about a model reading their messages."""

    @property
    def used(self) -> str | None:
        """What it was made with, as JSON without what there is none of; None for nothing."""
        used = {"documents": list(self.documents), "functions": list(self.functions)}
        return dump_json({sort: names for sort, names in used.items() if names}) if any(used.values()) else None


FAILURES = Statement(
    "SELECT count(*) FROM turns WHERE conversation_id = :id AND state = 'dead' AND id > coalesce((SELECT max(id)"
    " FROM turns WHERE conversation_id = :id AND state IN ('answered', 'operator')), 0)"
)
RELEASE = Statement(
    "UPDATE turns SET starts = starts - 1, started_at = ''"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
_END = (
    "UPDATE turns SET state = :state, model = :model, input_tokens = :input_tokens, cached_tokens = :cached_tokens,"
    " output_tokens = :output_tokens, bot_version = :bot_version, assistant_version = :assistant_version,"
    " variant = :variant, reason = :reason, error = :error, finished_at = :now,"
    " progress = :progress, used = :used"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
    " AND EXISTS (SELECT 1 FROM conversations WHERE id = :conversation_id AND state = :was"
    " AND coalesce(state_since, '') = :was_since AND coalesce(blocked_at, '') = :was_blocked{lock})"
)
END: Mapping[str, Statement] = {
    "sqlite": Statement(_END.format(lock="")),
    "postgresql": Statement(_END.format(lock=" FOR SHARE")),
}
"""Only while the same one has the conversation as when the turn began. On PostgreSQL one who takes it meanwhile waits
for this transaction, or this one for theirs (`handoffs`)."""
# By its conversation and first message: by the turn alone, all open messages of the store would be looked at.
CLOSE_MESSAGES = Statement(
    "UPDATE inbox SET state = :state WHERE conversation_id = :conversation_id AND id >= :first AND turn_id = :turn_id"
    " AND state = 'open'"
)
REMEMBER = InsertRows("items", "conversation_id", "turn_id", "item", "tokens", "created_at")
READ_FILES = Statement(
    "UPDATE inbox SET content = :content, body = :body WHERE id = :id AND turn_id = :turn_id AND content IS NOT NULL"
)
ADD_USAGE = Statement(
    "UPDATE turns SET input_tokens = coalesce(input_tokens, 0) + :input_tokens,"
    " cached_tokens = coalesce(cached_tokens, 0) + :cached_tokens,"
    " output_tokens = coalesce(output_tokens, 0) + :output_tokens WHERE id = :id AND state = 'answered'"
    " RETURNING bot_id"
)
KEEP_PROGRESS = Statement(
    "UPDATE turns SET progress = :progress"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)


@pipelined
def end_turn(connection: Connection, turn: Turn, ending: Ending) -> list[OutboxRow]:
    """Writes the end of a turn, its memory, what it cost and the messages to send in one transaction; returns the
    latter.

    Raises TurnTakenOver when another process has begun the turn since and will answer, or when a person has taken the
    conversation, or given it back, or its user was blocked, since the turn began.
    """
    now = timestamp()
    ended = END[connection.dialect.name].later(
        connection,
        id=turn.id,
        conversation_id=turn.conversation.id,
        was=turn.conversation.state,
        was_since=turn.conversation.state_since or "",
        was_blocked=turn.conversation.blocked_at or "",
        starts=turn.starts,
        started_at=turn.started_at,
        state=ending.state,
        model=ending.model,
        input_tokens=ending.usage.input_tokens,
        cached_tokens=ending.usage.cached_tokens,
        output_tokens=ending.usage.output_tokens,
        bot_version=ending.bot_version,
        assistant_version=ending.assistant_version,
        variant=ending.variant,
        reason=ending.reason,
        error=ending.error,
        progress=ending.progress,
        used=ending.used,
        now=now,
    )
    first = turn.messages[0].inbox_id
    CLOSE_MESSAGES.do(
        connection, conversation_id=turn.conversation.id, first=first, turn_id=turn.id, state=ending.state
    )
    for inbox_id, content in ending.contents:
        READ_FILES.do(connection, id=inbox_id, turn_id=turn.id, content=dump_content(content), body=as_text(content))
    remember(connection, turn.conversation.id, ending.items, turn.id)
    if ending.state == "answered":
        conversations.note(connection, turn.conversation, None, None)
    else:
        loop_since = now if ending.is_loop else turn.conversation.loop_since
        fallback_at = now if ending.is_fallback else turn.conversation.fallback_at
        conversations.note(connection, turn.conversation, loop_since, fallback_at)
    if ending.notices:
        conversations.note_notices(connection, turn.conversation, ending.notices)
    if ending.answered_at is not None:
        answered_later.schedule(connection, turn.conversation.id, ending.answered_at)
    bot_id, conversation = turn.conversation.bot_id, turn.conversation
    if ending.consent is not None:
        consents.record(connection, conversation.id, bot_id, ending.consent)
    if ending.handoff is not None:
        handoffs.hand_over(connection, conversation, ending.handoff)
    elif conversation.state != "assistant" and ending.reason != "human":
        handoffs.reopen(connection, conversation)
    ledger.add_spent(connection, ending.client or bot_id, ending.lines, bot_id=bot_id, turn_id=turn.id, at=now)
    is_after_ad = bool(ending.outbound) and conversations.reply_after_ad(
        connection, conversation.id, conversation.referral_at, conversation.free_until
    )
    rows = [add_later(connection, message, turn.id, is_after_ad=is_after_ad) for message in ending.outbound]
    if not ended():
        raise taken_over(turn.id)
    return [row() for row in rows]


def add_usage(connection: Connection, turn_id: int, client: str, usage: Usage, lines: Sequence[Line]) -> None:
    """Adds usage that was reported after the end of an answered turn. The ledger has it also when the turn's user was
    erased meanwhile."""
    row = ADD_USAGE.first(
        connection,
        id=turn_id,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
    )
    bot_id = None if row is None else row[0]
    ledger.add_spent(connection, client, lines, bot_id=bot_id, turn_id=turn_id, at=timestamp())


def add_discarded(connection: Connection, turn: Turn, client: str, lines: Sequence[Line]) -> None:
    """Adds what an attempt at a turn used whose answer is not sent."""
    ledger.add_spent(connection, client, lines, bot_id=turn.conversation.bot_id, turn_id=turn.id, at=timestamp())


@pipelined
def release(connection: Connection, hold: Hold) -> None:
    """Releases a turn that did not crash its process; changes nothing when another process owns the turn.

    Until it is begun again it has no start time, so that no earlier hold matches it again.
    """
    RELEASE.do(connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at)


def failures_in_a_row(connection: Connection, conversation_id: int) -> int:
    """Number of a conversation's dead letters since it was last answered."""
    return int(FAILURES.one(connection, id=conversation_id)[0])


def remember(
    connection: Connection, conversation_id: int, items: Sequence[tuple[str, int]], turn_id: int | None = None
) -> None:
    """Adds items to a conversation's history."""
    now = timestamp()
    REMEMBER.run(
        connection,
        [
            {"conversation_id": conversation_id, "turn_id": turn_id, "item": item, "tokens": tokens, "created_at": now}
            for item, tokens in items
        ],
    )


@pipelined
def keep_progress(connection: Connection, hold: Hold, progress: str) -> None:
    """Stores the function calls of a turn, so that an interrupted one continues from there.

    Raises TurnTakenOver when another process owns the turn and makes the calls.
    """
    kept = KEEP_PROGRESS.run(
        connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at, progress=progress
    )
    if not kept:
        raise taken_over(hold.turn_id)


def keep_thread(connection: Connection, hold: Hold, thread_id: str) -> None:
    """Stores the provider's thread of a turn's conversation, before any input is submitted to it; raises
    TurnTakenOver."""
    if not conversations.keep_thread(
        connection, thread_id, turn_id=hold.turn_id, starts=hold.starts, started_at=hold.started_at
    ):
        raise taken_over(hold.turn_id)


def taken_over(turn_id: int) -> TurnTakenOver:
    """The error of a turn that this process does not hold any more."""
    return TurnTakenOver(
        f"Turn {turn_id} was taken over: by another replica while this one was silent, or by a person who took the"
        " conversation."
    )
