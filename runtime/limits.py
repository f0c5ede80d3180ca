"""How much one user, and one client's users together, may write in a minute. It only counts; nothing is stored here.

Each process counts for itself: behind a balancer a limit holds for each replica.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
SWEEP_AT = 10_000
"""Windows in memory before those that have ended are thrown away."""


@dataclass(slots=True)
class _Window:
    """A minute that began with a message."""

    began: float
    messages: int = 0
    told: bool = False


class Limits:
    """The messages of the last minute. A limit of 0 is none."""

    def __init__(self, per_user: int, per_client: int) -> None:
        self._per_user = per_user
        self._per_client = per_client
        self._windows: dict[tuple[str, str], _Window] = {}
        self._sweep_at = SWEEP_AT

    def is_over(self, bot_id: str, user_key: str) -> bool:
        """Counts one message of a user; True when it is too many of theirs or of all who write to the bot."""
        user, client = self._window(bot_id, user_key), self._window(bot_id, "")
        user.messages += 1
        client.messages += 1
        return 0 < self._per_user < user.messages or 0 < self._per_client < client.messages

    def give_back(self, bot_id: str, user_key: str) -> None:
        """Takes back one message that had been counted before: Twilio delivers some twice."""
        self._window(bot_id, user_key).messages -= 1
        self._window(bot_id, "").messages -= 1

    def may_tell(self, bot_id: str, user_key: str) -> bool:
        """True once a minute: the user has not been told yet that it is too much."""
        window = self._window(bot_id, user_key)
        told, window.told = window.told, True
        return not told

    def _window(self, bot_id: str, user_key: str) -> _Window:
        now = time.monotonic()
        window = self._windows.get((bot_id, user_key))
        if window is None or now - window.began >= WINDOW_SECONDS:
            if len(self._windows) >= self._sweep_at:
                self._forget_ended(now)
            window = self._windows[bot_id, user_key] = _Window(now)
        return window

    def _forget_ended(self, now: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if now - window.began < WINDOW_SECONDS}
        self._sweep_at = max(SWEEP_AT, len(self._windows) * 2)
