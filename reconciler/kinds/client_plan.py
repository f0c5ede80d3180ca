"""The client plan: the result of planning one client, for one kind or for all of them. Frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.model import Binding, Change, Finding, KindName, TemplateState


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """One client's part of the plan, in the order in which it is applied."""

    changes: Sequence[Change] = ()
    deferred: Sequence[Change] = ()
    """Deletes what was replaced, once everything else of the client is in place."""
    findings: Sequence[Finding] = ()
    unrecorded: Sequence[Binding] = ()
    """As declared, but not recorded as applied."""
    forgotten: Sequence[KindName] = ()
    """Recorded as applied, while the client neither declares nor has any of it."""
    adoptions: Sequence[Change] = ()
    """Created by hand, already as declared, and managed from the next apply on."""
    templates: Sequence[TemplateState] = ()
    """As Meta shows them now."""
    withheld: KindName | None = None
    """The kind that could not be planned; a finding gives the reason, and the kinds after it were not planned."""


NOTHING: Final = ClientPlan()
"""In sync, and recorded."""


def joined(parts: Sequence[ClientPlan]) -> ClientPlan:
    """The parts as one, in their order."""
    parts = [part for part in parts if part is not NOTHING]
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    return ClientPlan(
        changes=[change for part in parts for change in part.changes],
        deferred=[change for part in parts for change in part.deferred],
        findings=[finding for part in parts for finding in part.findings],
        unrecorded=[binding for part in parts for binding in part.unrecorded],
        forgotten=[kind for part in parts for kind in part.forgotten],
        adoptions=[change for part in parts for change in part.adoptions],
        templates=[state for part in parts for state in part.templates],
        withheld=next((part.withheld for part in parts if part.withheld), None),
    )
