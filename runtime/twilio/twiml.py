"""TwiML, and the few seconds in which an answer can still go out in a webhook's own response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from xml.sax.saxutils import escape

from runtime.text import portable

NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def message_twiml(text: str) -> str:
    """A TwiML document that sends one message."""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response><Message>{escape(portable(text))}</Message></Response>'


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
        """Takes the window for an answer; False when the request is gone, was let go, has given up, or is taken."""
        if not self._open or self._claimed or self._answer.done() or not self._is_connected():
            return False
        self._claimed = True
        return True

    async def hand_over(self, text: str) -> bool | None:
        """Gives the claimed request its answer; True when it was written to a live connection, False when not a byte
        of it was, None when nobody can tell."""
        self._answer.set_result(text)
        return await self._written

    def release(self) -> None:
        """Lets the request end with no answer."""
        if not self._answer.done():
            self._answer.set_result(None)

    async def wait(self, seconds: float) -> str | None:
        """The answer, or None when there is none in time; called by the request."""
        done, _ = await asyncio.wait([self._answer], timeout=seconds)
        if not done and not self._claimed:
            self._open = False
            return None
        text = await self._answer
        self._open = False
        return text

    def written(self, delivered: bool | None) -> None:
        """Says whether the answer reached the connection; called by the request, always, also when it is cancelled."""
        if not self._written.done():
            self._written.set_result(delivered)
