"""The circuit breakers of this process: whose calls are stopped when some fail.

    a call ──► its own breaker ──► the breaker that all with its key share ──► the provider
               client or sender,   provider and account
               model, resource

A client's own breaker opens when most of its calls fail: its model is overloaded, its vector store does not answer. No
other client waits for it. The shared one opens when the provider is down, which is when the calls of several clients
fail and none succeeds; or when the key is refused, which concerns all who use it. While it is open, probes are shared
out: a client whose calls have not failed is tried before and beside those whose calls have.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import NamedTuple

import structlog

from runtime.errors import KeyRefused, PermanentError, TemporaryError, UnknownOutcome
from runtime.observability.metrics import BREAKER_VALUES, BreakerState, Metrics
from runtime.resilience.circuit_breaker import Breaker, Caller

WINDOW_SECONDS = 10.0
"""Period in which ended calls are considered."""
FAILURES = 10
"""A breaker opens when at least this many of them failed; a client's own, when they are at least half of all."""
SEVERAL = 3
"""Clients whose calls fail, and none of any other client succeeds: then the provider is down."""
REMEMBERED_SECONDS = 300.0
"""How long a client is known to fail after its last call."""
LIMIT = 1_000
"""Maximum number of breakers of clients, and of clients known to fail: the least recently used are dropped."""

log = structlog.get_logger("runtime.breaker")


class CallScope(NamedTuple):
    """What a call depends on beside the provider itself. Names that may be shown, never a secret."""

    provider: str
    account: str = ""
    """Distinguishes the provider's keys."""
    client: str = ""
    sender: str = ""
    """The number that a message leaves from, at Twilio."""
    model: str = ""
    resource: str = ""
    """What the call's tools need at the provider: vector stores."""

    @property
    def owner(self) -> str:
        """Whose calls these are."""
        return self.client or self.sender

    @property
    def shared(self) -> CallScope:
        """The scope of all calls with this key."""
        return CallScope(self.provider, self.account)


class Breakers:
    """The breakers, each created when it is first needed. `interval`: seconds from one probe to the next."""

    def __init__(self, interval: float, metrics: Metrics) -> None:
        self._interval = interval
        self._gauges = _Gauges(metrics)
        self._own: OrderedDict[CallScope, _Own] = OrderedDict()
        self._shared: dict[CallScope, _Shared] = {}

    def passing(self, scope: CallScope, deadline: float) -> _Call:
        """Context manager around a call, whose result is counted; raises TemporaryError when it may not begin by the
        deadline, a time of `time.monotonic`."""
        shared = self._shared.get(scope.shared)
        if shared is None:
            shared = self._shared[scope.shared] = _Shared(scope.shared, self._interval, self._gauges)
        return _Call(self._own_of(scope), shared, scope.owner, deadline)

    def _own_of(self, scope: CallScope) -> _Own:
        own = self._own.get(scope)
        if own is None:
            own = self._own[scope] = _Own(scope, self._interval, self._gauges)
            if len(self._own) > LIMIT:
                dropped, _ = self._own.popitem(last=False)
                self._gauges.drop(dropped)
        self._own.move_to_end(scope)
        return own


class _Own:
    """The breaker of one scope, with its recent calls."""

    def __init__(self, scope: CallScope, interval: float, gauges: _Gauges) -> None:
        self._scope = scope
        self._interval = interval
        self._ended: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self.breaker = Breaker(interval, lambda state: gauges.set(scope, state))

    def succeeded(self, *, probing: bool) -> None:
        """A call was answered."""
        self._note(failed=False)
        if probing:
            self._ended.clear()
            self._failed = 0
            self.breaker.close()
            _log_closed(self._scope)

    def failed(self, reason: str, asked: float, *, probing: bool) -> None:
        """A call failed, and may succeed later; `asked`: the pause that the provider asked for."""
        self._note(failed=True)
        if probing:
            _log_reopened(self._scope, reason, self.breaker.probe_failed(reason, asked))
        elif self._failed >= FAILURES and self._failed * 2 >= len(self._ended):
            self.open(reason, asked)

    def open(self, reason: str, asked: float = 0.0) -> None:
        """Stops the calls. Results of calls that were already running change nothing any more."""
        if self.breaker.state == "closed":
            pause = max(self._interval, asked)
            self.breaker.open(reason, sound=pause, failing=pause)
            _log_opened(self._scope, reason, pause)

    def _note(self, *, failed: bool) -> None:
        now = time.monotonic()
        self._ended.append((now, failed))
        self._failed += failed
        while self._ended[0][0] < now - WINDOW_SECONDS:
            self._failed -= self._ended.popleft()[1]


class _Shared:
    """The breaker of all calls with one key, with the clients whose calls fail."""

    def __init__(self, scope: CallScope, interval: float, gauges: _Gauges) -> None:
        self._scope = scope
        self._interval = interval
        self._failing: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Owner → since when its calls have failed without one that succeeded, and when the last did."""
        self._failures: deque[tuple[float, str]] = deque(maxlen=10 * FAILURES)
        """The newest failures since the last success: when, and whose."""
        self._worked_at = 0.0
        """When the newest of the calls that succeeded began: the provider and the key worked then. Whose calls have
        failed since before then has a trouble of its own, which says nothing about the others."""
        self.breaker = Breaker(interval, lambda state: gauges.set(scope, state))

    def caller(self, owner: str) -> Caller:
        """Whether calls of this owner have failed so far."""
        known = self._failing.get(owner)
        return "failing" if known is not None and time.monotonic() - known[1] < REMEMBERED_SECONDS else "sound"

    def succeeded(self, owner: str, began: float, *, probing: bool) -> None:
        """A call that began at this time was answered."""
        self._failing.pop(owner, None)
        self._worked_at = max(self._worked_at, began)
        while self._failures and self._failures[0][0] <= began:
            self._failures.popleft()
        if probing:
            self.breaker.close()
            _log_closed(self._scope)

    def failed(self, owner: str, reason: str, *, probing: bool) -> None:
        """A call failed, and may succeed later. The pause that the provider asked for is its owner's: it may be about
        the owner's model."""
        now = time.monotonic()
        if self._failing_since(owner, now) >= self._worked_at:
            self._failures.append((now, owner))
        while self._failures and self._failures[0][0] < now - WINDOW_SECONDS:
            self._failures.popleft()
        if probing:
            _log_reopened(self._scope, reason, self.breaker.probe_failed(reason))
        elif len(self._failures) >= FAILURES and len({whose for _, whose in self._failures}) >= SEVERAL:
            # A client whose calls have not failed may show at once that only the others' do.
            self._open(reason, sound=0.0)

    def refused(self, owner: str, reason: str, *, probing: bool) -> bool:
        """The key was refused; False when it still works for others, so that this concerns the owner only."""
        is_all = self._failing_since(owner, time.monotonic()) >= self._worked_at
        if probing:
            _log_reopened(self._scope, reason, self.breaker.probe_failed(reason))
        elif is_all:
            self._open(reason, sound=self._interval)
        return is_all

    def _open(self, reason: str, *, sound: float) -> None:
        if self.breaker.state == "closed":
            self.breaker.open(reason, sound=sound, failing=self._interval)
            _log_opened(self._scope, reason, self._interval)

    def _failing_since(self, owner: str, now: float) -> float:
        """Notes that a call of an owner failed; returns since when they have."""
        since, _ = self._failing[owner] if self.caller(owner) == "failing" else (now, now)
        self._failing[owner] = since, now
        self._failing.move_to_end(owner)
        if len(self._failing) > LIMIT:
            self._failing.popitem(last=False)
        return since


class _Call:
    """Context manager for one call to a provider."""

    __slots__ = ("_began", "_caller", "_deadline", "_own", "_owner", "_probing_own", "_probing_shared", "_shared")

    def __init__(self, own: _Own, shared: _Shared, owner: str, deadline: float) -> None:
        self._own = own
        self._shared = shared
        self._owner = owner
        self._deadline = deadline
        self._caller: Caller = "sound"
        self._probing_own = self._probing_shared = False
        self._began = 0.0

    async def __aenter__(self) -> None:
        self._probing_own = await self._own.breaker.begin(self._deadline)
        try:
            self._caller = self._shared.caller(self._owner)
            self._probing_shared = await self._shared.breaker.begin(self._deadline, self._caller)
        except BaseException:
            self._lost()
            raise
        self._began = time.monotonic()

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        own, shared = self._own, self._shared
        match error:
            case KeyRefused():
                is_all = shared.refused(self._owner, str(error), probing=self._probing_shared)
                if self._probing_own:
                    own.failed(str(error), 0.0, probing=True)
                elif not is_all:
                    own.open(str(error))
            case TemporaryError() | UnknownOutcome():
                asked = (error.delay or 0.0) if isinstance(error, TemporaryError) else 0.0
                own.failed(str(error), asked, probing=self._probing_own)
                shared.failed(self._owner, str(error), probing=self._probing_shared)
            case None | PermanentError():
                # A provider that processed the call and refused it works.
                own.succeeded(probing=self._probing_own)
                shared.succeeded(self._owner, self._began, probing=self._probing_shared)
            case _:
                self._lost()

    def _lost(self) -> None:
        """The call did not begin, or ended without a word of the provider."""
        if self._probing_own:
            self._own.breaker.probe_lost()
        if self._probing_shared:
            self._shared.breaker.probe_lost(self._caller)


class _Gauges:
    """The breakers on /metrics: one series for each key, and one for each client or sender whose calls were stopped."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._stopped: dict[tuple[str, str, str], dict[CallScope, BreakerState]] = {}
        """By series, its breakers that are not closed."""

    def set(self, scope: CallScope, state: BreakerState) -> None:
        """A breaker changed. The series of a client has the worst state of its breakers."""
        series = (scope.provider, scope.account, scope.owner)
        states = self._stopped.setdefault(series, {})
        states[scope] = state
        if state == "closed":
            del states[scope]
        worst: BreakerState = max(states.values(), key=BREAKER_VALUES.__getitem__, default="closed")
        self._metrics.breaker(*series, worst)
        if not states:
            del self._stopped[series]

    def drop(self, scope: CallScope) -> None:
        """A breaker was dropped."""
        if scope in self._stopped.get((scope.provider, scope.account, scope.owner), {}):
            self.set(scope, "closed")


def _log_opened(scope: CallScope, reason: str, pause: float) -> None:
    _log(partial(log.error, "circuit_breaker_opened"), scope, error=reason, next_try_in=round(pause, 1))


def _log_reopened(scope: CallScope, reason: str, pause: float) -> None:
    _log(partial(log.warning, "circuit_breaker_reopened"), scope, error=reason, next_try_in=round(pause, 1))


def _log_closed(scope: CallScope) -> None:
    _log(partial(log.info, "circuit_breaker_closed"), scope)


def _log(report: Callable[..., object], scope: CallScope, **facts: object) -> None:
    """Logs in a context of its own: the pause concerns further turns, not only the one that met it."""
    named = {name: value for name, value in zip(scope._fields, scope, strict=True) if value}
    Context().run(partial(report, **named, **facts))
