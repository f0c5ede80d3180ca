"""One apply, from taking the lease to giving it back: the same for every command that applies a plan.

    lease ──► plan ──► on record as begun ──► changes, an outcome each ──► on record as ended ──► lease released
               │                                     │
               raises `Busy` or `Refused`:           SIGINT, SIGTERM, the deadline or a lost lease:
               nothing was applied                   calls in flight finish, the rest is skipped

What is applied is planned here, from what is read while nobody else applies. The outcomes are returned also when the
store fails meanwhile: what was changed at a provider has been changed.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from reconciler.applying.apply import apply_plan
from reconciler.applying.history import recorded
from reconciler.applying.lease import lease
from reconciler.applying.stopping import stopped_by_signals
from reconciler.errors import Exit, ReconcileError
from reconciler.model import Outcome, Plan
from reconciler.render.progress import following
from reconciler.settings import Settings
from reconciler.streams import tell
from runtime.store.client.writer import open_writer
from runtime.store.errors import StoreError


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan, and how far it came."""

    plan: Plan
    outcomes: Sequence[Outcome] = ()
    was_stopped: bool = False
    """Whether it was told to begin nothing new before it was done."""
    is_recorded: bool = True
    """False when the store failed, so that the history does not tell how it ended."""

    @property
    def exit_code(self) -> Exit:
        """What the command ends with."""
        some = any(outcome.status == "applied" for outcome in self.outcomes)
        if not self.is_recorded:
            return Exit.PARTIAL if some else Exit.ERROR
        unapplied = any(outcome.status != "applied" for outcome in self.outcomes)
        if not (self.plan.errors or self.plan.unresolved or unapplied):
            return Exit.OK
        return Exit.PARTIAL if some or self.was_stopped else Exit.ERROR


def apply_under_lease(
    settings: Settings, plan: Callable[[], Plan], *, deadline: float | None = None, verbose: bool = False
) -> Applied:
    """Take the lease, make the plan, apply it, show its progress on stderr and put it on record.

    `plan` is called under the lease; what it raises ends the apply before anything is changed. `deadline`: seconds
    after which no further change is begun. `verbose`: show tracebacks on a terminal, too.

    Raises `Busy` when another run holds the lease, `ReconcileError` when the store failed before the first change.
    """
    stop = threading.Event()
    outcomes: Sequence[Outcome] = ()
    begun: Plan | None = None
    broken: StoreError | None = None
    try:
        with (
            _deadline(deadline, stop),
            closing(open_writer(settings.bot_store_url, settings.api_token)) as store,
            lease(store, stop=stop) as owner,
            stopped_by_signals(stop),
        ):
            planned = plan()
            # Unlike planning, applying lasts and leaves garbage; what was read for the plan is none of it.
            gc.freeze()
            gc.enable()
            with recorded(store, planned, owner) as known:
                begun, outcomes = planned, known
                applying = apply_plan(planned, settings, store, stop=stop)
                for outcome in following(applying, len(planned.work), verbose=verbose):
                    known.append(outcome)
    except StoreError as error:
        broken = error
    if begun is None:
        raise ReconcileError(str(broken)) from broken
    if broken is not None:
        tell(f"The bot store failed, so this run is not on record as it ended: {broken}")
    return Applied(begun, outcomes, was_stopped=stop.is_set(), is_recorded=broken is None)


@contextmanager
def _deadline(seconds: float | None, stop: threading.Event) -> Iterator[None]:
    """Begin nothing new after this many seconds; what is in flight is finished and recorded."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
