"""The few seconds in which an answer can still go out in a webhook's own response.

    opened ──claim──► claimed ──hand over──► written    the answer is in the response
       ├──── its time is up ────► closed                the answer goes out over REST
       └──── release ───────────► closed                this process will not answer

The webhook opens a window beside its message, the turn that answers the message claims it, the delivery hands over.
Why answers go out there at all: docs/adr/0007-twiml-in-the-reply-window.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

from runtime.store.messages.inbox import Taken
from runtime.store.messages.turns import Turn

WINDOWS_LIMIT = 2_000
"""Webhooks that are held open for their answers; beyond it answers are sent by themselves."""


class ReplyWindow:
    """One webhook request that is being held open for an answer.

    A turn claims it, and from then on the request waits for that answer, however long the store takes to record the
    claim; or the request gives up first, and the claim fails. So an answer goes out here or over REST, never both.
    """

    def __init__(self, is_connected: Callable[[], bool]) -> None:
        self._is_connected = is_connected
        self._open = True
        self._claimed = False
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str | None] = loop.create_future()
        self._written: asyncio.Future[bool | None] = loop.create_future()

    def claim(self) -> bool:
        """Takes the window for an answer; False when the request has ended, was released, has given up, or is
        taken."""
        if not self._open or self._claimed or self._answer.done() or not self._is_connected():
            return False
        self._claimed = True
        return True

    async def hand_over(self, document: str) -> bool | None:
        """Gives the claimed request its answer, a TwiML document; True when it was written to a live connection, False
        when not a byte of it was, None when nobody can tell."""
        self._answer.set_result(document)
        return await self._written

    def release(self) -> None:
        """Lets the request end with no answer."""
        if not self._answer.done():
            self._answer.set_result(None)

    async def wait(self, seconds: float) -> str | None:
        """The answer's document, or None when there is none in time; called by the request."""
        done, _ = await asyncio.wait([self._answer], timeout=seconds)
        if not done and not self._claimed:
            self._open = False
            return None
        document = await self._answer
        self._open = False
        return document

    def written(self, delivered: bool | None) -> None:
        """Says whether the answer reached the connection; called by the request, always, also when it is cancelled."""
        if not self._written.done():
            self._written.set_result(delivered)


class ReplyWindows:
    """The open windows of this process, by the inbox id of the message that each came with.

    A window is here as long as its request waits. Whoever knows that this process will not answer releases those of
    the conversation, so that no request waits for nothing.
    """

    def __init__(self, limit: int = WINDOWS_LIMIT) -> None:
        self._limit = limit
        self._count = 0
        self._is_closed = False
        self._waiting: dict[int, dict[int, ReplyWindow]] = {}
        """Conversation → inbox id → a window that no answer has claimed."""
        self._claimed: dict[int, ReplyWindow] = {}
        """Turn → the window that its answer goes out in."""

    @contextmanager
    def opened(self, taken: Taken, is_connected: Callable[[], bool]) -> Iterator[ReplyWindow | None]:
        """A window for the answer to a message, around the wait of its request; None when too many are open, or when
        this process is about to stop."""
        if self._is_closed or self._count >= self._limit:
            yield None
            return
        window = ReplyWindow(is_connected)
        self._count += 1
        self._waiting.setdefault(taken.conversation_id, {})[taken.inbox_id] = window
        try:
            yield window
        finally:
            self._count -= 1
            self._pop(taken.conversation_id, taken.inbox_id)

    @property
    def conversations(self) -> Set[int]:
        """Conversations of which a request waits for an answer."""
        return self._waiting.keys()

    def claim(self, turn: Turn) -> bool:
        """Takes the window of a turn's newest message that can still take the answer, and releases the turn's others;
        False when there is none."""
        for window in self._of(turn):
            if turn.id not in self._claimed and window.claim():
                self._claimed[turn.id] = window
            else:
                window.release()
        return turn.id in self._claimed

    def claimed_by(self, turn_id: int | None) -> ReplyWindow | None:
        """The window that a turn has claimed, to whoever sends its answer: this once."""
        return None if turn_id is None else self._claimed.pop(turn_id, None)

    def release_of(self, turn: Turn) -> None:
        """Lets the requests end whose messages a turn has taken, also one that it has claimed."""
        claimed = self.claimed_by(turn.id)
        for window in [*self._of(turn), *([claimed] if claimed else [])]:
            window.release()

    def release(self, conversation_id: int) -> None:
        """Lets the requests of a conversation end that no answer has claimed."""
        for window in self._waiting.pop(conversation_id, {}).values():
            window.release()

    def close(self) -> None:
        """Opens no further window."""
        self._is_closed = True

    def release_all(self) -> None:
        """Lets all requests end that no answer has claimed."""
        for conversation_id in list(self._waiting):
            self.release(conversation_id)

    def _of(self, turn: Turn) -> list[ReplyWindow]:
        """Those of a turn's messages, the newest first, which are not waiting from now on."""
        found = (self._pop(turn.conversation.id, message.inbox_id) for message in reversed(turn.messages))
        return [window for window in found if window is not None]

    def _pop(self, conversation_id: int, inbox_id: int) -> ReplyWindow | None:
        windows = self._waiting.get(conversation_id, {})
        window = windows.pop(inbox_id, None)
        if not windows:
            self._waiting.pop(conversation_id, None)
        return window
