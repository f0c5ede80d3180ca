"""How a change of each kind is written. The only module in which a kind's `write` gets writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.applying.ports import Ports
from reconciler.applying.renames import rename
from reconciler.event_streams import KIND as EVENT_STREAM
from reconciler.kinds.assistant import write as assistant
from reconciler.kinds.bot import write as bot
from reconciler.kinds.content import write as content
from reconciler.kinds.knowledge import write as knowledge
from reconciler.kinds.sender import write as sender
from reconciler.kinds.template import write as template
from reconciler.model import DESTRUCTIVE, Change, KindName, Values
from runtime.store.records import INSTALLATION, AppliedRecord
from runtime.store.tariffs_record import KIND as TARIFFS

Made = Mapping[KindName, AppliedRecord]
"""What was just written for the same client, for the ids in it."""


@dataclass(frozen=True, slots=True)
class Write:
    """The writes of one kind."""

    put: Callable[[Change, Made, Ports], tuple[str, Values]]
    """Creates, updates or adopts; returns the live id, and the values that were applied."""
    remove: Callable[[Change, Ports], None]
    """Deletes or detaches; an object that is not found is a success."""


WRITES: Final[Mapping[KindName, Write]] = {
    "knowledge": Write(knowledge.put, knowledge.remove),
    "template": Write(template.put, template.remove),
    "assistant": Write(assistant.put, assistant.remove),
    "content": Write(content.put, content.remove),
    "bot": Write(bot.put, bot.remove),
    "sender": Write(sender.put, sender.remove),
}


def write_event_stream(change: Change, ports: Ports) -> tuple[str, AppliedRecord | None]:
    """Makes, completes or deletes an account's subscription to events, and its sink."""
    writer = ports.event_streams(change.account)
    if change.action in DESTRUCTIVE:
        writer.remove(str(change.live_id))
        ports.store.forget_applied(change.key, EVENT_STREAM)
        return str(change.live_id), None
    sid = writer.put(change.after["destination"], change.live_id)
    return sid, AppliedRecord(change.key, EVENT_STREAM, sid, change.after)


def write(change: Change, made: Made, ports: Ports) -> tuple[str, AppliedRecord | None]:
    """Apply one change. Returns the live id, and what is to be recorded. Raises `ProviderError` or `StoreError`."""
    if change.action == "rename":
        rename(change, ports)
        return str(change.live_id), None
    if change.kind == "tariffs":
        return INSTALLATION, AppliedRecord(INSTALLATION, TARIFFS, INSTALLATION, change.after)
    if change.kind == EVENT_STREAM:
        return write_event_stream(change, ports)
    kind = WRITES[change.kind]
    if change.action in DESTRUCTIVE:
        kind.remove(change, ports)
        if change.source is None:
            ports.store.forget_applied(change.client, change.kind)
        return str(change.live_id), None
    live_id, values = kind.put(change, made, ports)
    return live_id, AppliedRecord(change.client, change.kind, live_id, values)
