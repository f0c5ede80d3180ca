"""Sources that could not be read, and the clients that cannot be planned without them. Nothing of those is changed or
deleted."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.kinds.registry import KINDS
from reconciler.model import Finding, Severity
from reconciler.observation.live_state import LiveState


def unread_of(context: ClientContext) -> list[Unread]:
    """Every source that the client needs and that could not be read."""
    return [unread for kind in KINDS.values() for unread in kind.unread(context)]


def is_unresolved(unread: Iterable[Unread]) -> bool:
    """Whether a client cannot be planned without what could not be read."""
    return any(source.holds_up for source in unread)


def failed_sources(live_state: LiveState, unread: Iterable[Unread]) -> list[Finding]:
    """Findings about sources that could not be read, each once for all clients that it concerns, with the highest
    severity among them. `unread`: those of the clients."""
    said: dict[str, Severity] = {}
    for found in (*(found for kind in KINDS.values() for found in kind.failed(live_state)), *unread):
        text = f"{found.source}: {found.failed.message}"
        if said.get(text) != "error":
            said[text] = found.severity
    return [Finding(severity, text) for text, severity in said.items()]
