"""Applies a plan.

A client's changes run one after the other, clients side by side, and one failing does not stop the others. What was
applied is recorded before the next change begins, so the next run continues an interrupted one.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
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

        def work(clients: Sequence[str]) -> None:
            applied: set[str] = set()
            try:
                for client in clients:
                    waits = missing_step(by_client[client], applied)
                    for outcome in apply_client(by_client[client], held.get(client, {}), ports, stop, waits):
                        if outcome.status == "applied":
                            applied.add(outcome.change.id)
                        arrived.put(outcome)
            finally:
                arrived.put(None)

        working = [pool.submit(work, clients) for clients in in_sequence(by_client)]
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
    store.delete_unnamed_files()


def in_sequence(by_client: Mapping[str, Sequence[Change]]) -> Sequence[Sequence[str]]:
    """Clients, each with those that leave once it has their numbers; all others side by side."""
    made_by = {change.id: client for client, changes in by_client.items() for change in changes if change.replaces}
    leaders = {client: made_by.get(_awaited(changes) or "", client) for client, changes in by_client.items()}
    groups: dict[str, list[str]] = {client: [client] for client, leader in leaders.items() if client == leader}
    for client, leader in leaders.items():
        if client != leader:
            groups[leader].append(client)
    return list(groups.values())


def missing_step(changes: Sequence[Change], applied: Collection[str]) -> str | None:
    """Why a client may not leave yet: another's change, which gets its number, was not applied."""
    awaited = _awaited(changes)
    if awaited is None or awaited in applied:
        return None
    return f"it answers until its number has passed to another client, and {awaited} was not applied"


def _awaited(changes: Sequence[Change]) -> str | None:
    """Id of the change of another client that a client's first one depends on."""
    return next(iter(changes[0].depends_on), None)


def apply_client(
    changes: Sequence[Change],
    held: dict[KindName, AppliedRecord],
    ports: Ports,
    stop: threading.Event,
    broken: str | None = None,
) -> Iterator[Outcome]:
    """Apply one client's changes in order; after the first failure, or with `broken`, the rest is skipped.

    A replacement is recorded when the replaced object is deleted, since that is found by the record of the last apply.
    Until then the record is `held`; so is one that an earlier, interrupted run did not write.
    """
    last = _last_take_away(changes)
    made: dict[KindName, AppliedRecord] = {}
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
            elif change.kind in KINDS and KINDS[change.kind].is_optional and last.get(change.kind) == change.id:
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
