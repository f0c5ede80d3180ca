"""Checks of a finished plan that prevent a mistake from causing an outage. Pure; the plan is shown before it is
refused.

Each has its own override, named in the refusal; there is no switch that turns all of them off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import Refused
from reconciler.kinds.registry import KINDS
from reconciler.manifest import Fleet
from reconciler.model import DESTRUCTIVE, KIND_ORDER, Binding, Change, Orphan, Plan
from reconciler.observation.live_state import Failed, LiveState


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one run may delete or change."""

    max_deletes: int = 10
    """Deletes and detaches in one run."""
    max_delete_percent: int = 50
    """Share of clients with a delete or detach among all in the store; a fleet of one has no exception."""
    max_changes: int | None = None
    """Changes of any sort in one run; None for no limit."""
    max_change_percent: int | None = None
    """Share of clients with a change among all declared ones; None for no limit."""
    allow_empty: bool = False
    """Whether a fleet without clients may delete all managed objects."""
    allow_other_account: bool = False
    """Whether the records may be of another account than the credentials."""


def check(plan: Plan, fleet: Fleet, live_state: LiveState, limits: Limits) -> None:
    """Raise `Refused`, with every reason, when the plan must not be applied as it is."""
    reasons = [
        *other_account(live_state, limits),
        *_store_elsewhere(plan, live_state),
        *_empty_fleet(plan, fleet, limits),
        *_protected(plan, live_state),
    ]
    reasons += [*_deletes(plan, live_state, limits), *_changes(plan, limits)]
    if reasons:
        raise Refused("\n".join(f"Refused: {reason}" for reason in reasons))


def check_account(live_state: LiveState) -> None:
    """Raise `Refused` when the credentials are not those of the installation whose records the store has."""
    reasons = list(other_account(live_state, Limits()))
    if reasons:
        raise Refused("\n".join(f"Refused: {reason}" for reason in reasons))


def other_account(live_state: LiveState, limits: Limits) -> Iterator[str]:
    """The credentials of a trial on the records of production would find all of its objects missing."""
    if isinstance(live_state.store, Failed) or limits.allow_other_account:
        return
    for difference in live_state.store.origin.differences(live_state.origin):
        yield (
            f"the records in the bot store are of {difference}. Set BOT_STORE_URL and the credentials of one "
            "installation; if this one has moved to that account, `reconcile --allow-other-account` applies it."
        )


def _store_elsewhere(plan: Plan, live_state: LiveState) -> Iterator[str]:
    """A first apply finds no objects of an earlier one."""
    if isinstance(live_state.store, Failed) or live_state.store.exists:
        return
    ours = [change for change in plan.changes if change.kind in KINDS]
    earlier = [change for change in ours if KINDS[change.kind].is_of_earlier_apply(change)]
    bound = [binding for binding in plan.unrecorded if not _is_by_hand(binding)]
    made: list[Binding | Change | Orphan] = [*bound, *earlier, *plan.orphans]
    found = [f"{item.client}: {item.kind} {item.live_id}" for item in made]
    if found:
        yield (
            f"the bot store does not exist, yet an earlier apply has created live objects ({', '.join(found[:3])}"
            f"{', …' if found[3:] else ''}), so that store is elsewhere. Set BOT_STORE_URL to it. If it is lost, "
            "restore its backup; `horizonai-whatsapp-bot migrate` creates an empty one."
        )


def _is_by_hand(binding: Binding) -> bool:
    """Whether nothing of it was made by an apply: templates that the manifest names by their SIDs."""
    templates = binding.values.get("templates", {}) if binding.kind == "template" else {}
    return bool(templates) and all("content_sid" in value for value in templates.values())


def _empty_fleet(plan: Plan, fleet: Fleet, limits: Limits) -> Iterator[str]:
    all_absent = all(manifest.client.state == "absent" for manifest in fleet.clients)
    live = len(plan.orphans) + plan.count(*DESTRUCTIVE)
    if all_absent and live and not limits.allow_empty:
        yield (
            f"no manifest declares a client that exists, yet {live} live objects have our marker. "
            "--allow-empty allows it."
        )


def _protected(plan: Plan, live_state: LiveState) -> Iterator[str]:
    """The live protection counts: it outlives a manifest that was changed or removed."""
    if isinstance(live_state.store, Failed):
        return
    for client in sorted({change.client for change in plan.changes if change.source is None}):
        bot = live_state.store.bots_by_client.get(client)
        if bot is not None and bot.protected:
            yield f"the client {client} is protected. Apply `protected: false` first, then remove it."


def _deletes(plan: Plan, live_state: LiveState, limits: Limits) -> Iterator[str]:
    deletes = plan.count(*DESTRUCTIVE)
    if deletes > limits.max_deletes:
        yield f"{deletes} deletes are more than the {limits.max_deletes} allowed. --max-deletes {deletes} allows them."
    gone = [change for change in plan.changes if change.action in DESTRUCTIVE and change.kind in KIND_ORDER]
    leaving = {change.client for change in gone if change.source is None}
    if not leaving or isinstance(live_state.store, Failed):
        return
    known = len(live_state.store.clients | leaving)
    percent = -(-100 * len(leaving) // known)
    if percent > limits.max_delete_percent:
        yield (
            f"{len(leaving)} of {known} clients would be deleted, {percent}% and more than the "
            f"{limits.max_delete_percent}% allowed. --max-delete-percent {percent} allows them."
        )


def _changes(plan: Plan, limits: Limits) -> Iterator[str]:
    changes = len(plan.changes)
    if limits.max_changes is not None and changes > limits.max_changes:
        yield f"{changes} changes are more than the {limits.max_changes} allowed. --max-changes {changes} allows them."
    if limits.max_change_percent is None or plan.clients == 0:
        return
    touched = len(plan.touched)
    percent = -(-100 * touched // plan.clients)
    if percent > limits.max_change_percent:
        yield (
            f"{touched} of {plan.clients} clients would change, {percent}% and more than the "
            f"{limits.max_change_percent}% allowed. --max-change-percent {percent} allows them."
        )
