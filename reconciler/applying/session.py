"""One apply, from acquiring the lease to releasing it: the same for every command that applies a plan.

    lease ──► plan ──► recorded as begun ──► changes, an outcome each ──► recorded as ended ──► lease released
               │                                     │
               raises `Busy` or `Refused`:           SIGINT, SIGTERM, the deadline or a lost lease:
               nothing was applied                   calls in flight finish, the rest is skipped

The plan is made here, from what is read while no other run applies. The outcomes are returned also when the store fails
meanwhile, since changes at a provider remain.
"""

from __future__ import annotations

import gc
import threading
import uuid
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
from reconciler.streams import print_error
from runtime.store.client.writer import open_writer
from runtime.store.errors import StoreError


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan, and the outcomes so far."""

    plan: Plan
    outcomes: Sequence[Outcome] = ()
    was_stopped: bool = False
    """Whether it was stopped before it was done."""
    is_recorded: bool = True
    """False when the store failed, so that the history lacks its outcome."""
    run_id: str = ""
    """Its id in the history."""

    @property
    def exit_code(self) -> Exit:
        """The exit code of the command."""
        some = any(outcome.status == "applied" for outcome in self.outcomes)
        if not self.is_recorded:
            return Exit.PARTIAL if some else Exit.ERROR
        unapplied = any(outcome.status != "applied" for outcome in self.outcomes)
        if not (self.plan.errors or self.plan.unresolved or unapplied):
            return Exit.OK
        return Exit.PARTIAL if some or self.was_stopped else Exit.ERROR


def apply_under_lease(
    settings: Settings,
    plan: Callable[[], Plan],
    *,
    deadline: float | None = None,
    verbose: bool = False,
    as_json: bool = False,
) -> Applied:
    """Acquire the lease, make the plan, apply it, show its progress on stderr and record it.

    `plan` is called under the lease; an exception from it ends the apply before anything is changed. `deadline`:
    seconds after which no further change is begun. `verbose`: show tracebacks on a terminal, too. `as_json`: the log is
    for programs.

    Raises `Busy` when another run holds the lease, `ReconcileError` when the store failed before the first change.
    """
    stop = threading.Event()
    outcomes: Sequence[Outcome] = ()
    begun: Plan | None = None
    broken: StoreError | None = None
    run_id = uuid.uuid4().hex
    try:
        with (
            _deadline(deadline, stop),
            closing(open_writer(settings.bot_store_url, settings.api_token)) as store,
            lease(store, stop=stop) as owner,
            stopped_by_signals(stop),
        ):
            planned = plan()
            # Unlike planning, applying takes long and creates garbage; the objects of the plan are exempted from
            # collection.
            gc.freeze()
            gc.enable()
            with recorded(store, planned, owner, run_id) as known:
                begun, outcomes = planned, known
                applying = apply_plan(planned, settings, store, stop=stop)
                for outcome in following(applying, len(planned.work), verbose=verbose, as_json=as_json):
                    known.append(outcome)
    except StoreError as error:
        broken = error
    if begun is None:
        raise ReconcileError(str(broken)) from broken
    if broken is not None:
        print_error(f"The bot store failed, so the outcome of this run is not recorded: {broken}")
    return Applied(begun, outcomes, was_stopped=stop.is_set(), is_recorded=broken is None, run_id=run_id)


@contextmanager
def _deadline(seconds: float | None, stop: threading.Event) -> Iterator[None]:
    """Begin nothing new after this many seconds; running calls are finished and recorded."""
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
