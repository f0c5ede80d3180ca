"""Messages that Twilio accepted and then did not deliver. Functions over a connection.

    sent ──callback: a passing failure──► replaced, by a copy in `postponed` ──timer──► ready ──► sending ──► …
      ├────callback: buttons or a list refused──► the same at once, with a copy in words
      └────callback: any other──────────► sent, with the code in `error_code`

A copy is a row of its own, so that late callbacks about the earlier attempt do not count for it. The parts of an answer
that follow it, and are not sent yet, wait with it. The number of attempts, the age and WhatsApp's window limit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.statement import Insert, Statement, pipelined
from runtime.store.database.times import timestamp
from runtime.store.delivery_errors import NO_CODE, OF_CONTENT, OUTSIDE, PASSING
from runtime.store.messages import conversations, handoffs, outbox, waiting_sends
from runtime.store.messages.opt_outs import REFUSING_CODES, note_refusal
from runtime.store.messages.opt_outs import is_refused as is_refused_since
from runtime.store.messages.outbound_content import OutboundTemplate, decoded, is_offer
from runtime.store.messages.outbox import OutboxRow
from runtime.store.timers import Timer
from runtime.store.usage.ledger import Line, MessagePrices

KIND = "postponed_send"
"""Timers: one for the postponed parts of an answer, or for a proactive message."""
PAUSES = (2.0, 15.0, 60.0, 300.0)
"""Seconds before the second, third, … attempt, without jitter; there are no others."""
LONGEST_AGE = timedelta(hours=1)
"""A message that is older is not sent again: its conversation has continued."""
WINDOW = timedelta(hours=24)
"""How long after a person's message WhatsApp delivers anything but a template."""
TOO_LATE = "It was not delivered in time, and is not sent again."
OPTED_OUT = "The user opted out meanwhile, so it is not sent again."

FAILED_STATUSES = frozenset({"failed", "undelivered"})
DELIVERED_STATUSES = frozenset({"delivered", "read"})

Failure = Literal["for good", "sent again", "waits"]


@dataclass(frozen=True, slots=True)
class StatusNote:
    """The effect of a status callback."""

    is_ours: bool
    """Whether the message is in the outbox."""
    failure: Failure | None = None
    """None unless this is the first callback about the message's failure."""
    charged: Sequence[Line] = ()
    """What it added to the ledger."""


@dataclass(frozen=True, slots=True)
class ReleasedSends:
    """Postponed messages whose time has come."""

    conversation_id: int | None = None
    """Where parts of an answer are ready to be sent."""
    proactive: OutboxRow | None = None
    """A message outside of any answer, claimed to be sent now."""
    expired: int = 0
    """Number of messages that are not sent again since it is too late."""
    bot_id: str | None = None
    code: str = NO_CODE
    """Twilio's, of the failure."""


SENT_ROW = Statement(
    "SELECT turn_id, part, attempt, created_at, body, content FROM outbox WHERE id = :id AND error_code IS NULL"
    " AND state IN ('sending', 'sent')"
)
REPLACE = Statement("UPDATE outbox SET state = 'replaced' WHERE id = :id AND state IN ('sending', 'sent')")
_COPY = (
    "INSERT INTO outbox (turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, content,"
    " channel, state, created_at, attempt, category, is_after_ad, author) SELECT turn_id, conversation_id, bot_id,"
    " part, account_sid, sender, recipient, body, {content}, 'rest', 'postponed', created_at, attempt + 1, category,"
    " is_after_ad, author FROM outbox WHERE id = :id"
)
COPY = Insert(_COPY.format(content="content"))
COPY_IN_WORDS = Insert(_COPY.format(content="NULL"))
POSTPONE_REST = Statement(
    "UPDATE outbox SET state = 'postponed' WHERE turn_id = :turn_id AND part > :part AND state = 'ready'"
)
NOT_DELIVERED = Statement(
    "UPDATE outbox SET error_code = :code WHERE id = :id AND error_code IS NULL AND state IN ('sending', 'sent')"
)
OF_TURN = Statement(
    f"SELECT created_at, {outbox.COLUMNS} FROM outbox WHERE turn_id = :id"  # noqa: S608 - our own column names
    " AND state = 'postponed' ORDER BY part, id"
)
PROACTIVE = Statement(
    f"SELECT created_at, {outbox.COLUMNS} FROM outbox WHERE id = :id AND state = 'postponed'"  # noqa: S608
)
LAST_INBOUND = Statement("SELECT max(received_at) FROM inbox WHERE conversation_id = :conversation_id")
EXPIRE = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, error_code = :code, settled_at = :now"
    " WHERE id = :id AND state = 'postponed'"
)
READY = Statement("UPDATE outbox SET state = 'ready' WHERE id = :id AND state = 'postponed'")


@pipelined
def record_callback(
    connection: Connection,
    *,
    account_sid: str,
    message_sid: str,
    sender: str,
    recipient: str,
    status: str,
    code: str,
    row_id: int | None,
    prices: MessagePrices,
    spread: float = 1.0,
    waits_seconds: float | None = None,
) -> StatusNote:
    """Records a status callback; `code` is Twilio's error, empty where there is none. A message that failed for a
    passing reason is postponed in the same transaction, by a pause that is multiplied by `spread`; call `Timers.wake`
    then. One that came too late for WhatsApp waits for its person, where the client says so, for `waits_seconds`."""
    if row_id is not None and (code in OUTSIDE or code in REFUSING_CODES):
        conversations.lock_of_message(connection, row_id)
    recorded = outbox.record_status(
        connection,
        account_sid=account_sid,
        message_sid=message_sid,
        sender=sender,
        recipient=recipient,
        status=status,
        error=f"Twilio error {code}" if code else None,
        row_id=row_id,
        prices=prices,
    )
    if recorded is None:
        return StatusNote(False)
    if status not in FAILED_STATUSES or recorded.before in DELIVERED_STATUSES:
        return StatusNote(True, None, recorded.charged)
    return StatusNote(
        True, _failed(connection, recorded.row_id, code or NO_CODE, spread, waits_seconds), recorded.charged
    )


def release(connection: Connection, timer: Timer) -> ReleasedSends:
    """Ends the wait of what a timer postponed, and the timer; raises `TimerTakenOver`."""
    turn_id, code = timer.payload.get("turn"), str(timer.payload["code"])
    rows = (
        OF_TURN.rows(connection, id=turn_id)
        if turn_id is not None
        else PROACTIVE.rows(connection, id=timer.payload["message"])
    )
    timers.finish(connection, timer)
    if not rows:  # the person was erased meanwhile
        return ReleasedSends()
    postponed = [outbox.row_of(*row[1:]) for row in rows]
    first = postponed[0]
    is_refused = turn_id is None and is_refused_since(connection, first.id)
    if is_refused or _is_too_late(connection, first, rows[0][0]):
        now, error = timestamp(), OPTED_OUT if is_refused else TOO_LATE
        expired = sum(EXPIRE.run(connection, id=row.id, error=error, code=code, now=now) for row in postponed)
        return ReleasedSends(expired=expired, bot_id=first.bot_id, code=code)
    if turn_id is not None and first.author is None and handoffs.has_person(connection, first.conversation_id):
        outbox.withhold(connection, first.conversation_id or 0)
        return ReleasedSends(bot_id=first.bot_id, code=code)
    for row in postponed:
        READY.do(connection, id=row.id)
    if turn_id is None:
        return ReleasedSends(proactive=outbox.claim(connection, first, "rest"), bot_id=first.bot_id, code=code)
    return ReleasedSends(conversation_id=first.conversation_id, bot_id=first.bot_id, code=code)


def _failed(connection: Connection, row_id: int, code: str, spread: float, waits: float | None) -> Failure | None:
    found = SENT_ROW.first(connection, id=row_id)
    if found is None:
        return None
    turn_id, part, attempt, created_at, body, content = found
    in_words = code in OF_CONTENT and is_offer(decoded(body, content))
    if (code in PASSING or in_words) and attempt <= len(PAUSES):
        due = datetime.now(UTC) + timedelta(seconds=0 if in_words else PAUSES[attempt - 1] * spread)
        if due - datetime.fromisoformat(created_at) <= LONGEST_AGE:
            # Of two concurrent callbacks one replaces the row.
            copy = COPY_IN_WORDS if in_words else COPY
            return "sent again" if _postpone(connection, row_id, turn_id, part, code, due, copy) else None
    if code in OUTSIDE and waits is not None and waiting_sends.after_refusal(connection, row_id, waits):
        return "waits"
    if code in OUTSIDE:
        conversations.note_window_refused(connection, row_id, timestamp())
    if code in REFUSING_CODES:
        note_refusal(connection, row_id, code)
    return "for good" if NOT_DELIVERED.run(connection, id=row_id, code=code) else None


def _postpone(
    connection: Connection,
    row_id: int,
    turn_id: int | None,
    part: int,
    code: str,
    due: datetime,
    copy: Insert = COPY,
) -> bool:
    if not REPLACE.run(connection, id=row_id):
        return False
    copy_id = copy.one(connection, id=row_id)
    payload: dict[str, Any] = {"message": copy_id, "code": code}
    key = f"message {copy_id}"
    if turn_id is not None:
        # Parts that fail one after the other share a timer, so that they are sent in their order.
        POSTPONE_REST.do(connection, turn_id=turn_id, part=part)
        payload, key = {"turn": turn_id, "code": code}, f"turn {turn_id}"
    timers.put(connection, KIND, key, due, payload)
    return True


def _is_too_late(connection: Connection, row: OutboxRow, created_at: str) -> bool:
    now = datetime.now(UTC)
    if now - datetime.fromisoformat(created_at) > LONGEST_AGE:
        return True
    is_approved = isinstance(row.content, OutboundTemplate) and not is_offer(row.content)
    if is_approved or row.conversation_id is None:
        return False
    (heard,) = LAST_INBOUND.one(connection, conversation_id=row.conversation_id)
    return heard is not None and now - datetime.fromisoformat(heard) > WINDOW
