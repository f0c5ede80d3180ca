"""Who changed something live, and when, as far as the runtime's API was used for it and keeps a note of that.

Twilio's senders and OpenAI's assistants carry no author and no date of a change, so nothing can be said about those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.errors import ReadFailed
from reconciler.model import Change, Finding, Plan
from reconciler.observe import Store, World
from reconciler.settings import Settings
from runtime.store.errors import StoreError
from runtime.store.history import read_edits
from runtime.store.records import EditRecord


def with_edits(plan: Plan, world: World, settings: Settings) -> Plan:
    """The plan with a notice for each drifted resource whose editor is known. Asks the store only if there is one.

    Raises `ReadFailed` when the store cannot be read.
    """
    drifted = [change for change in plan.changes if change.reason != "config" and change.kind in ("bot", "assistant")]
    if not drifted or not isinstance(world.store, Store):
        return plan
    try:
        edits = read_edits(settings.bot_store_url, settings.api_token)
    except StoreError as error:
        raise ReadFailed(str(error)) from error
    by_object = {(edit.kind, edit.object_id): edit for edit in edits}
    return replace(plan, findings=[*plan.findings, *_notices(drifted, world.store, by_object)])


def _notices(drifted: list[Change], store: Store, by_object: Mapping[tuple[str, str], EditRecord]) -> Iterator[Finding]:
    for change in drifted:
        applied = store.applied.get((change.client, change.kind))
        edit = by_object.get((change.kind, applied.live_id)) if applied else None
        # An older edit was undone by the last apply, so it is not the one that is seen now.
        if applied and edit and _moment(edit.at) >= _moment(applied.applied_at):
            yield Finding("notice", _sentence(edit), change.client, change.kind)


def _sentence(edit: EditRecord) -> str:
    what = "deleted" if edit.action == "delete" else "changed"
    which = f": {', '.join(edit.fields)}" if edit.fields else ""
    return f"{what} through the API with the token {edit.actor!r} at {edit.at}{which}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
