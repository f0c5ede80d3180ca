"""The changes that kinds are planned in: create, update, adopt, and what removes an object."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.diff import all_fields, field_changes, reason_of, reason_of_missing
from reconciler.model import SHOWN, Action, Binding, Change, FieldChange, KindName, Reason, Values


def create(context: ClientContext, kind: KindName, key: str, after: Values, last: Values | None) -> Change:
    """Creates a declared object that does not exist. `last`: the values that were applied last, None without such a
    record."""
    return _change(context, kind, "create", key, None, all_fields(after), after, reason_of_missing(after, last))


def update(
    context: ClientContext, kind: KindName, key: str, live_id: str, live: Values, after: Values, before: Values
) -> ClientPlan:
    """Makes a live object equal to what is declared; one that is equal already is recorded, unless it is recorded.

    `live`: the object in the shape of `after`; `before`: all of it, for the write.
    """
    applied = context.applied(kind)
    fields = field_changes(live, after)
    if fields:
        last = applied.values if applied and applied.live_id == live_id else None
        change = _change(context, kind, "update", key, live_id, fields, after, reason_of(fields, last), before)
        return ClientPlan(changes=(change,))
    if applied is None or applied.live_id != live_id:
        return ClientPlan(unrecorded=(Binding(context.id, kind, live_id, after),))
    shown = {SHOWN: applied.values[SHOWN]} if SHOWN in applied.values else {}
    if applied.values != {**after, **shown}:
        return ClientPlan(unrecorded=(Binding(context.id, kind, live_id, {**after, **shown}),))
    return NOTHING


def adoption(
    context: ClientContext, kind: KindName, key: str, live_id: str | None, live: Values, after: Values, before: Values
) -> Change:
    """Adopts an object that is as declared, possibly expressed in another way."""
    return _change(context, kind, "adopt", key, live_id, field_changes(live, after), after, "config", before)


def removal(
    context: ClientContext,
    kind: KindName,
    key: str,
    live_id: str,
    action: Action = "delete",
    before: Values | None = None,
) -> Change:
    """Removes an object of an absent client, or one that was replaced."""
    return _change(context, kind, action, key, live_id, (), {}, "config", before)


def _change(
    context: ClientContext,
    kind: KindName,
    action: Action,
    key: str,
    live_id: str | None,
    fields: Sequence[FieldChange],
    after: Values,
    reason: Reason,
    before: Values | None = None,
) -> Change:
    client = context.client
    return Change(
        client=client.id,
        kind=kind,
        action=action,
        key=key,
        live_id=live_id,
        fields=tuple(fields),
        after=after,
        reason=reason,
        before=before,
        source=None if client.is_leaving or client.manifest is None else client.manifest.path,
        account=client.account,
    )
