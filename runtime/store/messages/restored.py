"""What a restored store does not know: which of its messages were answered after the backup. Functions over a
connection."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

OPEN = Statement(
    "SELECT inbox.id, inbox.account_sid, message_sid, twilio_phone_number, sender, received_at"
    " FROM inbox JOIN bots ON bots.id = inbox.bot_id WHERE inbox.state = 'open' ORDER BY inbox.id"
)
ANSWERED = Statement("UPDATE inbox SET state = 'answered' WHERE id = :id AND state = 'open'")
END_TURNS = Statement(
    "UPDATE turns SET state = 'answered', finished_at = :now, progress = NULL WHERE state = 'running'"
    " AND EXISTS (SELECT 1 FROM inbox WHERE turn_id = turns.id)"
    " AND NOT EXISTS (SELECT 1 FROM inbox WHERE turn_id = turns.id AND state = 'open')"
)
OLDEST_UNSENT = Statement("SELECT min(created_at) FROM outbox WHERE state IN ('ready', 'postponed', 'sending')")
DOUBT = Statement(
    "UPDATE outbox SET state = 'sending', claimed_at = coalesce(claimed_at, created_at)"
    " WHERE state IN ('ready', 'postponed')"
)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A message that waits for an answer, as far as the backup knows."""

    inbox_id: int
    account_sid: str
    message_sid: str
    number: str
    """The bot's number."""
    sender: str
    """The user's address."""
    received_at: str


def open_messages(connection: Connection) -> list[OpenMessage]:
    """All messages that wait for an answer, the oldest first."""
    return [OpenMessage(*row) for row in OPEN.rows(connection)]


def oldest_unsent(connection: Connection) -> str | None:
    """When the oldest answer was made whose send is not recorded; None when there is none."""
    (moment,) = OLDEST_UNSENT.one(connection)
    return None if moment is None else str(moment)


def settle(connection: Connection, answered: Collection[int]) -> None:
    """Closes messages of the inbox that were answered after the backup, and their turns. What was ready to be sent, or
    to be sent again, may have been: its outcome is looked up at Twilio before it is sent."""
    for inbox_id in answered:
        ANSWERED.run(connection, id=inbox_id)
    END_TURNS.run(connection, now=timestamp())
    DOUBT.run(connection)
