"""Messages to send: the intent is on disk before the send, the outcome after it. Functions over a connection.

    ready ──claim──► sending ──► sent       with Twilio's sid, then its delivery status
                        └──────► failed     refused for good, or its outcome cannot be known

What Twilio accepted may fail later; then it may be sent again (`postponed_sends`).

A row found in `sending` at start was interrupted between the two; only Twilio knows whether it was sent
(`send_matching`). A claim holds until another process claims the row; a replica that counted as crashed detects that by
claiming it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection

from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import SKEW_SECONDS, later, timestamp
from runtime.store.errors import OptedOut
from runtime.store.messages import conversations
from runtime.store.messages.outbound_content import OutboundContent, OutboundTemplate, decoded, encoded
from schemas.addresses import is_user_id, other_spelling

Channel = Literal["twiml", "rest"]

STATUS_RANK = {"accepted": 1, "scheduled": 1, "queued": 2, "sending": 3, "sent": 4, "delivered": 5, "read": 6}
"""Twilio's callbacks come in any order; a status never goes back."""
FINAL_STATUSES = frozenset({"failed", "undelivered", "canceled"})


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message to be sent."""

    account_sid: str
    sender: str
    """The bot's address, `whatsapp:+…`."""
    recipient: str
    content: OutboundContent
    channel: Channel
    claimed: bool
    """Whether sending begins as soon as this is on disk."""
    part: int = 0
    bot_id: str | None = None
    conversation_id: int | None = None

    def __post_init__(self) -> None:
        if self.channel == "twiml" and isinstance(self.content, OutboundTemplate):
            raise ValueError("TwiML carries no content template; send it over REST.")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message of the outbox."""

    id: int
    turn_id: int | None
    conversation_id: int | None
    bot_id: str | None
    part: int
    account_sid: str
    sender: str
    recipient: str
    content: OutboundContent
    channel: Channel
    state: str
    claimed_at: str | None
    resumed: int = 0
    """Number of processes that resumed this row and crashed before recording an outcome."""


class SendTakenOver(Exception):
    """A process that counted as crashed is active again with a message that another process owns now."""


class SendPostponed(Exception):
    """A message is not to be sent yet: the part before it failed for a passing reason and is sent again first."""


@dataclass(frozen=True, slots=True)
class RecordedStatus:
    """The row that a status callback was about."""

    row_id: int
    before: str | None
    """Its status until then."""


COLUMNS = (
    "id, turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, content, channel, state,"
    " claimed_at, resumed"
)
ADD = Insert(
    "INSERT INTO outbox (turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, content,"
    " channel, state, created_at, claimed_at) VALUES (:turn_id, :conversation_id, :bot_id, :part, :account_sid,"
    " :sender, :recipient, :body, :content, :channel, :state, :now, :claimed_at)"
)
CLAIM = Statement(
    "UPDATE outbox SET state = 'sending', channel = :channel, claimed_at = :now, disputed = 0"
    " WHERE id = :id AND state IN ('ready', 'sending') AND coalesce(claimed_at, '') = :claimed_at"
)
STATE = Statement("SELECT state FROM outbox WHERE id = :id")
FAILED = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, error_code = :code, settled_at = :now"
    " WHERE id = :id AND state IN ('ready', 'sending')"
)
FAILED_REST = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, settled_at = :now"
    " WHERE turn_id = :turn_id AND part > :part AND state IN ('ready', 'postponed')"
)
RESUMED = Statement("UPDATE outbox SET resumed = resumed + :count WHERE id = :id")
UNSENT_OF = Statement(
    f"SELECT {COLUMNS} FROM outbox WHERE conversation_id = :conversation_id"  # noqa: S608 - our own column names
    " AND turn_id IS NOT NULL AND state IN ('ready', 'sending') ORDER BY turn_id, part, id"
)
UNSENT_CONVERSATIONS = Statement(
    "SELECT conversation_id FROM outbox WHERE state IN ('ready', 'sending') AND turn_id IS NOT NULL"
    " GROUP BY conversation_id ORDER BY min(id)"
)
UNSENT_PROACTIVE = Statement(
    f"SELECT {COLUMNS} FROM outbox WHERE turn_id IS NULL AND state IN ('ready', 'sending')"  # noqa: S608
    " AND (coalesce(claimed_at, created_at) < :before OR coalesce(claimed_at, created_at) > :ahead) ORDER BY id"
)
BY_ID = Statement(
    "SELECT id, status FROM outbox WHERE id = :id AND account_sid = :account_sid AND sender = :sender"
    " AND recipient IN (:recipient, :other)"
)
BY_SID = Statement("SELECT id, status FROM outbox WHERE account_sid = :account_sid AND message_sid = :message_sid")
OLDEST_TWIML = Statement(
    "SELECT id, status FROM outbox WHERE account_sid = :account_sid AND message_sid IS NULL AND channel = 'twiml'"
    " AND state IN ('sending', 'sent') AND sender = :sender AND recipient IN (:recipient, :other)"
    " ORDER BY id LIMIT 1"
)
STATUS = Statement("SELECT status FROM outbox WHERE id = :id")
SET_STATUS = Statement(
    "UPDATE outbox SET status = :status, message_sid = :message_sid, error = coalesce(:error, error) WHERE id = :id"
)


def add_to_outbox(connection: Connection, message: OutboundMessage, turn_id: int | None = None) -> OutboxRow:
    """Writes the intent to send."""
    now = timestamp()
    state = "sending" if message.claimed else "ready"
    claimed_at = now if message.claimed else None
    row_id = ADD.one(
        connection,
        turn_id=turn_id,
        conversation_id=message.conversation_id,
        bot_id=message.bot_id,
        part=message.part,
        account_sid=message.account_sid,
        sender=message.sender,
        recipient=message.recipient,
        body=message.content.readable,
        content=encoded(message.content),
        channel=message.channel,
        state=state,
        now=now,
        claimed_at=claimed_at,
    )
    return OutboxRow(
        row_id,
        turn_id,
        message.conversation_id,
        message.bot_id,
        message.part,
        message.account_sid,
        message.sender,
        message.recipient,
        message.content,
        message.channel,
        state,
        claimed_at,
    )


def add_proactive(connection: Connection, message: OutboundMessage) -> tuple[OutboxRow, str | None]:
    """Writes the intent to send a proactive message, in the bot's conversation with the recipient; also returns when
    the user last wrote to it. Without a bot there is no conversation. For a user id it goes to the address from which
    the user last wrote: while WhatsApp shows a number, Twilio refuses the id. Raises OptedOut."""
    if message.bot_id is None:
        return add_to_outbox(connection, message), None
    to = message.recipient
    known = conversations.known_user(connection, message.bot_id, to)
    if known is None:
        conversation_id = conversations.conversation_of(connection, message.bot_id, to, to)
        return add_to_outbox(connection, replace(message, conversation_id=conversation_id)), None
    if known.opted_out_at is not None:
        raise OptedOut(known.opted_out_at)
    if is_user_id(to) and known.address is not None:
        to = known.address
    located = replace(message, recipient=to, conversation_id=known.conversation_id)
    return add_to_outbox(connection, located), known.last_inbound


def claim(connection: Connection, row: OutboxRow, channel: Channel) -> OutboxRow:
    """Marks a row as being sent over a channel, and returns it; raises SendTakenOver when it was claimed by another
    process or is settled, SendPostponed when it is not to be sent yet."""
    now = timestamp()
    if not CLAIM.run(connection, id=row.id, claimed_at=row.claimed_at or "", channel=channel, now=now):
        if STATE.first(connection, id=row.id) == ("postponed",):
            raise SendPostponed(f"Message {row.id} waits until the part before it is sent again.")
        raise SendTakenOver(f"Message {row.id} was taken over by another replica while this one was silent.")
    return replace(row, state="sending", channel=channel, claimed_at=now)


def mark_failed(connection: Connection, row: OutboxRow, error: str, code: str | None = None) -> int:
    """Records that a row failed for good, and why, together with the following parts of its answer; returns their
    number. `code` is Twilio's, where it refused the message."""
    now = timestamp()
    failed = FAILED.run(connection, id=row.id, error=error, code=code, now=now)
    if row.turn_id is not None:
        rest = "The part before this one could not be sent."
        failed += FAILED_REST.run(connection, turn_id=row.turn_id, part=row.part, error=rest, now=now)
    return failed


def mark_resumed(connection: Connection, row_id: int) -> None:
    """Records that a process resumes a row of another one, in case it crashes meanwhile."""
    RESUMED.run(connection, id=row_id, count=1)


def release(connection: Connection, row_id: int) -> None:
    """Records that such a process released it without a crash."""
    RESUMED.run(connection, id=row_id, count=-1)


def unsent_of(connection: Connection, conversation_id: int) -> list[OutboxRow]:
    """Unsettled answers of a conversation, in order."""
    return [row_of(*row) for row in UNSENT_OF.rows(connection, conversation_id=conversation_id)]


def unsent_conversations(connection: Connection) -> list[int]:
    """Conversations with unsettled answers, the oldest first."""
    return [row[0] for row in UNSENT_CONVERSATIONS.rows(connection)]


def unsent_proactive(connection: Connection, before: str) -> list[OutboxRow]:
    """Unsettled proactive rows that were claimed before a timestamp, in order; or at a time that is still to come,
    since the clock was set back."""
    ahead = later(timestamp(), SKEW_SECONDS)
    return [row_of(*row) for row in UNSENT_PROACTIVE.rows(connection, before=before, ahead=ahead)]


def row_of(*columns: Any) -> OutboxRow:
    """A row of COLUMNS."""
    values = [*columns[:8], decoded(columns[8], columns[9]), *columns[10:]]
    return OutboxRow(*values)


def status_of(connection: Connection, row_id: int) -> str | None:
    """Twilio's last status of a row; None when there is none yet."""
    (status,) = STATUS.one(connection, id=row_id)
    return None if status is None else str(status)


def record_status(
    connection: Connection,
    *,
    account_sid: str,
    message_sid: str,
    sender: str,
    recipient: str,
    status: str,
    error: str | None,
    row_id: int | None,
) -> RecordedStatus | None:
    """Records a status callback; None when the message is not in the outbox.

    For a message sent over REST the callback's URL contains the row's id, which identifies it unless the message was
    attributed to another row (see `send_matching`). An answer that was sent as TwiML has no sid here at first: the
    first callback that matches the oldest of them sets it.
    """
    other = other_spelling(recipient)
    parties = {"account_sid": account_sid, "sender": sender, "recipient": recipient, "other": other}
    found = BY_SID.first(connection, account_sid=account_sid, message_sid=message_sid)
    if found is None and row_id is not None:
        found = BY_ID.first(connection, id=row_id, **parties)
    elif found is None:
        found = OLDEST_TWIML.first(connection, **parties)
    if found is None:
        return None
    found_id, current = found
    if current in FINAL_STATUSES or (
        status not in FINAL_STATUSES and STATUS_RANK.get(status, 0) < STATUS_RANK.get(current, 0)
    ):
        status = current
    SET_STATUS.run(connection, id=found_id, status=status, message_sid=message_sid, error=error)
    return RecordedStatus(found_id, current)
