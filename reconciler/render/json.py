"""A plan and its outcomes as one JSON document. Its shape is a contract: `format_version` changes with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reconciler.model import DESTRUCTIVE, Change, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.recipient import ShownRecipient
from runtime.store.history_records import EditRecord

FORMAT_VERSION = 1


def plan_json(plan: Plan, outcomes: Sequence[Outcome] | None = None) -> str:
    """The document, indented, keys in a fixed order; `outcomes` is present after an apply only."""
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "digest": digest(plan),
        "summary": {
            "clients": plan.clients,
            "create": plan.count("create"),
            "update": plan.count("update"),
            "delete": plan.count(*DESTRUCTIVE),
            "rename": plan.count("rename"),
            "errors": len(plan.errors),
            "withheld": len(plan.withheld),
            "unresolved": len(plan.unresolved),
            "orphans": len(plan.orphans),
            "unmanaged": len(plan.unmanaged),
        },
        "changes": [_change(change) for change in plan.changes],
        "adoptions": [_change(change) for change in plan.adoptions],
        "findings": [
            {"severity": f.severity, "client": f.client, "kind": f.kind, "message": f.message} for f in plan.findings
        ],
        "withheld": list(plan.withheld),
        "unresolved": list(plan.unresolved),
        "orphans": [{"client": o.client, "kind": o.kind, "key": o.key, "live_id": o.live_id} for o in plan.orphans],
    }
    if plan.estimates:
        document["estimates"] = [
            {
                "client": e.client,
                "answers": e.answers,
                "nano_usd": e.nano_usd,
                "tokens": e.tokens,
                "models": None if e.models is None else list(e.models),
                "dropped_tools": list(e.dropped_tools),
            }
            for e in plan.estimates
        ]
    if plan.recipients:
        document["recipients"] = [_recipient(shown) for shown in plan.recipients]
    if plan.templates:
        document["templates"] = [asdict(state) for state in plan.templates]
    if outcomes is not None:
        document["outcomes"] = [
            {"id": o.change.id, "status": o.status, "live_id": o.live_id, "error": o.error, "note": o.note}
            for o in outcomes
        ]
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "client": change.client,
        "kind": change.kind,
        "action": change.action,
        "key": change.key,
        "live_id": change.live_id,
        "reason": change.reason,
        "edit": _edit(change.edit) if change.edit else None,
        "fields": {field.path: {"old": field.old, "new": field.new} for field in change.fields},
        "depends_on": list(change.depends_on),
    }


def _recipient(shown: ShownRecipient) -> dict[str, Any]:
    recipient, leave = shown.recipient, shown.recipient.leave
    return {
        "client": shown.client,
        "name": recipient.name,
        "role": recipient.role,
        "gets": list(recipient.gets),
        "through": list(recipient.through),
        "is_new": shown.is_new,
        "leave": None if leave is None else {"contract": leave.contract, "since": leave.since},
    }


def _edit(edit: EditRecord) -> dict[str, Any]:
    return {"action": edit.action, "actor": edit.actor, "at": edit.at, "fields": list(edit.fields)}
