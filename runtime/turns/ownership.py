"""Which turns this process owns: those that it has begun and not ended, at most one of a conversation.

    begun ──► ended          its end is on disk
      ├─────► released       this process did not crash, and leaves it to any process
      └─────► lost           another process has begun it since

In the store an ownership is a `Hold`: the end of a turn counts only from the process with the newest hold.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import turns
from runtime.store.messages.turns import Hold, Turn

log = structlog.get_logger("runtime.turn")


@dataclass(slots=True)
class _Owned:
    """A turn that this process has begun and not ended."""

    hold: Hold
    since: float
    """By `time.monotonic`, which is never set back."""
    failures: int = 0


class OwnedTurns:
    """The turns of this process, by conversation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owned: dict[int, _Owned] = {}

    def adopt(self, turn: Turn) -> None:
        """Adds a turn that this process has begun, or begun again: then its count of failures continues."""
        owned = self._owned.get(turn.conversation.id)
        if owned is None or owned.hold != turn.hold:
            self._owned[turn.conversation.id] = _Owned(turn.hold, time.monotonic())

    def hold_of(self, conversation_id: int) -> Hold | None:
        """This process's hold of a conversation's turn; None when it has begun none, or the turn has ended."""
        owned = self._owned.get(conversation_id)
        return None if owned is None else owned.hold

    def seconds_owned(self, conversation_id: int) -> float:
        """How long this process has owned a conversation's turn."""
        return time.monotonic() - self._owned[conversation_id].since

    def failed(self, conversation_id: int) -> int:
        """Counts a failed attempt at a conversation's turn; returns their number."""
        owned = self._owned[conversation_id]
        owned.failures += 1
        return owned.failures

    def drop(self, turn: Turn) -> None:
        """Removes a turn: it has ended, another process owns it, or it counts like a crash of this one. The next turn
        of its conversation, which may have begun already, stays owned."""
        if self.hold_of(turn.conversation.id) == turn.hold:
            del self._owned[turn.conversation.id]

    def forget(self, conversation_id: int) -> None:
        """Removes a conversation's turn, which another process owns."""
        self._owned.pop(conversation_id, None)

    async def release(self, conversation_id: int) -> None:
        """Releases a conversation's turn, which did not crash this process, for any process to begin."""
        owned = self._owned.pop(conversation_id, None)
        if owned is None:
            return
        try:
            await self._database.write(turns.release, owned.hold)
        except StoreError as error:
            log.warning("turn_release_failed", turn=owned.hold.turn_id, error=str(error))
