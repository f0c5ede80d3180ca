"""Messages that wait until their person writes again, since WhatsApp delivers free text for 24 hours only. Functions
over a connection.

    waiting ──the person writes──► ready ──► sending ──► sent
       └────no answer in time──► failed

Meanwhile the person has got the template that asks for an answer, one for everything that waits. Only the timer of a
message sends it, and each step is in the store before the next one: a crash repeats no send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, Entry, client_of_bot, record
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import UserSilent
from runtime.store.messages import conversations, outbox, turns
from runtime.store.messages.outbound_content import OutboundContent, OutboundTemplate
from runtime.store.messages.outbox import OutboundMessage, OutboxRow

KIND: Final = "waiting_send"
"""Timers: one for each message that waits."""
BEHIND_SECONDS: Final = 1.0
"""Seconds between two looks of a message whether the one that waited before it has gone out."""
LONGEST_LOOK: Final = 30.0
"""Seconds between two looks for an answer that no turn has seen."""
UNANSWERED: Final = "The person did not answer in time, so it was not sent."
INTERRUPTED: Final = "Interrupted before it was sent; send it again."

Remember = Callable[[Mapping[str, Any]], tuple[str, int]]
"""`runtime.memory.remembered`."""
Step = Literal["wait", "reopen", "send", "expired", "failed", "done"]


@dataclass(frozen=True, slots=True)
class PutMessage:
    """A proactive message on disk."""

    row: OutboxRow
    window_until: str | None
    """Until when WhatsApp delivers free text to its person; None: not now, or not known."""
    waits_until: str | None
    """How long it waits for them; None: it is to be sent."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is to be done about a message that waited."""

    step: Step
    row: OutboxRow | None = None
    seconds: float = 0.0
    """Until the next look."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The template that asked a person for an answer."""

    failure: str
    """Why it did not reach them; empty where it did, or is on its way."""


STATE = Statement(
    f"SELECT created_at, waits_until, {outbox.COLUMNS} FROM outbox WHERE id = :id"  # noqa: S608 - our own column names
)
WAIT = Statement("UPDATE outbox SET state = 'waiting', claimed_at = NULL, waits_until = :until WHERE id = :id")
COPY = Insert(
    "INSERT INTO outbox (conversation_id, bot_id, part, account_sid, sender, recipient, body, content, channel, state,"
    " created_at, category, is_after_ad, author, waits_until) SELECT conversation_id, bot_id, 0, account_sid, sender,"
    " recipient, body, content, 'rest', 'waiting', :now, category, 0, author, :until FROM outbox WHERE id = :id"
)
REPLACE = Statement(
    "UPDATE outbox SET state = 'replaced' WHERE id = :id AND error_code IS NULL AND state IN ('sending', 'sent')"
)
REPLACED_BY = Statement("UPDATE outbox SET replaced_by = :copy WHERE id = :id")
REFUSED = Statement("UPDATE outbox SET state = 'replaced', error = :error WHERE id = :id AND state = 'sending'")
CONVERSATION = Statement("SELECT conversation_id, content FROM outbox WHERE id = :id AND conversation_id IS NOT NULL")
NOTE_WAITING = Statement(
    "UPDATE conversations SET waiting_since = coalesce(waiting_since, :now) WHERE id = :id RETURNING reopening_id"
)
NOTE_REOPENING = Statement("UPDATE conversations SET reopening_id = :row_id WHERE id = :id")
REOPENING = Statement(
    "SELECT outbox.state, outbox.error, outbox.error_code, outbox.created_at FROM conversations JOIN outbox"
    " ON outbox.id = reopening_id WHERE conversations.id = :id"
)
LAST_INBOUND = Statement("SELECT max(received_at) FROM inbox WHERE conversation_id = :id")
WAITING = Statement(
    f"SELECT {outbox.COLUMNS} FROM outbox WHERE conversation_id = :id AND state = 'waiting'"  # noqa: S608
    " AND waits_until > :now ORDER BY id"
)
EARLIER = Statement(
    "SELECT 1 FROM outbox WHERE conversation_id = :conversation_id AND id < :id AND waits_until IS NOT NULL"
    " AND state IN ('ready', 'sending') LIMIT 1"
)
READY = Statement("UPDATE outbox SET state = 'ready' WHERE id = :id AND state = 'waiting'")
NO_LONGER = Statement("UPDATE conversations SET waiting_since = NULL WHERE id = :id")
FAIL = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, settled_at = :now WHERE id = :id AND state = 'waiting'"
)


def is_free_form(content: OutboundContent) -> bool:
    """Whether WhatsApp delivers it within the 24 hours only: everything but an approved template."""
    return not isinstance(content, OutboundTemplate) or bool(content.options)


def put(connection: Connection, message: OutboundMessage, seconds: float | None) -> PutMessage:
    """Writes the intent to send a proactive message. Free text to a person who has been silent for too long waits for
    them at most `seconds`, with its timer. Raises OptedOut, and UserSilent for such a text where that is None."""
    if message.bot_id is None or not is_free_form(message.content):
        row, last_inbound = outbox.add_proactive(connection, message)
        return PutMessage(row, conversations.open_until(last_inbound, None), None)
    found, known = outbox.located(connection, message)
    until = conversations.open_until(known.last_inbound, known.window_refused_at) if known is not None else None
    if until is not None:
        return PutMessage(outbox.add_proactive(connection, message)[0], until, None)
    if seconds is None:
        raise UserSilent(known.last_inbound if known is not None else None)
    waits_until = later(timestamp(), seconds)
    row = outbox.add_to_outbox(connection, found)
    WAIT.run(connection, id=row.id, until=waits_until)
    _begin(connection, row.id, found.conversation_id)
    return PutMessage(row._replace(state="waiting", claimed_at=None), None, waits_until)


def put_by(connection: Connection, actor: Actor, message: OutboundMessage, seconds: float | None) -> PutMessage:
    """As `put`, recorded in the audit."""
    put_message = put(connection, message, seconds)
    row = put_message.row
    ids = [] if row.conversation_id is None else [row.conversation_id]
    record(connection, actor, Entry("sent", "message", str(row.id), client_of_bot(connection, message.bot_id), ids))
    return put_message


def after_refusal(connection: Connection, row_id: int, seconds: float, error: str | None = None) -> bool:
    """Replaces a message that WhatsApp refused as too late by one that waits; False where it has no
    conversation, or is
    replaced already. `error`: of a call that refused it, None where a callback did."""
    found = CONVERSATION.first(connection, id=row_id)
    if found is None:
        return False
    conversations.lock_of_message(connection, row_id)
    replaced = REPLACE.run(connection, id=row_id) if error is None else REFUSED.run(connection, id=row_id, error=error)
    if not replaced:
        return False
    now = timestamp()
    conversations.note_window_refused(connection, row_id, now)
    copy = COPY.one(connection, id=row_id, now=now, until=later(now, seconds))
    REPLACED_BY.run(connection, id=row_id, copy=copy)
    _begin(connection, copy, found[0])
    return True


def begin_reopening(connection: Connection, template: OutboundMessage) -> OutboxRow | None:
    """Writes the intent to ask a person for an answer; None where they have been asked since they last wrote."""
    conversation_id = template.conversation_id
    # Locks the row: of two processes one asks.
    if not NOTE_WAITING.rows(connection, id=conversation_id, now=timestamp()):
        return None
    asked = _asked_since(connection, conversation_id, timestamp())
    if asked is not None and not asked.failure:
        return None
    row = outbox.add_to_outbox(connection, template)
    NOTE_REOPENING.run(connection, id=conversation_id, row_id=row.id)
    return row


def release(connection: Connection, conversation_id: int, remember: Remember) -> list[turns.HistoryItem]:
    """Sends everything that waits in a conversation, since its person has written: by the timers, at once. Returns what
    the conversation remembers of it, in its order."""
    rows = [outbox.row_of(*row) for row in WAITING.rows(connection, id=conversation_id, now=timestamp())]
    now = datetime.now(UTC)
    for row in rows:
        READY.run(connection, id=row.id)
        timers.put(connection, KIND, _key(row.id), now, {"message": row.id})
    items = [remember({"role": "assistant", "content": row.content.readable}) for row in rows]
    turns.remember(connection, conversation_id, items)
    NO_LONGER.run(connection, id=conversation_id)
    return [turns.HistoryItem(item, tokens, timestamp()) for item, tokens in items]


def next_step(connection: Connection, message_id: int, remember: Remember) -> NextStep:
    """What is to be done about a message when its timer is due."""
    found = STATE.first(connection, id=message_id)
    if found is None:  # the person was erased meanwhile
        return NextStep("done")
    created_at, until, *columns = found
    row = outbox.row_of(*columns)
    if row.state in ("ready", "sending"):
        return _in_order(connection, row)
    if row.state != "waiting" or row.conversation_id is None:
        return NextStep("done")
    (heard,) = LAST_INBOUND.one(connection, id=row.conversation_id)
    if heard is not None and heard > created_at:
        release(connection, row.conversation_id, remember)
        return _in_order(connection, row._replace(state="ready"))
    left = (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds()
    if left <= 0:
        FAIL.run(connection, id=row.id, error=UNANSWERED, now=timestamp())
        return NextStep("expired", row)
    return _while_waiting(connection, row, created_at, min(left, LONGEST_LOOK))


def _in_order(connection: Connection, row: OutboxRow) -> NextStep:
    """People read what waited for them in the order in which it was written, also where Twilio fails with the first."""
    if EARLIER.first(connection, conversation_id=row.conversation_id, id=row.id) is not None:
        return NextStep("wait", row, BEHIND_SECONDS)
    return NextStep("send", row)


def fail(connection: Connection, message_id: int, error: str) -> None:
    """Records that a message that waits is not sent, and why."""
    FAIL.run(connection, id=message_id, error=error, now=timestamp())


def _while_waiting(connection: Connection, row: OutboxRow, created_at: str, seconds: float) -> NextStep:
    """Whether the person was asked for an answer, and got that."""
    asked = _asked_since(connection, row.conversation_id, created_at)
    if asked is None or asked.failure == INTERRUPTED:
        return NextStep("reopen", row, seconds)
    if asked.failure:
        said = f"The template that asks for an answer did not reach the person: {asked.failure}"
        FAIL.run(connection, id=row.id, error=said, now=timestamp())
        return NextStep("failed", row, error=said)
    return NextStep("wait", row, seconds)


def _asked_since(connection: Connection, conversation_id: int | None, moment: str) -> _Asked | None:
    """How the person was last asked for an answer: since they last wrote, and since a day before a timestamp."""
    found = REOPENING.first(connection, id=conversation_id)
    if found is None:
        return None
    state, error, code, at = found
    (heard,) = LAST_INBOUND.one(connection, id=conversation_id)
    if (heard is not None and heard >= at) or at < later(moment, -conversations.WINDOW_SECONDS):
        return None
    failure = str(error or code) if state == "failed" else f"Twilio error {code}" if code is not None else ""
    return _Asked(failure)


def _begin(connection: Connection, row_id: int, conversation_id: int | None) -> None:
    NOTE_WAITING.rows(connection, id=conversation_id, now=timestamp())
    soon = datetime.now(UTC) + timedelta(seconds=1)
    timers.put(connection, KIND, _key(row_id), soon, {"message": row_id})


def _key(row_id: int) -> str:
    return f"message {row_id}"
