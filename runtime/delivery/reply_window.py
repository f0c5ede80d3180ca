"""The few seconds in which an answer can still go out in a webhook's own response.

    opened ──claim──► claimed ──hand over──► written    the answer is in the response
       ├────── time is up ──────► closed                the answer goes out over REST
       └──── release ───────────► closed                this process will not answer

The webhook opens a window for its message, the turn that answers the message claims it, the delivery hands the answer
over. Why answers go out there at all: docs/adr/0007-twiml-in-the-reply-window.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

from runtime.store.messages.inbox import StoredMessage
from runtime.store.messages.turns import Turn

WINDOWS_LIMIT = 2_000
"""Maximum number of webhooks that are held open for their answers; further answers are sent over REST."""


class ReplyWindow:
    """A webhook request that is held open for an answer.

    A turn claims it, and from then on the request waits for that answer, for as long as the store takes to record the
    claim; or the request gives up first, and the claim fails. So an answer goes out here or over REST, never both.
    """

    def __init__(self, is_connected: Callable[[], bool]) -> None:
        self._is_connected = is_connected
        self._claimed = False
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str | None] = loop.create_future()
        self._written: asyncio.Future[bool | None] = loop.create_future()

    def claim(self) -> bool:
        """Claims the window for an answer; False when the request has ended, was released, has given up, or is
        claimed."""
        if self._claimed or self._answer.done() or not self._is_connected():
            return False
        self._claimed = True
        return True

    async def hand_over(self, document: str) -> bool | None:
        """Passes the answer, a TwiML document, to the claimed request; True when it was written to a live connection,
        False when not a byte of it was, None when that is unknown."""
        if not self._answer.done():  # its request was not cancelled
            self._answer.set_result(document)
        return await self._written

    def release(self) -> None:
        """Ends the request without an answer."""
        if not self._answer.done():
            self._answer.set_result(None)

    async def wait(self, seconds: float) -> str | None:
        """Waits for the answer's document; None when there is none in time. Called by the request."""
        # asyncio.wait takes several times as long.
        timer = asyncio.get_running_loop().call_later(seconds, self._give_up)
        try:
            return await self._answer
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        if not self._claimed:
            self.release()

    def written(self, delivered: bool | None) -> None:
        """Reports whether the answer reached the connection; always called by the request, also when it is
        cancelled."""
        if not self._written.done():
            self._written.set_result(delivered)


class ReplyWindows:
    """The open windows of this process, by the inbox id of the message that each came with.

    A window is here as long as its request waits. When this process will not answer a conversation, its windows are
    released, so that no request waits without result.
    """

    def __init__(self, limit: int = WINDOWS_LIMIT) -> None:
        self._limit = limit
        self._count = 0
        self._is_closed = False
        self._waiting: dict[int, dict[int, ReplyWindow]] = {}
        """Conversation → inbox id → a window that no answer has claimed."""
        self._claimed: dict[int, ReplyWindow] = {}
        """Turn → the window of its answer."""

    @contextmanager
    def opened(self, taken: StoredMessage, is_connected: Callable[[], bool]) -> Iterator[ReplyWindow | None]:
        """A window for the answer to a message, around the wait of its request; None when too many are open, or when
        this process is stopping."""
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

    def messages_of(self, conversations: Set[int]) -> list[int]:
        """Inbox ids of the messages in these conversations whose requests wait."""
        return [message for conversation_id in conversations for message in self._waiting.get(conversation_id, ())]

    def claim(self, turn: Turn) -> bool:
        """Claims the window of the newest of a turn's messages that has one, and releases the turn's others; False when
        there is none."""
        for window in self._of(turn):
            if turn.id not in self._claimed and window.claim():
                self._claimed[turn.id] = window
            else:
                window.release()
        return turn.id in self._claimed

    def claimed_by(self, turn_id: int | None) -> ReplyWindow | None:
        """The window that a turn has claimed, for the sender of its answer; only the first call returns it."""
        return None if turn_id is None else self._claimed.pop(turn_id, None)

    def release_of(self, turn: Turn) -> None:
        """Ends the requests of a turn's messages, also one that it has claimed."""
        claimed = self.claimed_by(turn.id)
        for window in [*self._of(turn), *([claimed] if claimed else [])]:
            window.release()

    def release(self, conversation_id: int) -> None:
        """Ends the requests of a conversation that no answer has claimed."""
        for window in self._waiting.pop(conversation_id, {}).values():
            window.release()

    def close(self) -> None:
        """Opens no further window."""
        self._is_closed = True

    def release_all(self) -> None:
        """Ends all requests that no answer has claimed."""
        for conversation_id in list(self._waiting):
            self.release(conversation_id)

    def _of(self, turn: Turn) -> list[ReplyWindow]:
        """Removes and returns the windows of a turn's messages, newest first."""
        found = (self._pop(turn.conversation.id, message.inbox_id) for message in reversed(turn.messages))
        return [window for window in found if window is not None]

    def _pop(self, conversation_id: int, inbox_id: int) -> ReplyWindow | None:
        windows = self._waiting.get(conversation_id, {})
        window = windows.pop(inbox_id, None)
        if not windows:
            self._waiting.pop(conversation_id, None)
        return window
