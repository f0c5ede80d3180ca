"""How many messages one user, and all users of one client together, may send in a minute. It only counts; nothing is
stored here.

Each process counts for itself. With replicas it also decides for which users and clients the store must be queried,
since other replicas may have counted as much; for most this is not necessary. A client has many messages, so the
store's count is used for several of them: for a part of the remaining limit, which other replicas may be using at the
same time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
REPLICAS = 4
"""Number of replicas for which a limit holds in total when messages are spread evenly."""
CLIENT_COUNT_SECONDS = 1.0
"""How long the store's count of a client is used at most."""
SWEEP_AT = 10_000
"""Number of windows in memory from which on ended ones are deleted."""


@dataclass(slots=True)
class _Window:
    """A minute that began with a message."""

    began: float
    messages: int = 0
    told: bool = False


@dataclass(slots=True)
class _Share:
    """The part of a client's limit that a process may use until it queries the store again."""

    ends: float
    left: int
    is_over: bool


class InboundRateLimits:
    """The messages of the last minute. A limit of 0 is none."""

    def __init__(self, per_user: int, per_client: int) -> None:
        self._per_user = per_user
        self._per_client = per_client
        self._windows: dict[tuple[str, str], _Window] = {}
        self._shares: dict[str, _Share] = {}
        self._sweep_at = SWEEP_AT

    def is_over(self, bot_id: str, user_key: str, now: float | None = None) -> bool:
        """Counts one message of a user; True when it exceeds the user's limit or that of all users of the bot. A user's
        excess does not count against the others.

        Without a time it is written now, on the clock of `time.monotonic`; all times of one object are of one clock.
        """
        now = time.monotonic() if now is None else now
        user, client = self._window(bot_id, user_key, now), self._window(bot_id, "", now)
        user.messages += 1
        if self._is_over_user(user):
            return True
        client.messages += 1
        return 0 < self._per_client < client.messages

    def may_be_over_elsewhere(self, bot_id: str, user_key: str) -> bool:
        """True when a user's limit would be reached if other replicas had counted as many of their messages."""
        return 0 < self._per_user < self._window(bot_id, user_key, time.monotonic()).messages * REPLICAS

    def is_client_over(self, bot_id: str) -> bool | None:
        """Whether a message exceeds the limit of all users of a bot, by the store's last count; None when it must be
        queried first, for `note_client`."""
        now = time.monotonic()
        if not 0 < self._per_client < self._window(bot_id, "", now).messages * REPLICAS:
            return False
        share = self._shares.get(bot_id)
        if share is None or now >= share.ends or (not share.left and not share.is_over):
            return None
        if not share.is_over:
            share.left -= 1
        return share.is_over

    def note_client(self, bot_id: str, wanted: int) -> None:
        """Records how many messages of a bot's users all replicas together admitted in the last minute."""
        left = self._per_client - wanted
        self._shares[bot_id] = _Share(time.monotonic() + CLIENT_COUNT_SECONDS, max(left // REPLICAS, 1), left <= 0)

    def uncount(self, bot_id: str, user_key: str) -> None:
        """Uncounts one message that had been counted before: Twilio delivers some twice."""
        now = time.monotonic()
        user, client = self._window(bot_id, user_key, now), self._window(bot_id, "", now)
        if not self._is_over_user(user):
            client.messages -= 1
        user.messages -= 1

    def may_notify(self, bot_id: str, user_key: str) -> bool:
        """True once a minute: whether the user may be notified of the limit."""
        window = self._window(bot_id, user_key, time.monotonic())
        told, window.told = window.told, True
        return not told

    def _is_over_user(self, user: _Window) -> bool:
        return 0 < self._per_user < user.messages

    def _window(self, bot_id: str, user_key: str, now: float) -> _Window:
        window = self._windows.get((bot_id, user_key))
        if window is None or now - window.began >= WINDOW_SECONDS:
            if len(self._windows) >= self._sweep_at:
                self._forget_ended(now)
            window = self._windows[bot_id, user_key] = _Window(now)
        return window

    def _forget_ended(self, now: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if now - window.began < WINDOW_SECONDS}
        self._sweep_at = max(SWEEP_AT, len(self._windows) * 2)
