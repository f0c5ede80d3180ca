"""What this replica may spend of one client's budget: in memory, without reading or writing anything.

    allotment ──► left ──admit──► running ──end──► sent ──► in the ledger
                   ▲                 │ what the estimate was too high
                   └─────────────────┘

The estimate of a turn is the highest cost of the client's recent ones, not their mean: turns that run side by side then
stay within the allotment together, and not only one by one. What is left below it is spent one turn at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.store.usage.budgets import AllotmentRequest, Taken

VALID_SECONDS: Final = 20.0
"""For how long an allotment may be used; also for how long a budget counts as used up without another look."""
HOLD_SECONDS: Final = 30.0
"""An allotment of another replica that was not renewed for this long, as this one has seen it, is that of one that has
ended. Longer than VALID_SECONDS, so that it is not used any more by then, and than the pause between renewals."""
SETTLE_SECONDS: Final = 60.0
"""For how long the delivery of a message is waited for: a phone that is off does not hold back the rest of a budget."""
LONGEST_SECONDS: Final = 900.0
"""A turn that began this long ago and has not ended here is another replica's by now."""
FIRST_ESTIMATE: Final = 100_000_000
"""10⁻⁹ USD: what a turn is taken to cost until RECENT of them were seen; ten times what most do."""
LEAST_ESTIMATE: Final = 1_000_000
"""A turn is never taken to cost nothing, also where no price is known: nothing would stop one then."""
RECENT: Final = 20
AHEAD: Final = 4
"""At least this many turns are asked for at once."""


@dataclass(slots=True)
class _Admitted:
    """A turn that was admitted and has not ended."""

    estimate: int
    since: float


@dataclass(slots=True)
class _OnTheWay:
    """A turn that has ended, whose messages are on their way."""

    message: int
    """What each costs."""
    since: float


def _first() -> deque[int]:
    return deque([FIRST_ESTIMATE], maxlen=RECENT)


@dataclass(slots=True)
class ClientBudget:
    """One client's. Amounts are 10⁻⁹ USD, times are of a clock that is never set."""

    client: str
    month: str = ""
    budget: int = 0
    left: int = 0
    taken_at: float = float("-inf")
    exceeded_at: float = float("-inf")
    used: int = 0
    """Since the allotment was taken."""
    is_scarce: bool = False
    """Whether the allotment is less than what was wanted: others may wait for what is left of it."""
    running: dict[int, _Admitted] = field(default_factory=dict)
    sent: dict[int, _OnTheWay] = field(default_factory=dict)
    costs: deque[int] = field(default_factory=_first)
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Of each other replica the version of its allotment, and since when it is that one."""

    @property
    def estimate(self) -> int:
        """What a turn costs at most, as far as recent ones show."""
        return max(*self.costs, LEAST_ESTIMATE)

    def begin(self, month: str, budget: int) -> None:
        """What is known of another month, or another budget, says nothing about these."""
        if (month, budget) != (self.month, self.budget):
            self.month, self.budget = month, budget
            self.left, self.taken_at, self.exceeded_at = 0, float("-inf"), float("-inf")

    def admit(self, key: int, now: float) -> bool:
        """Admits a turn, where the allotment has its estimate; one that was admitted stays so."""
        if key in self.running:
            return True
        if now - self.taken_at >= VALID_SECONDS or self.left < self.estimate:
            return False
        self.admit_beyond(key, now)
        return True

    def admit_beyond(self, key: int, now: float) -> None:
        """Admits a turn for which the allotment need not have its estimate."""
        self.left -= self.estimate
        self.used += self.estimate
        self.running[key] = _Admitted(self.estimate, now)

    def is_exceeded(self, now: float) -> bool:
        """Whether the budget was used up when it was last looked at, which is not long ago."""
        return now - self.exceeded_at < VALID_SECONDS

    def end(self, key: int, cost: int, messages: int, message: int, now: float) -> None:
        """Settles a turn: what it has cost, and the number of messages that are to be sent, with what each will cost
        at most."""
        running = self.running.pop(key, None)
        if running is None:
            return
        total = cost + messages * message
        self.costs.append(total)
        self.left += running.estimate - total
        if messages:
            self.sent[key] = _OnTheWay(message, now)

    def add(self, cost: int) -> None:
        """Adds what was learnt of a turn's cost after its end."""
        self.left -= cost
        self.costs[-1] += cost

    def drop(self, key: int) -> None:
        """Removes a turn that another replica has."""
        running = self.running.pop(key, None)
        if running is not None:
            self.left += running.estimate

    def request(self, replica: str, spent_before: int, since: str, now: float) -> AllotmentRequest:
        """What to ask the store for. `spent_before`: the sum of the ledger's rows before `since`."""
        self._forget_old(now)
        return AllotmentRequest(
            client=self.client,
            month=self.month,
            replica=replica,
            budget=self.budget,
            running=sum(one.estimate for one in self.running.values()),
            sent={key: one.message for key, one in self.sent.items()},
            least=self.estimate,
            wanted=max(2 * self.used, AHEAD * self.estimate),
            spent_before=spent_before,
            since=since,
            dead=[(name, version) for name, (version, at) in self.seen.items() if now - at > HOLD_SECONDS],
        )

    def giving_back(self, replica: str, spent_before: int, since: str, now: float) -> AllotmentRequest:
        """What to ask the store for to keep what turns and messages under way may cost, and nothing further: none is
        admitted by what was left."""
        self.left = 0
        return replace(self.request(replica, spent_before, since, now), least=0, wanted=0)

    def is_under_way(self, now: float) -> bool:
        """Whether a turn of the client runs here, or has messages on their way: then the allotment is to be renewed."""
        self._forget_old(now)
        return bool(self.running or self.sent)

    def is_idle(self, now: float) -> bool:
        """Whether the replica has an allotment that it may not use any more, and nothing under way."""
        return VALID_SECONDS <= now - self.taken_at < float("inf") and not self.is_under_way(now)

    def returned(self) -> None:
        """Notes that the allotment was returned."""
        self.left, self.taken_at = 0, float("-inf")

    def _forget_old(self, now: float) -> None:
        self.running = {key: one for key, one in self.running.items() if now - one.since < LONGEST_SECONDS}
        self.sent = {key: one for key, one in self.sent.items() if now - one.since < SETTLE_SECONDS}

    def taken(self, taken: Taken, asked_at: float, now: float) -> None:
        """Notes the store's answer to a request that was made at `asked_at`."""
        self.left, self.used, self.taken_at = taken.granted, 0, asked_at
        self.is_scarce = taken.is_scarce
        self.exceeded_at = asked_at if taken.spent + taken.reserved >= self.budget else float("-inf")
        self.sent = {key: one for key, one in self.sent.items() if key in taken.sent}
        known = self.seen
        self.seen = {
            one.replica: known[one.replica]
            if one.replica in known and known[one.replica][0] == one.version
            else (one.version, now)
            for one in taken.others
        }
