"""How much one user, and one client's users together, may write in a minute. It only counts; nothing is stored here.

Each process counts for itself. With replicas it also tells of whom the store must be asked, since others may have
counted as much; of most it need not be. A client has many messages, so what the store says of one is good for a few of
them: for a part of what is left of its limit, which others may be using up at the same time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
REPLICAS = 4
"""Over so many messages may be spread evenly, and a limit still holds for all of them together."""
LOOK_SECONDS = 1.0
"""How long what the store said of a client is believed at the most."""
SWEEP_AT = 10_000
"""Windows in memory before those that have ended are thrown away."""


@dataclass(slots=True)
class _Window:
    """A minute that began with a message."""

    began: float
    messages: int = 0
    told: bool = False


@dataclass(slots=True)
class _Share:
    """What of a client's limit a process may use until it asks the store again."""

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
        """Counts one message of a user; True when it is too much of theirs or of all who write to the bot. What is too
        much of one user takes nothing from the others.

        Without a moment it is written now, on the clock of `time.monotonic`; moments of one object are of one clock.
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
        """Whether a message is too much of all who write to a bot, by what the store said of them lately; None when it
        must be asked first, and `note_client` told."""
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
        """Takes in how many messages of a bot's users all replicas together let through in the last minute."""
        left = self._per_client - wanted
        self._shares[bot_id] = _Share(time.monotonic() + LOOK_SECONDS, max(left // REPLICAS, 1), left <= 0)

    def give_back(self, bot_id: str, user_key: str) -> None:
        """Takes back one message that had been counted before: Twilio delivers some twice."""
        now = time.monotonic()
        user, client = self._window(bot_id, user_key, now), self._window(bot_id, "", now)
        if not self._is_over_user(user):
            client.messages -= 1
        user.messages -= 1

    def may_tell(self, bot_id: str, user_key: str) -> bool:
        """True once a minute: the user has not been told yet that it is too much."""
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
