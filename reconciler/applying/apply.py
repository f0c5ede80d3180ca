"""Applies a plan.

A client's changes run one after the other, clients side by side, and one failing does not stop the others. What was
applied is recorded before the next change begins, so the next run continues an interrupted one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from reconciler.applying.ports import Ports
from reconciler.applying.unexpected_errors import fault_text, fault_trace
from reconciler.applying.writes import write
from reconciler.errors import ProfileNotTaken, ProviderError, Stopped
from reconciler.intents import kept_as
from reconciler.kinds.registry import KINDS
from reconciler.model import DESTRUCTIVE, SHOWN, Binding, Change, KindName, Outcome, Plan
from reconciler.render.wording import value_text
from reconciler.settings import Settings
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import StoreError
from runtime.store.records import AppliedRecord

WORKERS = 32
"""Maximum number of clients that are applied concurrently; the rate limits of the providers are lower."""


def apply_plan(plan: Plan, settings: Settings, store: StoreWriter, *, stop: threading.Event) -> Iterator[Outcome]:
    """Apply every change, yielding each outcome as it is known.

    When `stop` is set, running calls are finished and recorded and the rest is skipped.
    """
    by_client: dict[str, list[Change]] = {}
    for change in plan.work:
        by_client.setdefault(change.client, []).append(change)
    held: dict[str, dict[KindName, AppliedRecord]] = {}
    for binding in plan.unrecorded:
        if binding.kind in _last_take_away(by_client.get(binding.client, ())):
            held.setdefault(binding.client, {})[binding.kind] = _record_of(binding)
        else:
            store.record_applied(_record_of(binding))
    if plan.origin is not None:
        store.record_applied(plan.origin.record())
    for client, kind in plan.forgotten:
        store.forget_applied(client, kind)
    with ExitStack() as cleanup:
        ports = Ports(settings, store, stop, cleanup)
        pool = cleanup.enter_context(ThreadPoolExecutor(WORKERS, thread_name_prefix="apply"))
        arrived: SimpleQueue[Outcome | None] = SimpleQueue()

        def work(changes: Sequence[Change]) -> None:
            try:
                for outcome in apply_client(changes, held.get(changes[0].client, {}), ports, stop):
                    arrived.put(outcome)
            finally:
                arrived.put(None)

        working = [pool.submit(work, changes) for changes in by_client.values()]
        finished = 0
        while finished < len(working):
            outcome = arrived.get()
            if outcome is None:
                finished += 1
            else:
                yield outcome
        for future in working:
            future.result()
        for client, kind in plan.settled:
            if not ports.is_creating(client, kind):
                store.forget_applied(client, kept_as(kind))


def apply_client(
    changes: Sequence[Change], held: dict[KindName, AppliedRecord], ports: Ports, stop: threading.Event
) -> Iterator[Outcome]:
    """Apply one client's changes in order; after the first failure the rest is skipped.

    A replacement is recorded when the replaced object is deleted, since that is found by the record of the last apply.
    Until then the record is `held`; so is one that an earlier, interrupted run did not write.
    """
    last = _last_take_away(changes)
    made: dict[KindName, AppliedRecord] = {}
    broken: str | None = None
    for change in changes:
        if broken or stop.is_set():
            yield Outcome(change, "skipped", broken or "the run was stopped")
            continue
        try:
            live_id, record = write(change, made, ports)
            if record is not None:
                made[change.kind] = held[change.kind] = record
            if change.kind in held and last.get(change.kind, change.id) == change.id:
                ports.store.record_applied(held.pop(change.kind))
            elif KINDS[change.kind].is_optional and last.get(change.kind) == change.id:
                ports.store.forget_applied(change.client, change.kind)
            if change.kind not in held:
                ports.creating(change).settle()
        except ProfileNotTaken as error:
            # It is attached, and without a record no later run would detach it; a replaced one has its own record.
            if change.kind not in last:
                ports.store.record_applied(_attached(change))
            broken = f"{change.kind} failed"
            yield Outcome(change, "failed", str(error))
            continue
        except Stopped as stopped:
            yield Outcome(change, "skipped", str(stopped))
            continue
        except (ProviderError, StoreError) as error:
            broken = f"{change.kind} failed"
            yield Outcome(change, "failed", str(error))
            continue
        except Exception as error:  # noqa: BLE001 - any error is this client's failure; it is reported and logged
            broken = f"{change.kind} failed"
            yield Outcome(change, "failed", fault_text(error), trace=fault_trace(error))
            continue
        yield Outcome(change, "applied", None, live_id, note=_note(record))


def _last_take_away(changes: Sequence[Change]) -> dict[KindName, str]:
    """By kind, the last delete of objects that this client's other changes replace."""
    replaced = [change for change in changes if change.action in DESTRUCTIVE and change.source is not None]
    return {change.kind: change.id for change in replaced}


def _attached(change: Change) -> AppliedRecord:
    return AppliedRecord(change.client, change.kind, str(change.live_id), {"webhook": change.after["webhook"]})


def _note(record: AppliedRecord | None) -> str | None:
    shown = record.values.get(SHOWN) if record else None
    if not shown:
        return None
    return "WhatsApp shows " + ", ".join(f"{key}: {value_text(value)}" for key, value in shown.items())


def _record_of(binding: Binding) -> AppliedRecord:
    return AppliedRecord(binding.client, binding.kind, binding.live_id, binding.values)
