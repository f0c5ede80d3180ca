"""The inbox on SQLite: this process, the only one, runs the turns.

The store is the single source of truth; this module only holds a task for each busy conversation. A task ends when its
conversation has nothing open. After a restart the tasks are created again from the open messages in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from runtime.delivery.delivery import Delivery
from runtime.delivery.reply_window import ReplyWindows
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import inbox, outbox
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.outbox import SendTakenOver
from runtime.store.messages.turn_start import store_and_begin
from runtime.store.messages.turns import Turn, TurnTakenOver
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns

STORE_PAUSE_SECONDS = 2.0
"""Pause of a conversation when the store is unavailable."""
POLL_SECONDS = 2.0
"""How often the store is searched for messages that another process opened again."""

log = structlog.get_logger("runtime.inbox")


class EmbeddedInbox:
    """See `runtime.dispatch.inbox.Inbox`."""

    def __init__(
        self, database: Database, turns: Turns, owned: OwnedTurns, delivery: Delivery, windows: ReplyWindows
    ) -> None:
        self._database = database
        self._turns = turns
        self._owned = owned
        self._delivery = delivery
        self._windows = windows
        self._chains: dict[int, _Chain] = {}
        self._failed: set[int] = set()
        """Conversations that a bug stopped. Each attempt counts like a crash, so they are given up eventually."""
        self._stopping = False
        self._polling: asyncio.Task[None] | None = None

    async def accept(self, message: InboundMessage) -> StoredMessage | None:
        """See Inbox."""
        turn: Turn | None = None
        if self._turns.begins_at_once and not self._stopping:
            taken, turn = await self._database.write(store_and_begin, message, self._turns.memory_items, self._chains)
        else:
            taken = await self._database.write(inbox.store_message, message)
        if taken is None:
            return None
        if turn is not None:
            self._owned.adopt(turn)
        if self._wake(taken.conversation_id, turn) is None and turn is not None:
            await self._owned.release(taken.conversation_id)
        return taken

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[StoredMessage | None]:
        """See Inbox."""
        all_taken = await self._database.write(inbox.store_messages, messages)
        for conversation_id in {taken.conversation_id for taken in all_taken if taken is not None}:
            self._wake(conversation_id)
        return all_taken

    async def send_rest(self, conversation_id: int) -> None:
        """See Inbox. While stopping, it is left to the next start."""
        self._wake(conversation_id, resume=True)

    async def start(self) -> None:
        """Resumes what an earlier process left: first unsent answers, then unanswered messages."""
        unsent = await self._database.read(outbox.unsent_conversations)
        waiting = await self._database.read(inbox.open_conversations)
        for conversation_id in unsent:
            self._wake(conversation_id, resume=True)
        for conversation_id in waiting:
            self._wake(conversation_id)
        if unsent or waiting:
            log.info("resumed_after_restart", unsent=len(unsent), unanswered=len(waiting))
        self._polling = asyncio.create_task(self._poll())

    async def stop(self, grace_seconds: float) -> None:
        """Begins no further turn, waits for running ones, and leaves the rest to the next start."""
        self._stopping = True
        self._windows.close()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        tasks = [chain.task for chain in self._chains.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for conversation_id in self._chains:
            # Its task was never started.
            self._windows.release(conversation_id)
            await self._owned.release(conversation_id)
        if late:
            log.warning("turns_left_unfinished", conversations=len(late))

    @property
    def busy(self) -> int:
        """See Inbox."""
        return len(self._chains)

    def _wake(self, conversation_id: int, turn: Turn | None = None, *, resume: bool = False) -> _Chain | None:
        """Starts or wakes the task of a conversation, since there may be something new; None while stopping. `turn` is
        begun already."""
        chain = self._chains.get(conversation_id)
        if chain is not None:
            chain.more = True
            chain.is_early = chain.is_early or turn is not None
            chain.resume = chain.resume or resume
            return chain
        if self._stopping:
            return None
        if conversation_id in self._failed:
            self._failed.remove(conversation_id)
            resume = True
        chain = self._chains[conversation_id] = _Chain()
        chain.resume = resume
        chain.is_early = turn is not None and resume
        chain.task = asyncio.create_task(self._run(conversation_id, chain, None if resume else turn))
        return chain

    async def _poll(self) -> None:
        """Wakes conversations that another process reopened, such as retried dead letters, and those that failed."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                waiting = await self._database.read(inbox.open_conversations)
            except StoreError as error:
                log.error("store_unavailable", error=str(error))
                continue
            for conversation_id in {*waiting, *self._failed}:
                if conversation_id not in self._chains:
                    self._wake(conversation_id)

    def _may_begin(self) -> bool:
        return not self._stopping

    async def _run(self, conversation_id: int, chain: _Chain, begun: Turn | None) -> None:
        try:
            while (chain.resume or chain.more) and self._may_begin():
                try:
                    if chain.resume:
                        # Before, since further messages may be released while these are sent.
                        chain.resume = False
                        await self._delivery.resume(conversation_id)
                    chain.more = False
                    while await self._answer(conversation_id, chain, begun) and self._may_begin():
                        begun = None
                    begun = None
                except (TurnTakenOver, SendTakenOver) as error:
                    # By a person, who may have written meanwhile.
                    log.warning("taken_over", error=str(error))
                    begun = None
                except StoreError as error:
                    # What is on disk is not given up, and the outcome of the last write is looked up.
                    log.error("store_unavailable", error=str(error))
                    await asyncio.sleep(STORE_PAUSE_SECONDS)
                    chain.resume = True
            if not self._may_begin():
                await self._owned.release(conversation_id)
        except asyncio.CancelledError:
            await self._owned.release(conversation_id)
            raise
        except Exception:
            self._failed.add(conversation_id)
            log.exception("conversation_failed", conversation=conversation_id)
        finally:
            # Nothing is awaited between the last check of `more` and this, so no wake-up is lost.
            del self._chains[conversation_id]
            self._windows.release(conversation_id)

    async def _answer(self, conversation_id: int, chain: _Chain, begun: Turn | None) -> bool:
        if chain.is_early:
            chain.is_early = False
            # It waited for the previous answer, which is not its provider's fault: its time begins now.
            await self._owned.release(conversation_id)
        return await self._turns.run(conversation_id, begun)


class _Chain:
    """The task of one busy conversation."""

    __slots__ = ("is_early", "more", "resume", "task")

    def __init__(self) -> None:
        self.more = True
        self.resume = False
        """Whether the outbox holds messages of it that nothing sends."""
        self.is_early = False
        """Whether the next turn was begun while the conversation was busy."""
        self.task: asyncio.Task[None]
