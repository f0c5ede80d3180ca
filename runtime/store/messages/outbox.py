"""Messages to send: the intent is on disk before the send, the outcome after it. Functions over a connection.

    ready ──claim──► sending ──► sent       with Twilio's sid, then its delivery status
       │                └──────► failed     refused for good, or its outcome cannot be known
       └──────────────────────► withheld    a person took the conversation before it was sent

What Twilio accepted may fail later; then it may be sent again (`postponed_sends`).

A row found in `sending` at start was interrupted between the two; only Twilio knows whether it was sent
(`send_matching`). A claim holds until another process claims the row; a replica that counted as crashed detects that by
claiming it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Insert, Statement, pipelined
from runtime.store.database.times import SKEW_SECONDS, later, timestamp
from runtime.store.delivery_errors import OUTSIDE
from runtime.store.errors import NumberNeeded, OptedOut, PersonBlocked
from runtime.store.messages import conversations, person_marks
from runtime.store.messages.conversations import KnownUser
from runtime.store.messages.opt_outs import NOT_MARKETING, REFUSING_CODES, note_refusal
from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundTemplate,
    OutboundText,
    decoded,
    encoded,
)
from runtime.store.usage import ledger
from runtime.store.usage.ledger import Line, MessageCategory, MessagePrices, SentMessageFacts
from schemas.addresses import is_user_id, number_of, other_spelling

Channel = Literal["twiml", "rest"]

FINAL_STATUSES = frozenset({"failed", "undelivered", "canceled"})
STATUS_RANK = {
    "accepted": 1,
    "scheduled": 1,
    "queued": 2,
    "sending": 3,
    "sent": 4,
    **dict.fromkeys(FINAL_STATUSES, 5),
    "delivered": 6,
    "read": 7,
}
"""Twilio's callbacks come late, twice and in any order: the highest rank counts, and a status never goes back. What was
shown on a phone has not failed, whatever comes after it. A status that is not known here ranks below all."""
SETTLED = frozenset({"failed", "replaced", "withheld"})
"""States of rows that no status changes."""


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
    template_category: MessageCategory = "template"
    """Meta's category, where the content is a template."""
    author: str | None = None
    """The person who wrote it; None: the assistant, or a program."""

    def __post_init__(self) -> None:
        if self.channel == "twiml" and isinstance(self.content, OutboundTemplate | OutboundLocation):
            raise ValueError("TwiML carries neither a content template nor a place; send it over REST.")

    @property
    def category(self) -> MessageCategory:
        """By which Meta charges for it."""
        return self.template_category if isinstance(self.content, OutboundTemplate) else "service"

    @property
    def needs_number(self) -> bool:
        """Whether WhatsApp delivers it to a number only. Meta: templates of this category refuse ids of users."""
        return self.category == "authentication"

    @property
    def is_marketing(self) -> bool:
        """Whether, sent by itself, it is what a person who wants no marketing does not get."""
        return self.category not in NOT_MARKETING


class OutboxRow(NamedTuple):
    """A message of the outbox. A named tuple, as all that each message makes several of."""

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
    author: str | None = None
    """The person who wrote it."""


class SendTakenOver(Exception):
    """A process that counted as crashed is active again with a message that another process owns now."""


class SendPostponed(Exception):
    """A message is not to be sent yet: the part before it failed for a passing reason and is sent again first."""


class SendWithheld(Exception):
    """A message of the assistant is not sent any more: a person took its conversation."""


@dataclass(frozen=True, slots=True)
class RecordedStatus:
    """The row that a status callback was about."""

    row_id: int
    before: str | None
    """Its status until then."""
    charged: Sequence[Line] = ()
    """What it added to the ledger."""


@dataclass(frozen=True, slots=True)
class AwaitedStatus:
    """A sent message of which a callback may still come."""

    account_sid: str
    message_sid: str | None
    """None: it was sent in a webhook's response, and no callback named it yet."""
    sender: str
    recipient: str
    status: str | None
    sent_at: datetime


COLUMNS = (
    "id, turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, content, channel, state,"
    " claimed_at, resumed, author"
)
ADD = Insert(
    "INSERT INTO outbox (turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, content,"
    " channel, state, created_at, claimed_at, category, is_after_ad, author) VALUES (:turn_id, :conversation_id,"
    " :bot_id, :part, :account_sid, :sender, :recipient, :body, :content, :channel, :state, :now, :claimed_at,"
    " :category, :is_after_ad, :author)"
)
CLAIM = Statement(
    "UPDATE outbox SET state = 'sending', channel = :channel, claimed_at = :now, disputed = 0"
    " WHERE id = :id AND state IN ('ready', 'sending') AND coalesce(claimed_at, '') = :claimed_at"
    " AND withheld_at IS NULL"
)
STATE = Statement("SELECT state, withheld_at, error FROM outbox WHERE id = :id")
WITHHOLD = Statement(
    "UPDATE outbox SET withheld_at = :now, error = :reason,"
    " state = CASE WHEN state = 'sending' THEN state ELSE 'withheld' END"
    " WHERE conversation_id = :conversation_id AND turn_id IS NOT NULL AND author IS NULL"
    " AND state IN ('ready', 'postponed', 'sending') AND withheld_at IS NULL RETURNING state"
)
"""One that is being sent has left, or is found not to have left; it is never claimed again."""
SETTLE_WITHHELD = Statement(
    "UPDATE outbox SET state = 'withheld', settled_at = :now"
    " WHERE id = :id AND state = 'sending' AND withheld_at IS NOT NULL"
)
WITHHELD = "A person took the conversation before it was sent."
WITHHOLD_ALL = Statement(
    "UPDATE outbox SET withheld_at = :now, error = :reason, settled_at = CASE WHEN state = 'sending' THEN NULL"
    " ELSE :now END, state = CASE WHEN state = 'sending' THEN state ELSE 'withheld' END"
    " WHERE conversation_id = :conversation_id AND state IN ('ready', 'postponed', 'sending', 'waiting')"
    " AND withheld_at IS NULL"
)
BLOCKED = "The person was blocked before it was sent."
FAILED = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, error_code = :code, settled_at = :now"
    " WHERE id = :id AND state IN ('ready', 'sending')"
)
FAILED_REST = Statement(
    "UPDATE outbox SET state = 'failed', error = :error, settled_at = :now"
    " WHERE turn_id = :turn_id AND part > :part AND state IN ('ready', 'postponed')"
)
IN_WORDS = Statement("UPDATE outbox SET content = NULL WHERE id = :id")
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
    " AND waits_until IS NULL AND campaign_id IS NULL"
    " AND (coalesce(claimed_at, created_at) < :before OR coalesce(claimed_at, created_at) > :ahead) ORDER BY id"
)
_STATUS = "id, status, charged, bot_id, sender, turn_id, coalesce(claimed_at, created_at), category, is_after_ad"
BY_ID = Statement(
    f"SELECT {_STATUS} FROM outbox WHERE id = :id AND account_sid = :account_sid AND sender = :sender"  # noqa: S608
    " AND recipient IN (:recipient, :other)"
)
BY_SID = Statement(
    f"SELECT {_STATUS} FROM outbox WHERE account_sid = :account_sid AND message_sid = :message_sid"  # noqa: S608
)
OLDEST_TWIML = Statement(
    f"SELECT {_STATUS} FROM outbox WHERE account_sid = :account_sid AND message_sid IS NULL"  # noqa: S608
    " AND channel = 'twiml' AND state IN ('sending', 'sent') AND sender = :sender"
    " AND recipient IN (:recipient, :other) ORDER BY id LIMIT 1"
)
SENT_ROW = Statement(f"SELECT {_STATUS} FROM outbox WHERE id = :id")  # noqa: S608
STATUS = Statement("SELECT status FROM outbox WHERE id = :id")
SET_STATUS = Statement(
    "UPDATE outbox SET status = :status, message_sid = :message_sid, error = coalesce(:error, error),"
    " charged = :charged WHERE id = :id AND charged = :was_charged"
)
SENT_SINCE = Statement(
    "SELECT id, account_sid, message_sid, sender, recipient, status, coalesce(claimed_at, created_at), state, charged"
    " FROM outbox WHERE id > :behind ORDER BY id DESC LIMIT :limit"
)
CHARGE = Statement("UPDATE outbox SET charged = :charged WHERE id = :id AND charged = :was_charged")


def add_to_outbox(
    connection: Connection, message: OutboundMessage, turn_id: int | None = None, *, is_after_ad: bool = False
) -> OutboxRow:
    """Writes the intent to send. `is_after_ad`: whether Meta charges nothing for it, see `conversations`."""
    return add_later(connection, message, turn_id, is_after_ad=is_after_ad)()


def add_later(
    connection: Connection, message: OutboundMessage, turn_id: int | None, *, is_after_ad: bool
) -> Callable[[], OutboxRow]:
    """As `add_to_outbox`; the row is returned when it is asked for, which waits for everything before it as well."""
    now = timestamp()
    state = "sending" if message.claimed else "ready"
    claimed_at = now if message.claimed else None
    row_id = ADD.one_later(
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
        category=message.category,
        is_after_ad=int(is_after_ad),
        author=message.author,
    )
    return lambda: OutboxRow(
        row_id(),
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
        0,
        message.author,
    )


def located(connection: Connection, message: OutboundMessage) -> tuple[OutboundMessage, KnownUser | None]:
    """A bot's proactive message in its conversation with the recipient. For a user id it goes to their number where
    that is known, for Twilio refuses the id then, else to the address from which they last wrote. Raises OptedOut,
    PersonBlocked and NumberNeeded."""
    bot_id, to = message.bot_id or "", message.recipient
    known = conversations.known_user(connection, bot_id, to)
    if known is not None and not conversations.is_held(connection, known.conversation_id):
        known = conversations.known_user(connection, bot_id, to)  # the one that was found has just been erased
    if known is None:
        _check_number(message, to)
        made = conversations.conversation_of(connection, bot_id, to, to)
        _check_wanted(message, conversations.known_user(connection, bot_id, to))
        return replace(message, conversation_id=made), None
    _check_wanted(message, known)
    if is_user_id(to) and known.address is not None:
        to = conversations.reply_address(known.address, known.phone)
    _check_number(message, to)
    return replace(message, recipient=to, conversation_id=known.conversation_id), known


def add_proactive(connection: Connection, message: OutboundMessage) -> tuple[OutboxRow, str | None]:
    """Writes the intent to send a proactive message, in the bot's conversation with the recipient; also returns when
    the user last wrote to it. Without a bot there is no conversation. Raises OptedOut, PersonBlocked and
    NumberNeeded."""
    if message.bot_id is None:
        _check_number(message, message.recipient)
        for mark in person_marks.marks_for(connection, "", [message.recipient]):
            if mark.kind == "blocked":
                raise PersonBlocked(mark.at)
        return add_to_outbox(connection, message), None
    found, known = located(connection, message)
    if known is None:
        return add_to_outbox(connection, found), None
    is_after_ad = conversations.reply_after_ad(
        connection, known.conversation_id, *conversations.ad_state(connection, known.conversation_id)
    )
    return add_to_outbox(connection, found, is_after_ad=is_after_ad), known.last_inbound


def _check_wanted(message: OutboundMessage, known: KnownUser | None) -> None:
    """Raises PersonBlocked, and OptedOut for a message of a list that its recipient left; both may be known of a person
    with whom there was no conversation any more."""
    if known is None:
        return
    if known.blocked_at is not None:
        raise PersonBlocked(known.blocked_at)
    if known.opted_out_at is not None and (known.opted_out_of == "all" or message.is_marketing):
        raise OptedOut(known.opted_out_at, known.opted_out_of or "marketing")


def _check_number(message: OutboundMessage, to: str) -> None:
    """Raises NumberNeeded for a template that WhatsApp delivers to a number only."""
    if message.needs_number and is_user_id(to):
        raise NumberNeeded(number_of(to))


@pipelined
def claim(connection: Connection, row: OutboxRow, channel: Channel) -> OutboxRow:
    """Marks a row as being sent over a channel, and returns it; raises SendTakenOver when it was claimed by another
    process or is settled, SendPostponed when it is not to be sent yet, SendWithheld when it never is."""
    now = timestamp()
    if not CLAIM.run(connection, id=row.id, claimed_at=row.claimed_at or "", channel=channel, now=now):
        state, withheld_at, why = STATE.first(connection, id=row.id) or ("", None, None)
        if withheld_at is not None:
            said = "its person was blocked" if why == BLOCKED else "a person took its conversation"
            raise SendWithheld(f"Message {row.id} is not sent: {said} at {withheld_at}.")
        if state == "postponed":
            raise SendPostponed(f"Message {row.id} waits until the part before it is sent again.")
        raise SendTakenOver(f"Message {row.id} was taken over by another replica while this one was silent.")
    return row._replace(state="sending", channel=channel, claimed_at=now)


def mark_failed(connection: Connection, row: OutboxRow, error: str, code: str | None = None) -> int:
    """Records that a row failed for good, and why, together with the following parts of its answer; returns their
    number. `code` is Twilio's, where it refused the message."""
    now = timestamp()
    if code in OUTSIDE or code in REFUSING_CODES:
        conversations.lock_of_message(connection, row.id)
    failed = FAILED.run(connection, id=row.id, error=error, code=code, now=now)
    if code in REFUSING_CODES and failed:
        note_refusal(connection, row.id, code)
    if code in OUTSIDE and failed:
        conversations.note_window_refused(connection, row.id, now)
    if row.turn_id is not None:
        rest = "The part before this one could not be sent."
        failed += FAILED_REST.run(connection, turn_id=row.turn_id, part=row.part, error=rest, now=now)
    return failed


def withhold(connection: Connection, conversation_id: int) -> int:
    """Withholds what the assistant has not sent yet in a conversation; returns the number of messages that certainly
    were not."""
    rows = WITHHOLD.rows(connection, conversation_id=conversation_id, now=timestamp(), reason=WITHHELD)
    return sum(state == "withheld" for (state,) in rows)


def withhold_all(connection: Connection, conversation_id: int) -> int:
    """Withholds everything that was not sent yet in a conversation; returns how many messages."""
    return WITHHOLD_ALL.run(connection, conversation_id=conversation_id, now=timestamp(), reason=BLOCKED)


def settle_withheld(connection: Connection, row_id: int) -> None:
    """Records that a message was withheld which its process had claimed, and which Twilio does not have."""
    SETTLE_WITHHELD.run(connection, id=row_id, now=timestamp())


def put_in_words(connection: Connection, row: OutboxRow) -> OutboxRow:
    """Claims a row that is being sent again, replaces its buttons or list by its readable form, and returns it; raises
    as `claim` does."""
    mine = claim(connection, row, row.channel)
    IN_WORDS.run(connection, id=row.id)
    return mine._replace(content=OutboundText(row.content.readable))


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


def latest_status(current: str | None, status: str) -> str:
    """Of the recorded status and one that came now, the one that is further on its way. Of two ends the first stays,
    of `accepted` and `scheduled` the last."""
    if current is None:
        return status
    known, new = STATUS_RANK.get(current, 0), STATUS_RANK.get(status, 0)
    return status if new > known or (new == known and status not in FINAL_STATUSES) else current


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
    prices: MessagePrices,
) -> RecordedStatus | None:
    """Records a status callback, and adds what it makes known to the ledger; None when the message is not in the
    outbox.

    For a message sent over REST the callback's URL contains the row's id, which identifies it unless the message was
    attributed to another row (see `send_matching`). An answer that was sent as TwiML has no sid here at first: the
    first callback that matches the oldest of them sets it.
    """
    other = other_spelling(recipient)
    parties = {"account_sid": account_sid, "sender": sender, "recipient": recipient, "other": other}
    while True:
        found = BY_SID.first(connection, account_sid=account_sid, message_sid=message_sid)
        if found is None and row_id is not None:
            found = BY_ID.first(connection, id=row_id, **parties)
        elif found is None:
            found = OLDEST_TWIML.first(connection, **parties)
        if found is None:
            return None
        current, step = found[1:3]
        latest = latest_status(current, status)
        if SET_STATUS.run(
            connection,
            id=found[0],
            status=latest,
            message_sid=message_sid,
            error=error,
            charged=max(step, ledger.step_of(latest)),
            was_charged=step,
        ):
            charged = ledger.add_message_out(connection, prices, _facts(found), latest, step)
            return RecordedStatus(found[0], current, charged)
        # On PostgreSQL another callback about it was committed between the two statements.


def awaited_statuses(
    connection: Connection, behind: int, oldest: datetime, limit: int
) -> tuple[list[AwaitedStatus], int]:
    """Messages after row `behind` that were sent since `oldest` and may still be charged, of the newest `limit` rows;
    and the row behind which there are none."""
    rows = SENT_SINCE.rows(connection, behind=behind, limit=limit)
    open_ids, awaited = [], []
    for row_id, account_sid, message_sid, sender, recipient, status, sent_at, state, charged in rows:
        at = datetime.fromisoformat(sent_at)
        if at < oldest or state in SETTLED or charged >= ledger.META or status in FINAL_STATUSES:
            continue
        open_ids.append(row_id)
        if state == "sent":
            awaited.append(AwaitedStatus(account_sid, message_sid, sender, recipient, status, at))
    last = rows[0][0] if rows else behind
    return awaited, min(open_ids) - 1 if open_ids else last


def charge(connection: Connection, row_id: int, prices: MessagePrices) -> list[Line]:
    """Adds to the ledger what the row's status makes known, where it was recorded otherwise than by a callback."""
    found = SENT_ROW.one(connection, id=row_id)
    status, step = found[1:3]
    reached = ledger.step_of(status or "")
    if reached <= step or not CHARGE.run(connection, id=row_id, charged=reached, was_charged=step):
        return []
    return ledger.add_message_out(connection, prices, _facts(found), status, step)


def _facts(row: tuple[Any, ...]) -> SentMessageFacts:
    """Of a row of _STATUS."""
    row_id, _, _, bot_id, sender, turn_id, sent_at, category, is_after_ad = row
    return SentMessageFacts(row_id, bot_id, number_of(sender), turn_id, sent_at, category, bool(is_after_ad))
