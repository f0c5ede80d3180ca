"""Calls of the management API without a valid token: counted, logged once a minute, and limited for each caller.

A caller who has failed FAILED_TRIES times within PERIOD_SECONDS gets 429 until that time is over, and the store is not
asked again; a token that was valid before is never held up by others' failures. Nothing is written to the store:
anybody can cause such calls. Each replica counts for itself.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final, get_args

from runtime.observability.metrics import Metrics, RefusedCall
from runtime.observability.tally import Tally

PERIOD_SECONDS: Final = 60.0
MOST_CALLERS: Final = 10_000
"""Callers whose failures are remembered, the last ones."""
MOST_TOKENS: Final = 1_000
"""Digests of tokens that are known to have been valid, the last ones used."""
IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that identify a caller, who has all addresses with the same ones."""


class FailedTries:
    """Counts them. Used on the event loop only."""

    def __init__(self, metrics: Metrics, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`limit`: failures of one caller within PERIOD_SECONDS; 0: any number."""
        self._metrics = metrics
        self._limit = limit
        self._clock = clock
        self._tallies = {reason: Tally("calls_refused", reason=reason) for reason in get_args(RefusedCall)}
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Caller → when its period ends, and its failures in it."""
        self._valid: OrderedDict[str, None] = OrderedDict()

    def note(self, reason: RefusedCall, address: str | None) -> None:
        """A call was refused."""
        self._metrics.refused_call(reason)
        self._tallies[reason].note(address=address)
        if reason not in ("unknown_token", "expired_token"):
            return
        caller, now = _caller(address), self._clock()
        until, count = self._failed.pop(caller, (0.0, 0))
        self._failed[caller] = (until, count + 1) if now < until else (now + PERIOD_SECONDS, 1)
        if len(self._failed) > MOST_CALLERS:
            self._failed.popitem(last=False)

    def note_valid(self, digest: str) -> None:
        """A token is valid."""
        self._valid[digest] = None
        self._valid.move_to_end(digest)
        if len(self._valid) > MOST_TOKENS:
            self._valid.popitem(last=False)

    def seconds_left(self, digest: str, address: str | None) -> float:
        """How long a caller has to wait before a token is looked up; 0: not at all."""
        until, count = self._failed.get(_caller(address), (0.0, 0))
        if not self._limit or count < self._limit or digest in self._valid:
            return 0.0
        return max(until - self._clock(), 0.0)


def _caller(address: str | None) -> str:
    parsed = ip_address(address) if address else None
    if isinstance(parsed, IPv6Address):
        return str(int(parsed) >> (128 - IPV6_PREFIX))
    return str(parsed)
