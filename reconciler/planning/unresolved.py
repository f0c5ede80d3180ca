"""Sources that could not be read, and the clients that cannot be planned without them. Nothing of those is changed or
deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.kinds.registry import KINDS
from reconciler.manifest import Fleet
from reconciler.model import Finding, Severity
from reconciler.observation.live_state import Failed, LiveState, Store
from runtime.store.errors import damage, repair


def unread_of(context: ClientContext) -> list[Unread]:
    """Every source that the client needs and that could not be read."""
    return [
        *damaged_of(context),
        *_named_twice(context),
        *(unread for kind in KINDS.values() for unread in kind.unread(context)),
    ]


def _named_twice(context: ClientContext) -> Iterator[Unread]:
    renaming = context.live_state.renames.get(context.id)
    if renaming is not None and renaming.both is not None:
        message = (
            f"`formerly: {renaming.former}` cannot be followed, since the bot store has a {renaming.both} of each of "
            f"the two. Set `id: {renaming.former}` again, without `formerly`, and apply with --prune, which deletes "
            f"what was made as {context.id}; then rename the client"
        )
        yield Unread(context.id, Failed(message))


def damaged_of(context: ClientContext) -> Iterator[Unread]:
    """Rows of the bot store that are the client's, or have its id or its number, and cannot be read."""
    by_name = context.store.damaged_by_name
    if not by_name:
        return
    renaming = context.live_state.renames.get(context.id)
    names = (context.id,) if renaming is None else (context.id, renaming.former)
    found = [record for name in names for record in by_name.get(name, ())]
    if context.client.manifest is not None:
        found += [record for record in by_name.get(context.manifest.client.number, ()) if record not in found]
    for record in found:
        yield Unread(context.id, Failed(f"{damage(record)}. {repair(record)}"))


def damaged_elsewhere(fleet: Fleet, store: Store) -> Iterator[Finding]:
    """Findings about rows of the bot store that cannot be read, and that no client of the fleet is planned with."""
    if not store.damaged:
        return
    names = {name for manifest in fleet.clients for name in (manifest.client.id, manifest.client.number)}
    planned = [record for name, records in store.damaged_by_name.items() if name in names for record in records]
    for record in store.damaged:
        if record not in planned:
            yield Finding("warning", f"{damage(record)}. {repair(record)}")


def is_unresolved(unread: Iterable[Unread]) -> bool:
    """Whether a client cannot be planned without what could not be read."""
    return any(source.holds_up for source in unread)


def failed_reads(live_state: LiveState, unread: Iterable[Unread]) -> list[Unread]:
    """What could not be read, of all kinds. `unread`: that of the clients."""
    return [*(found for kind in KINDS.values() for found in kind.failed(live_state)), *unread]


def failed_sources(failed: Iterable[Unread]) -> list[Finding]:
    """Findings about sources that could not be read, each once for all clients that it concerns, with the highest
    severity among them."""
    said: dict[str, Severity] = {}
    for found in failed:
        text = f"{found.source}: {found.failed.message}"
        if said.get(text) != "error":
            said[text] = found.severity
    return [Finding(severity, text) for text, severity in said.items()]


def names_of(failed: Iterable[Unread]) -> list[str]:
    """The names of the sources whose failed read is an error, each once."""
    return list(dict.fromkeys(found.source for found in failed if found.severity == "error"))
