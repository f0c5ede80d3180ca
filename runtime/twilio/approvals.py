"""What Meta says about a template now: asked at Twilio before one is sent, and kept for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from runtime.errors import TemporaryError
from runtime.twilio.accounts import Account
from runtime.twilio.client import Twilio

APPROVED: Final = "approved"
KEPT_SECONDS: Final = 900.0
"""How long an approval is taken for granted: Meta may pause a template, or put it into another category."""
LONGEST_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Approval:
    """Meta's decision about a template."""

    status: str
    """unsubmitted, received, pending, approved, rejected, paused, disabled; an open list."""
    category: str
    """utility, marketing or authentication, by which Meta charges; empty before it is submitted."""
    rejection_reason: str = ""


class Approvals:
    """The approvals of the templates that this process sends."""

    def __init__(
        self,
        twilio: Twilio,
        clock: Callable[[], float] = time.monotonic,
        version: Callable[[], int] = lambda: 0,
    ) -> None:
        """`version`: of the catalog. What is known is asked for again with another one: it is counted up where Meta has
        decided something, which every process notices."""
        self._twilio = twilio
        self._clock = clock
        self._version = version
        self._known: dict[tuple[str, str], tuple[float, int, Approval]] = {}

    async def of(self, account: Account, content_sid: str) -> Approval:
        """The approval of `HX…`. While Twilio does not answer, the last known one. Raises PermanentError, or
        TemporaryError where none is known."""
        key = account.sid, content_sid
        asked, version, known = self._known.get(key, (0.0, 0, None))
        is_new = self._clock() - asked < KEPT_SECONDS and version == self._version()
        if known is not None and known.status == APPROVED and is_new:
            return known
        now = self._version()
        try:
            status, category, reason = await self._twilio.approval(account, content_sid)
        except TemporaryError:
            if known is None:
                raise
            return known
        if len(self._known) >= LONGEST_KEPT:
            self._known.clear()
        found = Approval(status, category, reason)
        self._known[key] = self._clock(), now, found
        return found
