"""What a run is about to create at OpenAI, recorded before it is created.

A create is not idempotent, and a list may lag behind it. A run that is killed before it records the new object's id
leaves an object that the next run cannot ask for, and may not find in the list either: it would create a second one. So
the intent is stored first. While it is open, the next run leaves the client unresolved until the list shows the object,
or OPENAI_LIST_LAG seconds have passed, after which every list shows it if it exists.

    intent recorded ──► created ──► applied values recorded ──► settled
           └────────────────┴──────────────┴── killed: open
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeVar

from reconciler.errors import ProviderError, UnknownOutcome
from reconciler.model import KIND_ORDER, KindName
from runtime.store.records import AppliedRecord

T = TypeVar("T")

What = Literal["vector store", "file", "agents", "assistants"]
"""What is created: one of these, or an object of that engine."""

_KINDS: Final[Mapping[str, KindName]] = {f"creating-{kind}": kind for kind in KIND_ORDER}
"""The kind under which the store keeps the intent, beside the record of what was applied last."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that may have been created."""

    client: str
    kind: KindName
    what: str
    name: str
    """Of a file, the name by which the list shows it; of anything else "", since it has the client's marker."""
    at: float
    """When the create was sent, in seconds since the epoch."""

    def record(self) -> AppliedRecord:
        """What the store keeps."""
        values = {"what": self.what, "name": self.name, "at": self.at}
        return AppliedRecord(self.client, kept_as(self.kind), self.what, values)

    def seconds_left(self, lag: float) -> float:
        """Seconds for which a list that lags `lag` seconds behind may still lack it; 0 from then on."""
        return max(0.0, self.at + lag - time.time())


def kept_as(kind: KindName) -> str:
    """The kind under which the store keeps an intent of this kind."""
    return f"creating-{kind}"


def intents_of(records: Iterable[AppliedRecord]) -> Mapping[tuple[str, KindName], Intent]:
    """The open intents among the store's records, by client and kind."""
    found: dict[tuple[str, KindName], Intent] = {}
    for record in records:
        kind = _KINDS.get(record.kind)
        if kind is not None:
            at = record.values.get("at")
            found[record.client, kind] = Intent(
                record.client,
                kind,
                str(record.values.get("what")),
                str(record.values.get("name", "")),
                float(at) if isinstance(at, int | float) else 0.0,
            )
    return found


class IntentsPort(Protocol):
    """The methods needed of the writer of the bot store."""

    def record_applied(self, record: AppliedRecord) -> None:
        """Stores a record."""

    def forget_applied(self, client: str, kind: str) -> None:
        """Deletes one."""


class Creating:
    """What one client's change of one kind creates. Used by one thread."""

    def __init__(self, store: IntentsPort, client: str, kind: KindName) -> None:
        self._store = store
        self._client = client
        self._kind = kind
        self._may_be_made = False
        self.is_open = False
        """Whether an intent of this change is recorded."""

    def noted(self, create: Callable[[], T], what: What, name: str = "") -> Callable[[], T]:
        """`create`, with its intent recorded before each attempt, and settled where nothing can have been created."""

        def attempt() -> T:
            self._store.record_applied(Intent(self._client, self._kind, what, name, time.time()).record())
            self.is_open = True
            try:
                made = create()
            except UnknownOutcome:
                self._may_be_made = True
                raise
            except ProviderError:
                if not self._may_be_made:
                    self.settle()
                raise
            self._may_be_made = True
            return made

        return attempt

    def settle(self) -> None:
        """What was created is recorded, or nothing was."""
        if self.is_open:
            self._store.forget_applied(self._client, kept_as(self._kind))
            self.is_open = False
