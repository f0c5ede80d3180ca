"""The steps of a kind, each a function of its arguments. None of them makes a call or writes.

    desired ──► plan ──► changes        a client that shall exist
    unread      plan_absent             a client that leaves
    undeclared                          what is live and in no manifest

A client has at most one resource of a kind, recorded under the client and the kind. Where that is several live objects,
such as the files of its documents, they are declared as one mapping, and compared key by key.

How a change is written is beside them, in the kind's `write.py`. That is not a step of planning: it gets writers, which
only applying creates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from reconciler.kinds.client_plan import ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.manifest import Manifest
from reconciler.model import Change, Finding, KindName, Orphan, Severity, Unmanaged, Values
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.settings import Settings


class Unread(NamedTuple):
    """A source that could not be read, and its effect on one client."""

    source: str
    """Its name in sentences."""
    failed: Failed
    severity: Severity = "error"
    holds_up: bool = True
    """Whether the client cannot be planned without it."""


def _all_read(_: LiveState) -> Iterable[Unread]:
    return ()


def _nothing_unread(_: ClientContext) -> Iterable[Unread]:
    return ()


def _nothing_to_check(_: ClientContext) -> Iterable[Finding]:
    return ()


def _has_live_id(change: Change) -> bool:
    return change.live_id is not None


class Kind(NamedTuple):
    """A sort of live object that a client has. Its order among the others is `model.KIND_ORDER`.

    A named tuple, since a dataclass of this size costs every start 0.7 ms, and this 0.1 ms.
    """

    name: KindName
    spanish: str
    """Its name in the Spanish HTML plan."""
    desired: Callable[[Manifest, Settings], Values | None]
    """What a manifest declares of it, None when it declares none. An id that another kind creates is `UNKNOWN_ID`."""
    plan: Callable[[ClientContext], ClientPlan]
    """The changes that make the client's live objects as declared. May raise `Withheld`."""
    plan_absent: Callable[[ClientContext], ClientPlan]
    """The changes that remove all live objects of a leaving client. May raise `Withheld`."""
    undeclared: Callable[[LiveState, Store, Collection[str], Collection[str]], Iterable[Orphan | Unmanaged]]
    """Live objects that belong to none of these clients (their ids, their numbers): managed ones are orphans, others
    unmanaged."""
    check: Callable[[ClientContext], Iterable[Finding]] = _nothing_to_check
    """Findings about the declared values before they are compared. May raise `Withheld`."""
    unread: Callable[[ClientContext], Iterable[Unread]] = _nothing_unread
    """Sources that a client needs for this kind, and that could not be read."""
    failed: Callable[[LiveState], Iterable[Unread]] = _all_read
    """Sources of this kind that could not be read, for any client; with the severity where no client needs them."""
    is_of_earlier_apply: Callable[[Change], bool] = _has_live_id
    """Whether a planned change shows that its object was created by an apply, although none is recorded."""
    is_optional: bool = False
    """Whether a client may have none of it: its record is then deleted with the last object."""
    is_in_store: bool = False
    """Whether it may be a row of the bot store, whose API records who changed it."""
