"""Which retentions a plan makes shorter, so that an apply deletes something. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model import Finding, Plan
from runtime.store.activity_records import OlderRecord
from schemas.data_policy import MESSAGES_SECONDS, seconds_of

RETENTION: Final = ("policy", "data", "retention")
COUNTED: Final = {
    "messages": "messages",
    "transcripts": "what was said in voice notes, of messages",
    "media": "Twilio's copies of files, of messages",
}
"""What goes, by the key; the rest is counted by no date of messages."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """A retention of a client that is shorter than it was, or is declared for the first time."""

    client: str
    key: str
    old: str | int | None
    new: str | int

    @property
    def seconds(self) -> int:
        """How old what is kept may be."""
        seconds = 0 if isinstance(self.new, int) else seconds_of(self.new)
        return max(seconds, MESSAGES_SECONDS) if self.key == "messages" else seconds


def shortened(plan: Plan) -> list[Shortened]:
    """The retentions that a plan makes shorter, and by whose end messages are counted."""
    return [
        Shortened(change.client, key, old, new)
        for change in plan.changes
        if change.kind == "bot" and change.action == "update"
        for field in change.fields
        for key, old, new in _retentions(field.steps, field.old, field.new)
        if key in COUNTED and new is not None and (old is None or _seconds(new) < _seconds(old))
    ]


def finding_of(one: Shortened, older: OlderRecord, until: str) -> Finding | None:
    """What goes with an apply; None where nothing does. `until`: text of `timestamp`."""
    if not older.messages:
        return None
    before = "for ever until now" if one.old is None else f"{one.old} until now"
    people = "1 person" if older.people == 1 else f"{older.people:,} people"
    message = (
        f"data.retention.{one.key}: {one.new} ({before}): {COUNTED[one.key]} from before {until[:10]} are deleted once"
        f" this is applied, {older.messages:,} of {people} today"
    )
    return Finding("warning", message, one.client, "bot")


def _retentions(steps: tuple[str | int, ...], old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """The retentions in a field's change, whichever block it is of: (key, old, new)."""
    if steps[:3] == RETENTION and len(steps) == 4:
        yield str(steps[3]), old, new
    elif len(steps) < 4 and steps == RETENTION[: len(steps)]:
        inner = [_inside(value, RETENTION[len(steps) :]) for value in (old, new)]
        for key in COUNTED:
            yield key, inner[0].get(key), inner[1].get(key)


def _inside(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _seconds(value: str | int) -> int:
    return 0 if isinstance(value, int) else seconds_of(value)
