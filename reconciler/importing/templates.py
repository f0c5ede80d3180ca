"""Message templates that were made in Twilio's console, for the manifests that will use them as they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from reconciler.importing.draft import ImportedManifest
from reconciler.kinds.template.desired import said_of
from reconciler.kinds.template.live import made_by_us
from reconciler.manifest.template_checks import check_templates
from reconciler.observation.live_state import Store
from reconciler.readers.twilio import LiveTemplate
from schemas.templates import Template, meta_name, template_of_content

Unused = tuple[LiveTemplate, str]
"""A template that no manifest gets, and the reason."""


def shared_out(
    drafts: Sequence[ImportedManifest], templates: Sequence[LiveTemplate], store: Store, *, is_alone: bool
) -> tuple[Mapping[str, Mapping[str, Any]], Sequence[Unused]]:
    """By draft the key `templates` of its manifest: of those submitted to Meta in the account of the `drafts`.

    A template is usable by every number of an account. It goes to the only client there (`is_alone`), else to the one
    whose id begins its name.
    """
    known = {sid for (_, kind), record in store.applied.items() if kind == "template" for sid in _sids(record.values)}
    shared: dict[str, dict[str, Any]] = {}
    unused: list[Unused] = []
    for live in sorted(templates, key=lambda live: (live.created, live.sid)):
        if live.sid in known or live.status == "unsubmitted":
            continue
        owner = _owner(live, [draft.id for draft in drafts], is_alone=is_alone)
        template = template_of_content(live.document, live.category or "")
        if owner is None:
            unused.append((live, "several clients share the account, and its name begins with none of their ids"))
        elif template is None:
            unused.append((live, "a manifest cannot declare a template of this sort"))
        else:
            name = _name(live, owner, template, shared.get(owner, ()))
            said = said_of(template)
            problem = next(
                (found for found in check_templates({"templates": {name: said}}) if found.severity == "error"), None
            )
            if problem is None:
                shared.setdefault(owner, {})[name] = said
            else:
                unused.append((live, problem.message))
    return shared, unused


def _sids(values: Mapping[str, Any]) -> Iterable[str]:
    yield from made_by_us(values).values()
    yield from (value["sid"] for value in values.get("templates", {}).values())


def _owner(live: LiveTemplate, ids: Sequence[str], *, is_alone: bool) -> str | None:
    if is_alone and len(ids) == 1:
        return ids[0]
    named = [client for client in ids if meta_name(live.name).startswith(f"{meta_name(client)}_")]
    return max(named, key=len, default=None)


def _name(live: LiveTemplate, client: str, template: Template, taken: Collection[str]) -> str:
    """Its name at Twilio without the client's id, language and hash, as far as it has them."""
    words = meta_name(live.name).removeprefix(f"{meta_name(client)}_")
    words = re.sub(rf"_{meta_name(template.language)}(_[0-9a-f]{{8}})?$", "", words)
    words = re.sub(r"_+", "_", words).strip("_")[:36]
    wanted = words if re.match(r"[a-z]", words) else f"plantilla_{words}".strip("_")[:36]
    return (
        wanted
        if wanted not in taken
        else next(free for number in range(2, len(taken) + 3) if (free := f"{wanted}_{number}") not in taken)
    )
