"""The changes that give a client's Twilio account what buttons and lists need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from reconciler.kinds.changes import create, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.content.live import REFUSED, refused_in, sids_of, summarised
from reconciler.kinds.context import ClientContext
from reconciler.model import Reason
from schemas.content_shapes import name_of

KEY: Final = "buttons and lists"
_BELOW: Final = ("contents",)


def plan(context: ClientContext) -> ClientPlan:
    """The shapes that the account lacks. Raises `Withheld`."""
    applied = context.applied("content")
    if "content" not in context.client.resources:
        return NOTHING if applied is None else ClientPlan(forgotten=("content",))
    live, refused = sids_of(context), refused_in(context)
    possible = {shape: sid for shape, sid in context.desired("content")["contents"].items() if shape not in refused}
    known = {REFUSED: sorted(map(name_of, refused))} if refused else {}
    after: dict[str, Any] = {"contents": {**possible, **live}, **known}
    if live:
        found = update(context, "content", KEY, str(context.account.sid), {"contents": live, **known}, after, {})
    else:
        found = ClientPlan(changes=(create(context, "content", KEY, after, applied.values if applied else None),))
    last = applied.values.get("contents", {}) if applied is not None else {}
    # An id that is not known yet differs from the last one, which says nothing about git.
    reason: Reason = "drift" if last.keys() >= after["contents"].keys() - live.keys() else "config"
    changes = [replace(change, fields=summarised(change.fields, _BELOW), reason=reason) for change in found.changes]
    return replace(found, changes=changes) if changes else found


def plan_absent(context: ClientContext) -> ClientPlan:
    """Nothing: other clients of the account use them, or will."""
    return NOTHING
