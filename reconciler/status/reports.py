"""A plan, or what an apply made of it, as the console shows it: by client, bounded in size."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from reconciler.manifest import Manifest
from reconciler.model import DESTRUCTIVE, Change, FieldChange, Outcome, Plan
from reconciler.observation.live_state import Failed, LiveState
from reconciler.render.wording import leaves, text_diff, visible
from reconciler.status.facts import documents_of, sync_of
from schemas.reconcile_reports import (
    MOST_CHANGES,
    MOST_FIELDS,
    MOST_FINDINGS,
    MOST_TEMPLATES,
    FoundOfClient,
    SeenChange,
    SeenDocuments,
    SeenField,
    SeenFinding,
    SeenTemplate,
    cut,
)

VALUE_CHARACTERS: Final = 300
"""The longest value of a field; a longer one is cut, as the plan as HTML has all of it."""
_WORD: Final = re.compile(r"[^a-z_]")


def plan_reports(
    plan: Plan, manifests: Iterable[Manifest], live_state: LiveState | None = None, outcomes: Sequence[Outcome] = ()
) -> dict[str, FoundOfClient]:
    """A report of each of these clients. `live_state`: what the plan was made from, for the state of documents;
    `outcomes`: of an apply."""
    changes: dict[str, list[Change]] = defaultdict(list)
    for change in plan.work:
        changes[change.client].append(change)
    done = {outcome.change.id: outcome for outcome in outcomes}
    return {
        manifest.client.id: _report(manifest, plan, changes[manifest.client.id], done, live_state)
        for manifest in manifests
        if manifest.client.state != "absent" or changes[manifest.client.id]
    }


def plan_counts(plan: Plan) -> dict[str, int]:
    """How many of what, over all clients."""
    return {
        "clients": plan.clients,
        "create": plan.count("create"),
        "update": plan.count("update"),
        "delete": plan.count(*DESTRUCTIVE),
        "adopt": len(plan.adoptions),
        "errors": len(plan.errors),
        "withheld": len(plan.withheld),
        "unresolved": len(plan.unresolved),
    }


def word(text: str) -> str:
    """A word of an open list in the form that reports have."""
    return _WORD.sub("_", text.lower())[:20] or "unknown"


def _report(
    manifest: Manifest,
    plan: Plan,
    changes: Sequence[Change],
    done: Mapping[str, Outcome],
    live_state: LiveState | None,
) -> FoundOfClient:
    client = manifest.client.id
    left, shown, left_out = MOST_FIELDS, [], max(0, len(changes) - MOST_CHANGES)
    for change in changes[:MOST_CHANGES]:
        fields = [leaf for whole in change.fields for leaf in leaves(whole)]
        shown.append(_change(change, fields[:left], done.get(change.id)))
        left_out += max(0, len(fields) - left)
        left = max(0, left - len(fields))
    findings = [finding for finding in plan.findings if finding.client == client]
    return FoundOfClient(
        state=_state(client, plan, changes, done),
        changes=shown,
        left_out=left_out,
        findings=[
            SeenFinding(severity=word(one.severity), kind=one.kind, message=cut(visible(one.message)))
            for one in findings[:MOST_FINDINGS]
        ],
        templates=[
            SeenTemplate(
                name=cut(one.name),
                status=word(one.status),
                declared=word(one.declared),
                category=word(one.category) if one.category else None,
                rejection_reason=cut(visible(one.rejection_reason)),
            )
            for one in plan.templates
            if one.client == client
        ][:MOST_TEMPLATES],
        documents=_documents(manifest, live_state),
    )


def _state(client: str, plan: Plan, changes: Sequence[Change], done: Mapping[str, Outcome]) -> str:
    state = sync_of(client, plan)
    if done and state in ("differs", "made by hand"):
        left = [change for change in changes if change.id not in done or done[change.id].status != "applied"]
        state = "differs" if left else "in sync"
    is_drifted = any(finding.client == client for finding in plan.lasting_drift)
    return "differs" if state == "in sync" and is_drifted else word(state)


def _change(change: Change, fields: Sequence[FieldChange], outcome: Outcome | None) -> SeenChange:
    return SeenChange(
        kind=change.kind,
        action=change.action,
        key=cut(visible(change.key)),
        reason=change.reason,
        fields=[_field(field) for field in fields],
        status=outcome.status if outcome else None,
        error=cut(visible(outcome.error)) if outcome and outcome.error else None,
    )


def _field(field: FieldChange) -> SeenField:
    """Of a long text, its changed lines only."""
    lines = text_diff(field)
    if lines is None:
        return SeenField(path=cut(field.path), live=_value(field.old), declared=_value(field.new))
    dropped, added = ([line[1:] for line in lines if line.startswith(sign)] for sign in "-+")
    return SeenField(
        path=cut(field.path),
        live=cut("\n".join(dropped), VALUE_CHARACTERS) if field.old else None,
        declared=cut("\n".join(added), VALUE_CHARACTERS) if field.new else None,
    )


def _value(value: Any) -> str | None:
    if value is None:
        return None
    return cut(visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), VALUE_CHARACTERS)


def _documents(manifest: Manifest, live_state: LiveState | None) -> SeenDocuments | None:
    if live_state is None or isinstance(live_state.store, Failed) or manifest.search is None:
        return None
    counts = documents_of(manifest, live_state, live_state.store)
    if counts is None:
        return None
    return SeenDocuments(found=counts.completed, in_progress=counts.in_progress, failed=counts.failed)
