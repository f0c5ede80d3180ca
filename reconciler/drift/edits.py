"""Who changed something live, and when, as far as the runtime's API was used for it and recorded it.

Twilio's senders and OpenAI's assistants carry no author and no date of a change, so their authors are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.kinds.registry import KINDS
from reconciler.model import Change, Finding, Plan
from reconciler.observation.live_state import LiveState, Store
from reconciler.settings import Settings
from runtime.store.errors import StoreError

if TYPE_CHECKING:
    from runtime.store.history_records import EditRecord


def with_edits(plan: Plan, live_state: LiveState, settings: Settings) -> Plan:
    """The plan with the editor of each drifted resource, where it is known. Asks the store only if one may be.

    It is optional for a plan: a failed read is a warning.
    """
    if not isinstance(live_state.store, Store) or not any(_may_be_known(change) for change in plan.changes):
        return plan
    from runtime.store.client.history import read_edits  # for drift only

    try:
        edits = read_edits(settings.bot_store_url, settings.api_token, settings.timeout)
    except StoreError as error:
        missing = Finding("warning", f"who changed what was changed live could not be read: {error}")
        return replace(plan, findings=[*plan.findings, missing])
    by_object = {(edit.kind, edit.object_id): edit for edit in edits}
    return replace(plan, changes=[_with_edit(change, live_state.store, by_object) for change in plan.changes])


def _may_be_known(change: Change) -> bool:
    return change.reason != "config" and change.kind in KINDS and KINDS[change.kind].is_in_store


def _with_edit(change: Change, store: Store, by_object: Mapping[tuple[str, str], EditRecord]) -> Change:
    applied = store.applied.get((change.client, change.kind)) if _may_be_known(change) else None
    edit = by_object.get((change.kind, applied.live_id)) if applied else None
    # An older edit was undone by the last apply, or is that apply, so it did not cause this drift.
    if applied is None or edit is None or _moment(edit.at) <= _moment(applied.applied_at):
        return change
    return replace(change, edit=edit)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
