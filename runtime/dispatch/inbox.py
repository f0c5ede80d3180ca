"""Stores messages and has each conversation answered, in order, by one turn at a time.

    SQLite       runtime.dispatch.single_process  a task for each busy conversation, in the one process that serves it
    PostgreSQL   runtime.dispatch.replicas        a job for each message, run by the replica that fetches it

Both call the same `Turns`, and the store is the single source of truth: a driver only decides which process runs a
turn, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.delivery.delivery import Delivery
from runtime.delivery.reply_window import ReplyWindows
from runtime.dispatch.single_process import EmbeddedInbox
from runtime.store.database.database import Database
from runtime.store.database.url import is_sqlite
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns


class Inbox(Protocol):
    """What the message path needs of a driver."""

    async def accept(self, message: InboundMessage) -> StoredMessage | None:
        """Stores a message and has it answered; None for a duplicate. On disk when this returns.

        A reply window that is opened for it at once, with nothing awaited before, is there before its turn ends.
        """

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[StoredMessage | None]:
        """As accept for messages without a webhook, in their order and all or none of them."""

    async def send_rest(self, conversation_id: int) -> None:
        """Sends what is ready in the outbox for a conversation, between its turns."""

    async def start(self) -> None:
        """Resumes what earlier processes left: first unsent answers, then unanswered messages."""

    async def stop(self, grace_seconds: float) -> None:
        """Begins no further turn, waits `grace_seconds` for running ones, and leaves the rest to other replicas or the
        next start. Messages are still accepted."""

    @property
    def busy(self) -> int:
        """Number of conversations that this process is working on."""


def open_inbox(
    database_url: str, database: Database, turns: Turns, owned: OwnedTurns, delivery: Delivery, windows: ReplyWindows
) -> Inbox:
    """The driver for that database."""
    if is_sqlite(database_url):
        return EmbeddedInbox(database, turns, owned, delivery, windows)
    # Modules for PostgreSQL are not loaded for SQLite.
    from runtime.dispatch.replicas import ReplicatedInbox

    return ReplicatedInbox(database_url, database, turns, owned, delivery, windows)
