"""How much one user, and one client's users together, may write in a minute. It only counts; nothing is stored here.

Each process counts for itself. With replicas it also tells of whom the store must be asked, since others may have
counted as much; of most users it need not be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
REPLICAS = 4
"""Over so many a user's messages may be spread evenly, and their limit still holds for all of them together."""
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

    def is_over(self, bot_id: str, user_key: str, now: float | None = None) -> bool:
        """Counts one message of a user; True when it is too many of theirs or of all who write to the bot.

        Without a moment it is written now, on the clock of `time.monotonic`; moments of one object are of one clock.
        """
        now = time.monotonic() if now is None else now
        user, client = self._window(bot_id, user_key, now), self._window(bot_id, "", now)
        user.messages += 1
        client.messages += 1
        return 0 < self._per_user < user.messages or 0 < self._per_client < client.messages

    def may_be_over_elsewhere(self, bot_id: str, user_key: str) -> bool:
        """True when a user's limit would be reached if other replicas had counted as many of their messages."""
        return 0 < self._per_user < self._window(bot_id, user_key, time.monotonic()).messages * REPLICAS

    def give_back(self, bot_id: str, user_key: str) -> None:
        """Takes back one message that had been counted before: Twilio delivers some twice."""
        now = time.monotonic()
        self._window(bot_id, user_key, now).messages -= 1
        self._window(bot_id, "", now).messages -= 1

    def may_tell(self, bot_id: str, user_key: str) -> bool:
        """True once a minute: the user has not been told yet that it is too much."""
        window = self._window(bot_id, user_key, time.monotonic())
        told, window.told = window.told, True
        return not told

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
