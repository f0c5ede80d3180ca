"""Matches Twilio's messages with rows of the outbox, one to one. Functions over a connection.

The answer to a send contains Twilio's id of the message. When that answer is lost, the id is searched among the
messages that Twilio lists to the same user, where another row's message may match as well and not be recorded yet. So a
process that takes one marks each of those rows as disputed, and the sender of such a row checks before it is recorded
as sent. As many messages as rows of the same text are sent, regardless of which is attributed to which.

    text        the same text, and no file; likewise a place by its name
    media       the same caption, and a file
    template    the same text where Twilio's rendering is as expected; else the one that matches no other row
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement, pipelined
from runtime.store.database.times import timestamp
from runtime.store.messages import outbox
from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundMedia,
    OutboundTemplate,
    OutboundText,
    decoded,
)
from runtime.store.messages.outbox import OutboxRow, SendTakenOver
from runtime.store.usage.ledger import Line, MessagePrices

MEDIA_SID = "MM"
"""Prefix of Twilio's ids of messages with files, whose number of files may not be counted yet."""

SENT = Statement(
    "UPDATE outbox SET state = 'sent', message_sid = coalesce(:message_sid, message_sid),"
    " status = coalesce(status, :status), settled_at = :now WHERE id = :id AND state = 'sending' AND disputed = 0"
)
SENT_UNDISPUTED = Statement(
    "UPDATE outbox SET state = 'sent', message_sid = coalesce(:message_sid, message_sid),"
    " status = coalesce(status, :status), settled_at = :now, disputed = 0 WHERE id = :id"
)
SENDING = Statement(
    "SELECT id, body, content, channel, message_sid FROM outbox WHERE state IN ('ready', 'sending')"
    " AND state = 'sending' AND sender = :sender AND recipient = :recipient ORDER BY id"
)
HOLD = Statement(
    "UPDATE outbox SET disputed = disputed WHERE id = :id AND state = 'sending' AND claimed_at = :claimed_at"
    " RETURNING message_sid, status"
)
HOLD_SENDING = Statement("UPDATE outbox SET disputed = disputed WHERE id = :id AND state = 'sending'")
DISPUTE = Statement("UPDATE outbox SET disputed = 1 WHERE id = :id AND state = 'sending'")
OTHER_S = Statement("SELECT 1 FROM outbox WHERE message_sid = :message_sid AND id <> :id LIMIT 1")
OWNERS = Statement("SELECT channel, body, content FROM outbox WHERE message_sid = :message_sid AND id <> :id")
REPLIES = Statement(
    "SELECT id, body, content, message_sid FROM outbox WHERE (message_sid IS NULL OR channel = 'twiml')"
    " AND state = 'sent' AND sender = :sender AND recipient = :recipient AND claimed_at >= :since AND id <> :id"
)
TAKE_SID = Statement(
    "UPDATE outbox SET message_sid = NULL WHERE message_sid = :message_sid AND id <> :id AND channel = 'twiml'"
)


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message to a user as Twilio lists it."""

    sid: str
    status: str
    body: str
    files: int
    is_reply: bool
    """Whether it was sent in a webhook's response, which Twilio calls `outbound-reply`."""


class SentReply(NamedTuple):
    """A row that was sent in a webhook's response. Its callbacks name no row, and go to the oldest one without an id:
    where those of one message were lost, each later one goes to the row before its own."""

    content: OutboundContent
    message_sid: str | None
    """As a callback said, perhaps of another message."""


class SettledSend(NamedTuple):
    """A row whose message Twilio has."""

    message_sid: str
    status: str
    charged: Sequence[Line]
    """What its status added to the ledger."""


class SentMeanwhile(Exception):
    """Another matching message was sent while Twilio was asked; only a new list shows it reliably."""


class Undecidable(Exception):
    """Several templates to one user are in doubt, and not all of them were sent; Twilio's list does not show which."""


def fits(content: OutboundContent, message: ListedMessage) -> bool:
    """Whether a listed message may be the one with this content."""
    match content:
        case OutboundText() | OutboundLocation():
            return message.body == content.body and message.files == 0
        case OutboundMedia():
            return message.body == content.caption and (message.files > 0 or message.sid.startswith(MEDIA_SID))
        case OutboundTemplate():
            return not message.is_reply  # TwiML has no templates


def may_be_mistaken(one: OutboundContent, other: OutboundContent) -> bool:
    """Whether one message may match both."""
    match one, other:
        case (OutboundTemplate(), _) | (_, OutboundTemplate()):
            return True
        case (OutboundText() | OutboundLocation(), OutboundText() | OutboundLocation()):
            return one.body == other.body
        case (OutboundMedia(), OutboundMedia()):
            return one.caption == other.caption
        case _:
            return False


@pipelined
def mark_sent(
    connection: Connection, row_id: int, message_sid: str | None, status: str | None, prices: MessagePrices | None
) -> Sequence[Line] | None:
    """Records that a row was sent, unless another process did; without Twilio's id for a webhook's response. Returns
    what that added to the ledger: mostly nothing, since callbacks do. `prices`: where the status is one of
    CHARGED_BY_TWILIO.

    None when its message is, or may be, attributed to another row: then it is settled like one with an unknown
    outcome.
    """
    values = {"id": row_id, "message_sid": message_sid, "status": status, "now": timestamp()}
    sent = SENT.last if prices is None else SENT.run
    if not sent(connection, **values) and HOLD_SENDING.run(connection, id=row_id):
        if message_sid is None or _is_other_s(connection, message_sid, row_id):
            return None
        SENT_UNDISPUTED.do(connection, **values)
    return [] if prices is None else outbox.charge(connection, row_id, prices)


def replies(connection: Connection, row: OutboxRow, since: str) -> dict[int, SentReply]:
    """Other rows that were sent to a row's user in webhooks' responses since a timestamp, by their ids."""
    found = REPLIES.rows(connection, sender=row.sender, recipient=row.recipient, since=since, id=row.id)
    return {row_id: SentReply(decoded(body, content), sid) for row_id, body, content, sid in found}


def settle(
    connection: Connection,
    row: OutboxRow,
    listed: Sequence[ListedMessage],
    since: str,
    known: Collection[int],
    prices: MessagePrices,
) -> SettledSend | None:
    """Finds a row's message among those that Twilio listed to its user since a timestamp, oldest first, and records
    that it was sent, with what that makes known to the ledger; None when none is left for it.

    `known` were `replies` long enough before, so they are in the list. Raises SentMeanwhile when further matching rows
    have no id now, Undecidable, and SendTakenOver when another process owns the row.
    """
    told, sending = _hold(connection, row)
    message_sid, status = told
    by_sid = {message.sid: message for message in listed}
    sent = replies(connection, row, since)
    if (
        message_sid is None
        or _is_other_s(connection, message_sid, row.id)
        or _is_mistaken(row, by_sid.get(message_sid), sent)
    ):
        free = [message for message in listed if fits(row.content, message) and _is_free(connection, message, row.id)]
        without_sid = {
            row_id: reply.content
            for row_id, reply in sent.items()
            if reply.message_sid is None or _says_another(reply.content, by_sid.get(reply.message_sid))
        }
        if isinstance(row.content, OutboundTemplate):
            found = _of_template(row.content, free, [*sending, *without_sid.values()])
        else:
            same = {row_id for row_id, content in without_sid.items() if may_be_mistaken(row.content, content)}
            if free and not same <= set(known):
                raise SentMeanwhile(f"The text of message {row.id} was sent to its user while Twilio was asked for it.")
            found = free[len(same)] if len(free) > len(same) else None
        if found is None:
            return None
        message_sid, status = found.sid, found.status
        TAKE_SID.do(connection, message_sid=message_sid, id=row.id)
    SENT_UNDISPUTED.run(connection, id=row.id, message_sid=message_sid, status=status, now=timestamp())
    return SettledSend(message_sid, str(status), outbox.charge(connection, row.id, prices))


def _of_template(
    content: OutboundTemplate, free: Sequence[ListedMessage], others: Sequence[OutboundContent]
) -> ListedMessage | None:
    """The message of a template among the unattributed ones. `others` are contents to the same user whose messages are
    not known either."""
    rendered = [message for message in free if message.body == content.body]
    if rendered:
        return rendered[0]
    left = [message for message in free if not any(_says(other, message) for other in others)]
    rivals = [
        other
        for other in others
        if isinstance(other, OutboundTemplate) and not any(_says(other, message) for message in free)
    ]
    if 0 < len(left) <= len(rivals):
        raise Undecidable(
            f"{len(rivals) + 1} templates to one user are in doubt, and Twilio lists {len(left)} candidates."
        )
    return left[0] if left else None


def _says(content: OutboundContent, message: ListedMessage) -> bool:
    """Whether a listed message has exactly this content's text, in Twilio's rendering too."""
    return message.body == content.body if isinstance(content, OutboundTemplate) else fits(content, message)


def _hold(connection: Connection, row: OutboxRow) -> tuple[tuple[str | None, str | None], list[OutboundContent]]:
    """Locks a row, and those that it may be mistaken for, against settling until the transaction ends; returns its id
    and status from callbacks, and the contents of the rows without a callback.

    In the order of their ids, so that two replicas which settle such rows concurrently do not deadlock.
    """
    told: tuple[str | None, str | None] | None = None
    others = []
    sending = SENDING.rows(connection, sender=row.sender, recipient=row.recipient)
    for row_id, body, stored, channel, message_sid in sending:
        content = decoded(body, stored)
        if row_id == row.id:
            told = HOLD.first(connection, id=row_id, claimed_at=row.claimed_at)
        elif may_be_mistaken(row.content, content):
            if not (isinstance(row.content, OutboundTemplate) and channel == "twiml"):
                DISPUTE.run(connection, id=row_id)
            if message_sid is None:
                others.append(content)
    if told is None:
        raise SendTakenOver(f"Message {row.id} was taken over by another replica while this one was silent.")
    return told, others


def _is_other_s(connection: Connection, message_sid: str, row_id: int) -> bool:
    return OTHER_S.first(connection, message_sid=message_sid, id=row_id) is not None


def _is_free(connection: Connection, message: ListedMessage, row_id: int) -> bool:
    """Whether a listed message is not another row's. That a callback of a webhook's response brought its id to a row
    with another text says nothing."""
    owners = OWNERS.rows(connection, message_sid=message.sid, id=row_id)
    return all(channel == "twiml" and not fits(decoded(body, content), message) for channel, body, content in owners)


def _is_mistaken(row: OutboxRow, message: ListedMessage | None, sent: Mapping[int, SentReply]) -> bool:
    """Whether the message that a callback attributed to a row is another one's, whose text it has."""
    return (
        row.channel == "twiml"
        and message is not None
        and not fits(row.content, message)
        and any(fits(reply.content, message) for reply in sent.values())
    )


def _says_another(content: OutboundContent, message: ListedMessage | None) -> bool:
    return message is not None and not fits(content, message)
