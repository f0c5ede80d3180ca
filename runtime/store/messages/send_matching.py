"""Which of Twilio's messages is which row's: each settles one row of the outbox only. Functions over a connection.

Whoever sends a message is told Twilio's id of it. When that answer is lost, the id is looked for among the messages of
the same words to the same user, where another row's may be, which nobody has recorded yet. So whoever takes one notes
on each of those rows that it is disputed, and who sends such a row asks before it is recorded as sent. As many messages
as rows of the same words go out, whichever of them is taken for which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages.outbox import OutboxRow, SendTakenOver

SENT = Statement(
    "UPDATE outbox SET state = 'sent', message_sid = coalesce(:message_sid, message_sid),"
    " status = coalesce(status, :status), settled_at = :now WHERE id = :id AND state = 'sending' AND disputed = 0"
)
SENT_UNDISPUTED = Statement(
    "UPDATE outbox SET state = 'sent', message_sid = coalesce(:message_sid, message_sid),"
    " status = coalesce(status, :status), settled_at = :now, disputed = 0 WHERE id = :id"
)
SAME_WORDS = Statement(
    "SELECT id FROM outbox WHERE state IN ('ready', 'sending') AND state = 'sending' AND sender = :sender"
    " AND recipient = :recipient AND body = :body ORDER BY id"
)
HOLD = Statement(
    "UPDATE outbox SET disputed = disputed WHERE id = :id AND state = 'sending' AND claimed_at = :claimed_at"
    " RETURNING message_sid, status"
)
HOLD_SENDING = Statement("UPDATE outbox SET disputed = disputed WHERE id = :id AND state = 'sending'")
DISPUTE = Statement("UPDATE outbox SET disputed = 1 WHERE id = :id AND state = 'sending'")
OTHER_S = Statement("SELECT 1 FROM outbox WHERE message_sid = :message_sid AND id <> :id LIMIT 1")
NAMELESS = Statement(
    "SELECT id FROM outbox WHERE message_sid IS NULL AND state = 'sent' AND sender = :sender"
    " AND recipient = :recipient AND body = :body AND claimed_at >= :since AND id <> :id"
)


class SentMeanwhile(Exception):
    """The same words went out while Twilio was asked; whether its list has them already, only a new one tells."""


def mark_sent(connection: Connection, row_id: int, message_sid: str | None, status: str | None) -> bool:
    """Notes that a row went out, unless somebody else did; without Twilio's id in a webhook's response.

    False when its message counts as another row's, or may: then it is looked for like one whose outcome is unknown.
    """
    values = {"id": row_id, "message_sid": message_sid, "status": status, "now": timestamp()}
    if SENT.run(connection, **values) or not HOLD_SENDING.run(connection, id=row_id):
        return True
    if message_sid is None or _is_other_s(connection, message_sid, row_id):
        return False
    SENT_UNDISPUTED.run(connection, **values)
    return True


def nameless(connection: Connection, row: OutboxRow, since: str) -> set[int]:
    """Other rows of the same words that went out since a moment, and whose id of Twilio's no callback has told yet."""
    found = NAMELESS.rows(connection, sender=row.sender, recipient=row.recipient, body=row.body, since=since, id=row.id)
    return {row_id for (row_id,) in found}


def settle(
    connection: Connection, row: OutboxRow, listed: Mapping[str, str], since: str, known: Collection[int]
) -> tuple[str, str] | None:
    """Finds a row's message among those that Twilio listed (id → status, oldest first, of the same words, since a
    moment) and notes that it went out: its id and status, None when none is left for it.

    `known` were `nameless` long enough before, so they are in the list. Raises SentMeanwhile when there are more of
    them now, SendTakenOver when the row is no longer this process's to settle.
    """
    message_sid, status = _hold(connection, row)
    if message_sid is None or _is_other_s(connection, message_sid, row.id):
        without_sid = nameless(connection, row, since)
        free = [sid for sid in listed if not _is_other_s(connection, sid, row.id)]
        if free and not without_sid <= set(known):
            raise SentMeanwhile(f"The words of message {row.id} went to its user while Twilio was asked for them.")
        if len(free) <= len(without_sid):
            return None
        message_sid = free[len(without_sid)]
        status = listed[message_sid]
    SENT_UNDISPUTED.run(connection, id=row.id, message_sid=message_sid, status=status, now=timestamp())
    return message_sid, str(status)


def _hold(connection: Connection, row: OutboxRow) -> tuple[str | None, str | None]:
    """Keeps everybody else from settling a row, or one of the same words, until the transaction ends; returns what
    callbacks have told of it.

    In the order of their ids, so that two replicas which settle such rows at once wait for one another.
    """
    told: tuple[str | None, str | None] | None = None
    for (row_id,) in SAME_WORDS.rows(connection, sender=row.sender, recipient=row.recipient, body=row.body):
        if row_id == row.id:
            told = HOLD.first(connection, id=row_id, claimed_at=row.claimed_at)
        else:
            DISPUTE.run(connection, id=row_id)
    if told is None:
        raise SendTakenOver(f"Message {row.id} was taken over by another replica while this one was silent.")
    return told


def _is_other_s(connection: Connection, message_sid: str, row_id: int) -> bool:
    return OTHER_S.first(connection, message_sid=message_sid, id=row_id) is not None
