"""The record of every apply: who, from which commit, which plan, and its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.commit import manifests_commit
from reconciler.model import Outcome, Plan
from reconciler.planning.digest import digest
from runtime.store.client.writer import StoreWriter
from runtime.store.history_records import RunRecord


@contextmanager
def recorded(store: StoreWriter, plan: Plan, actor: str, run_id: str) -> Iterator[list[Outcome]]:
    """Record a run before its first change, and its outcomes when it ends for any reason.

    Yields the list that the outcomes go to. An empty plan is not recorded. `run_id`: 32 hex digits of its own.
    """
    outcomes: list[Outcome] = []
    if not plan.work:
        yield outcomes
        return
    run = RunRecord(id=run_id, started_at=_now(), actor=actor, digest=digest(plan), git_sha=manifests_commit())
    store.start_run(run)
    try:
        yield outcomes
    finally:
        store.finish_run(
            replace(run, finished_at=_now(), outcome=_outcome(plan, outcomes), changes=[_change(o) for o in outcomes])
        )


def _outcome(plan: Plan, outcomes: list[Outcome]) -> str:
    applied = sum(outcome.status == "applied" for outcome in outcomes)
    if len(outcomes) < len(plan.work):
        return "interrupted"
    if applied == len(plan.work):
        return "applied"
    return "partial" if applied else "failed"


def _change(outcome: Outcome) -> dict[str, str | None]:
    change = outcome.change
    return {
        "client": change.client,
        "kind": change.kind,
        "action": change.action,
        "key": change.key,
        "outcome": outcome.status,
        "error": outcome.error,
    }


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
