"""Requests that no account of ours has signed: counted by reason, and one line in a minute for each.

Anybody can send them, so they never count for a client: no alert about a client's webhooks can be raised by them, nor
kept quiet. Where the number is one of ours and the account its own, the line has both, since then the cause is often
ours: `PUBLIC_URL` is not what Twilio calls, or an auth token was rotated.
"""

from __future__ import annotations

import logging
from typing import get_args

from aiohttp.http_exceptions import HttpProcessingError

from runtime.observability.metrics import Metrics, UnsignedReason
from runtime.observability.tally import Tally


class Unsigned(logging.Filter):
    """Counts them. As a filter of aiohttp's log it takes what is not HTTP as well, each with a traceback otherwise."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics
        self._tallies = {reason: Tally("unsigned_requests", reason=reason) for reason in get_args(UnsignedReason)}
        self._wrong: dict[str, Tally] = {}
        """Number of ours → its lines."""

    def note(self, reason: UnsignedReason) -> None:
        """One was refused."""
        self._metrics.unsigned(reason)
        if reason != "wrong_signature":  # noted with its number
            self._tallies[reason].note()

    def note_wrong(self, number: str, public_url: str) -> None:
        """One names a number of ours and its account."""
        tally = self._wrong.get(number)
        if tally is None:
            hint = f"PUBLIC_URL is {public_url}; Twilio must be calling exactly that"
            tally = self._wrong[number] = Tally("signature_refused", number=number, account_known=True, hint=hint)
        tally.note()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what was not HTTP."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        self.note("malformed")
        return False
