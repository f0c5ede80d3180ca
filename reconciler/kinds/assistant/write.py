"""How a change of a client's assistant is written: into the bot store, or to the API that its engine speaks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from reconciler.intents import Creating
from reconciler.kinds.assistant.desired import with_ids
from reconciler.kinds.assistant.plan import RECORD
from reconciler.model import Change, KindName, Values
from runtime.store.records import AppliedRecord, AssistantRecord


class AssistantRecordsPort(Protocol):
    """The methods needed of the writer of the bot store."""

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """Creates or replaces by id."""

    def delete_assistant(self, assistant_id: str) -> None:
        """Removes by id."""


class AssistantObjectsPort(Protocol):
    """The methods needed of the writer of live objects."""

    def create_object(self, client: str, values: Values, creating: Creating) -> str:
        """Returns the id."""

    def update_object(
        self, live_id: str, client: str, values: Values, before: Values, changed: Collection[str]
    ) -> None:
        """Sets the changed ones of the values."""

    def delete_object(self, engine: str, live_id: str) -> None:
        """Deletes; one that is not found is fine."""


class AssistantPorts(Protocol):
    """An object with those writers."""

    @property
    def store(self) -> AssistantRecordsPort:
        """The one for the bot store."""

    def objects(self) -> AssistantObjectsPort:
        """The one for OpenAI."""

    def creating(self, change: Change) -> Creating:
        """What the change creates."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: AssistantPorts) -> tuple[str, Values]:
    """Create, update or adopt. Returns the assistant's id, and what was applied."""
    after = with_ids(change.after, {kind: record.live_id for kind, record in made.items()})
    if after["engine"] == RECORD:
        return ports.store.put_assistant(_record(change, after)).id, after
    if change.live_id is None:
        return ports.objects().create_object(change.client, after, ports.creating(change)), after
    changed = {str(field.steps[0]) for field in change.fields}
    ports.objects().update_object(change.live_id, change.client, after, change.before or {}, changed)
    return change.live_id, after


def remove(change: Change, ports: AssistantPorts) -> None:
    """Delete a record or a live object."""
    if change.key == RECORD:
        ports.store.delete_assistant(str(change.live_id))
    else:
        ports.objects().delete_object(change.key, str(change.live_id))


def _record(change: Change, values: Values) -> AssistantRecord:
    return AssistantRecord(
        id=change.live_id or change.client,
        name=values["name"],
        instructions=values["instructions"],
        model=values["model"],
        tools=values["tools"],
        settings=values["settings"],
        metadata=(change.before or {}).get("metadata", {}),
        client=change.client,
        managed_by=change.source,
    )
