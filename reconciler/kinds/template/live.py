"""Which templates of a Twilio account are a client's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from reconciler.kinds.context import ClientContext
from reconciler.kinds.template.desired import declared_part
from reconciler.kinds.withheld import Withheld
from reconciler.model import Orphan, Unmanaged, Values
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.readers.twilio import LiveTemplate
from schemas.templates import Template, friendly_name, is_content_of


def matches(context: ClientContext) -> dict[str, LiveTemplate]:
    """The client's live templates, by their names in the manifest. Raises `Withheld`.

    One is found by the SID that was applied last, as long as the same is declared, else by its name at Twilio, also by
    the one that it has from the client's former id.
    """
    templates = context.manifest.client.templates
    if not templates:
        return {}
    by_sid = _by_sid(context)
    by_name: dict[str, LiveTemplate] = {}
    for item in sorted(by_sid.values(), key=lambda item: (item.created, item.sid), reverse=True):
        by_name[item.name] = item
    found = {}
    for name, template in templates.items():
        if template.content_sid:
            live: LiveTemplate | None = _named(name, template, by_sid)
        else:
            live = _recorded(context, name, by_sid)
            live = live or next((by_name[known] for known in _names(context, name, template) if known in by_name), None)
        if live is not None:
            found[name] = live
    return found


def former(context: ClientContext, matched: Mapping[str, LiveTemplate]) -> dict[str, str]:
    """Name at Twilio → SID of what earlier applies made and nothing declares any more. Raises `Withheld`."""
    applied = context.applied("template")
    if applied is None or applied.live_id != str(context.account.sid):
        return {}
    by_sid, used = _by_sid(context), {live.sid for live in matched.values()}
    made = made_by_us(applied.values)
    return {name: sid for name, sid in made.items() if sid in by_sid and sid not in used}


def made_by_us(values: Values) -> dict[str, str]:
    """Name at Twilio → SID of every content in the record of an apply; without those made in Twilio's console."""
    own = (value for value in values.get("templates", {}).values() if "content_sid" not in value)
    return {value["content"]: value["sid"] for value in own} | dict(values.get("former", {}))


def applied_templates(context: ClientContext) -> Mapping[str, Mapping[str, Any]]:
    """What was applied last, by name."""
    applied = context.applied("template")
    recorded: Mapping[str, Mapping[str, Any]] = applied.values.get("templates", {}) if applied is not None else {}
    return recorded


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterator[Orphan | Unmanaged]:
    """Templates of clients that no manifest declares any more."""
    live = {item.sid for read in live_state.templates.values() if not isinstance(read, Failed) for item in read}
    for (client, kind), record in store.applied.items():
        if kind == "template" and client not in clients:
            for name, sid in made_by_us(record.values).items():
                if sid in live:
                    yield Orphan(client, "template", name, sid)


def _by_sid(context: ClientContext) -> dict[str, LiveTemplate]:
    read = context.live_state.templates.get(context.account, ())
    if isinstance(read, Failed):
        raise Withheld(read.message)
    return {live.sid: live for live in read}


def _recorded(context: ClientContext, name: str, by_sid: Mapping[str, LiveTemplate]) -> LiveTemplate | None:
    """The one that was applied last, where the same is declared now."""
    recorded = applied_templates(context).get(name)
    if recorded is None or declared_part(recorded) != _declared(context, name):
        return None
    return by_sid.get(recorded["sid"])


def _declared(context: ClientContext, name: str) -> dict[str, Any]:
    return declared_part(context.desired("template")["templates"][name])


def _names(context: ClientContext, name: str, template: Template) -> list[str]:
    ids = (context.id, context.manifest.client.formerly)
    return [friendly_name(client, name, template) for client in ids if client is not None]


def _named(name: str, template: Template, by_sid: Mapping[str, LiveTemplate]) -> LiveTemplate:
    """The content that the manifest names by its SID. Raises `Withheld` where that is another text, or none."""
    sid = str(template.content_sid)
    if sid not in by_sid:
        raise Withheld(
            f"templates.{name}.content_sid: Twilio has no content {sid} in this account; correct it, or remove the "
            "line, and the template is made"
        )
    if not is_content_of(template, by_sid[sid].document):
        raise Withheld(
            f"templates.{name}: Twilio's content {sid} says something else; declare what it says, or remove "
            "content_sid, and another one is made"
        )
    return by_sid[sid]
