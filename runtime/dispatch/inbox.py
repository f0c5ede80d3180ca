"""Takes messages in and sees to it that each conversation is answered, in order, by one turn at a time.

    SQLite       runtime.dispatch.single_process  a task for each busy conversation, in the one process that serves it
    PostgreSQL   runtime.dispatch.replicas        a job for each message, run by whichever replica fetches it

Both call the same `Turns`, and the store is the truth for both: a driver only decides who runs a turn, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.delivery.delivery import Delivery
from runtime.dispatch.single_process import EmbeddedInbox
from runtime.store.database.database import Database
from runtime.store.messages.inbox import InboundMessage
from runtime.turns.turn import Turns
from runtime.twilio.twiml import ReplyWindow


class Inbox(Protocol):
    """What the message path asks of a driver."""

    async def accept(self, message: InboundMessage, window: ReplyWindow | None) -> bool:
        """Stores a message and has it answered; False when it was here already. On disk when this returns.

        The window gets the answer if this process has it in time.
        """

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[bool]:
        """As accept for messages without a webhook, in their order and all or none of them."""

    async def start(self) -> None:
        """Takes up what earlier processes left: first what they did not send, then what they did not answer."""

    async def stop(self, grace_seconds: float) -> None:
        """Begins no further turn, waits so long for those in flight, and leaves the rest to others or the next start.
        Messages are accepted still."""

    @property
    def busy(self) -> int:
        """How many conversations this process is busy with."""


def open_inbox(database_url: str, database: Database, turns: Turns, delivery: Delivery) -> Inbox:
    """The driver for that database."""
    if database_url.startswith("sqlite:///"):
        return EmbeddedInbox(database, turns, delivery)
    # What only PostgreSQL needs is not loaded for SQLite.
    from runtime.dispatch.replicas import ReplicatedInbox

    return ReplicatedInbox(database_url, database, turns, delivery)
