"""What is seen, in the sandbox's ledger, of one client's conversations while a chaos run is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tests.sandbox_process import Sandbox

Json = dict[str, Any]


def at_once(users: int, play: Callable[[int], None]) -> None:
    """Plays as many users, each in a thread, to their end; raises what one of them raised."""
    if users:
        with ThreadPoolExecutor(users) as pool:
            list(pool.map(play, range(users)))


@dataclass(slots=True)
class Onlooker:
    """Of the client with this number."""

    sandbox: Sandbox
    number: str
    patience: float
    """Seconds within which each step must have its effect."""
    problems: list[str] = field(default_factory=list)
    """What must not have happened, and did."""
    _entries: list[Json] = field(default_factory=list)
    _reading: Lock = field(default_factory=Lock)

    def messages(self, user: str) -> list[Json]:
        """The ledger's entries of the messages between the client and a user, in order."""
        with self._reading:
            since = self._entries[-1]["n"] + 1 if self._entries else 0
            self._entries += self.sandbox.ledger(since=since)
            both = {f"whatsapp:{self.number}", f"whatsapp:{user}"}
            return [
                one
                for one in self._entries
                if one["kind"] in ("inbound", "outbound") and {one["from"], one["to"]} == both
            ]

    def outbound(self, user: str) -> list[str]:
        """What was sent to a user, in order."""
        return [str(one["body"]) for one in self.messages(user) if one["kind"] == "outbound"]

    def answers(self, user: str, token: str) -> int:
        """How many answers of the assistant are about a message."""
        return sum(token in body and body.startswith("[") for body in self.outbound(user))

    def until(self, holds: Callable[[], bool], what: str) -> bool:
        """Waits; what did not come in time is a problem."""
        deadline = time.monotonic() + self.patience
        while not holds():
            if time.monotonic() > deadline:
                self.problems.append(f"waited {self.patience:.0f} s for {what}")
                return False
            time.sleep(0.3)
        return True

    def object(self, user: str, what: str, found: Sequence[object]) -> None:
        """What was found must not be there."""
        if found:
            self.problems.append(f"{user}: {what}: {', '.join(map(str, found))}")
