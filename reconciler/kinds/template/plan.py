"""The changes that make a client's templates, and those that delete what they replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.kinds.changes import create, removal, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.diff import all_fields
from reconciler.kinds.template.desired import declared_part
from reconciler.kinds.template.live import applied_templates, former, matches
from reconciler.model import UNKNOWN_ID, Change, FieldChange, Reason, TemplateState
from reconciler.readers.twilio import LiveTemplate

KEY: Final = "templates"
FORMER: Final = "former templates"


def plan(context: ClientContext) -> ClientPlan:
    """The templates that are missing or not submitted. Raises `Withheld`."""
    applied = context.applied("template")
    if "template" not in context.client.resources and applied is None:
        return NOTHING
    matched = matches(context)
    found = _plan(context, matched)
    return replace(found, templates=[_state(context, name, live) for name, live in matched.items()])


def _plan(context: ClientContext, matched: Mapping[str, LiveTemplate]) -> ClientPlan:
    applied = context.applied("template")
    left = former(context, matched)
    deferred = [_removal(context, left)] if left and context.prune else []
    after = {"templates": declared(context, matched), "former": {} if context.prune else left}
    if not after["templates"] and not after["former"]:
        return ClientPlan(deferred=deferred, forgotten=() if deferred else ("template",))
    live = {"templates": _live(context, matched, left), "former": after["former"]}
    if not live["templates"] and applied is None:
        return ClientPlan(changes=(create(context, "template", KEY, after, None),))
    found = update(context, "template", KEY, str(context.account.sid), live, after, {})
    reason = _reason(context, matched)
    changes = [replace(change, fields=_spread(change.fields), reason=reason) for change in found.changes]
    return replace(found, changes=changes, deferred=deferred)


def plan_absent(context: ClientContext) -> ClientPlan:
    """The delete of all that was made. Raises `Withheld`."""
    left = former(context, {})
    return ClientPlan(changes=(_removal(context, left),)) if left else NOTHING


def is_of_earlier_apply(change: Change) -> bool:
    """Whether a template exists that was not made in Twilio's console."""
    known = (value for value in change.after.get("templates", {}).values() if value["sid"] != UNKNOWN_ID)
    return any("content_sid" not in value for value in known)


def declared(context: ClientContext, matched: Mapping[str, LiveTemplate]) -> dict[str, dict[str, Any]]:
    """The declared templates, with the names and SIDs of those that exist."""
    if "template" not in context.client.resources:
        return {}
    return {
        name: {**value, **({"content": matched[name].name, "sid": matched[name].sid} if name in matched else {})}
        for name, value in context.desired("template")["templates"].items()
    }


def _live(
    context: ClientContext, matched: Mapping[str, LiveTemplate], left: Mapping[str, str]
) -> dict[str, Mapping[str, Any]]:
    """What exists of the declared templates; of one whose text changes the former text, for people to compare."""
    shown: dict[str, Mapping[str, Any]] = {}
    last = applied_templates(context)
    for name, value in declared(context, matched).items():
        if name in matched:
            shown[name] = {**value, "submitted": matched[name].status != "unsubmitted"}
        elif name in last and last[name]["content"] in left:
            shown[name] = last[name]
    return shown


def _reason(context: ClientContext, matched: Mapping[str, LiveTemplate]) -> Reason:
    """`drift` where everything that is missing was applied as it is declared: it was deleted at Twilio."""
    last = applied_templates(context)
    wanted = context.desired("template")["templates"]
    missing = [name for name in wanted if name not in matched or matched[name].status == "unsubmitted"]
    applied = [name in last and declared_part(last[name]) == declared_part(wanted[name]) for name in missing]
    return "drift" if applied and all(applied) else "both" if any(applied) else "config"


def _state(context: ClientContext, name: str, live: LiveTemplate) -> TemplateState:
    template = (context.manifest.client.templates or {})[name]
    shown = (live.name, live.sid, template.category, live.category, live.status, live.rejection_reason)
    return TemplateState(context.id, name, *shown)


def _spread(fields: Iterable[FieldChange]) -> list[FieldChange]:
    """The fields, with a new template in lines of its own."""
    spread: list[FieldChange] = []
    for field in fields:
        if field.old is None and isinstance(field.new, Mapping):
            inner = all_fields(field.new)
            spread += [FieldChange((*field.steps, *part.steps), None, part.new) for part in inner]
        else:
            spread.append(field)
    return spread


def _removal(context: ClientContext, left: Mapping[str, str]) -> Change:
    change = removal(context, "template", FORMER, str(context.account.sid))
    return replace(change, fields=tuple(FieldChange((name,), sid, None) for name, sid in sorted(left.items())))
