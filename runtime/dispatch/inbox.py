"""Takes messages in and sees to it that each conversation is answered, in order, by one turn at a time.

    SQLite       runtime.dispatch.single_process  a task for each busy conversation, in the one process that serves it
    PostgreSQL   runtime.dispatch.replicas        a job for each message, run by whichever replica fetches it

Both call the same `Turns`, and the store is the truth for both: a driver only decides who runs a turn, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.delivery.delivery import Delivery
from runtime.delivery.reply_window import ReplyWindows
from runtime.dispatch.single_process import EmbeddedInbox
from runtime.store.database.database import Database
from runtime.store.database.url import is_sqlite
from runtime.store.messages.inbox import InboundMessage, Taken
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns


class Inbox(Protocol):
    """What the message path asks of a driver."""

    async def accept(self, message: InboundMessage) -> Taken | None:
        """Stores a message and has it answered; None when it was here already. On disk when this returns.

        A reply window that is opened for it at once, with nothing awaited before, is there before its turn ends.
        """

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[Taken | None]:
        """As accept for messages without a webhook, in their order and all or none of them."""

    async def start(self) -> None:
        """Takes up what earlier processes left: first what they did not send, then what they did not answer."""

    async def stop(self, grace_seconds: float) -> None:
        """Begins no further turn, waits so long for those in flight, and leaves the rest to others or the next start.
        Messages are accepted still."""

    @property
    def busy(self) -> int:
        """How many conversations this process is busy with."""


def open_inbox(
    database_url: str, database: Database, turns: Turns, owned: OwnedTurns, delivery: Delivery, windows: ReplyWindows
) -> Inbox:
    """The driver for that database."""
    if is_sqlite(database_url):
        return EmbeddedInbox(database, turns, owned, delivery, windows)
    # What only PostgreSQL needs is not loaded for SQLite.
    from runtime.dispatch.replicas import ReplicatedInbox

    return ReplicatedInbox(database_url, database, turns, owned, delivery, windows)
