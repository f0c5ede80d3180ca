"""Applies as pages show them: who, when, and the outcome for the clients that are looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from runtime.store.history_records import RunRecord


@dataclass(frozen=True, slots=True)
class ShownRun:
    """An apply, as far as the operator's clients are concerned."""

    run: RunRecord
    clients: Sequence[str]
    actions: Mapping[str, int]
    """How many of what."""
    failed: int
    has_document: bool


def shown_run(run: RunRecord, clients: Sequence[str] | None, documents: AbstractSet[str]) -> ShownRun:
    """An apply with what it did to these clients, or to all."""
    own = [change for change in run.changes or () if clients is None or change.get("client") in clients]
    return ShownRun(
        run,
        sorted({str(change.get("client")) for change in own}),
        Counter(str(change.get("action")) for change in own if change.get("outcome") == "applied"),
        sum(change.get("outcome") != "applied" for change in own),
        run.id in documents,
    )
