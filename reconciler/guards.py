"""Checks on a finished plan that keep a mistake from becoming an outage. Pure; the plan is shown before it is refused.

They look at what would be taken away, not at percentages of small numbers, and each names its own override.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import Refused
from reconciler.manifest import Fleet
from reconciler.model import Plan


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one run may take away or change."""

    max_deletes: int = 10
    """Deletes and detaches in one run."""
    max_changes: int | None = None
    """Changes of any sort in one run; None for no limit."""


def check(plan: Plan, fleet: Fleet, limits: Limits) -> None:
    """Raise `Refused`, with every reason, when the plan must not be applied as it is."""
    reasons = [*_empty_fleet(plan, fleet), *_too_many(plan, limits)]
    if reasons:
        raise Refused("Refused: " + " ".join(reasons))


def _empty_fleet(plan: Plan, fleet: Fleet) -> Sequence[str]:
    if plan.orphans and all(manifest.client.state == "absent" for manifest in fleet.clients):
        return [f"clients.d declares no client that should exist, yet {len(plan.orphans)} live objects are ours."]
    return ()


def _too_many(plan: Plan, limits: Limits) -> Sequence[str]:
    reasons = []
    deletes = plan.count("delete", "detach")
    if deletes > limits.max_deletes:
        reasons.append(
            f"{deletes} deletes are more than the {limits.max_deletes} allowed; --max-deletes {deletes} allows them."
        )
    if limits.max_changes is not None and len(plan.changes) > limits.max_changes:
        count = len(plan.changes)
        reasons.append(
            f"{count} changes are more than the {limits.max_changes} allowed; --max-changes {count} allows them."
        )
    return reasons
