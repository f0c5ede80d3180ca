"""A thread as one list in the order of time: messages, calls of functions, notes, and a line where a day begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from runtime.store.messages.threads import Thread, ThreadCall, ThreadMessage, ThreadNote

Delivery = Literal["queued", "sent", "delivered", "read", "failed", "withheld"]
OF_STATUS: Final[dict[str, Delivery]] = {"delivered": "delivered", "read": "read"}
FAILED_STATUSES: Final = frozenset({"failed", "undelivered"})


@dataclass(frozen=True, slots=True)
class ThreadEntry:
    """One of them."""

    at: str
    kind: Literal["day", "message", "call", "note"]
    key: str
    """Its id on the page, the same as long as it is shown."""
    message: ThreadMessage | None = None
    call: ThreadCall | None = None
    note: ThreadNote | None = None
    text: str = ""
    """Of a message: without what stands for its files."""
    delivery: Delivery | None = None
    """Of a message to the user."""


def timeline(thread: Thread, zone: str) -> Sequence[ThreadEntry]:
    """All of a thread."""
    entries = [
        *(_message(message) for message in thread.messages),
        *(ThreadEntry(call.at, "call", f"call-{place}", call=call) for place, call in _calls(thread.calls)),
        *(ThreadEntry(note.at, "note", f"note-{note.id}", note=note) for note in thread.notes),
    ]
    found: list[ThreadEntry] = []
    day = None
    for entry in sorted(entries, key=lambda one: one.at):
        local = datetime.fromisoformat(entry.at).astimezone(ZoneInfo(zone)).date()
        if local != day:
            found.append(ThreadEntry(entry.at, "day", f"day-{local}"))
            day = local
        found.append(entry)
    return found


def delivery_of(message: ThreadMessage) -> Delivery:
    """How far a message to the user has come."""
    if message.state == "withheld":
        return "withheld"
    if message.state == "failed" or message.status in FAILED_STATUSES:
        return "failed"
    if message.state != "sent":
        return "queued"
    return OF_STATUS.get(message.status or "", "sent")


def _message(message: ThreadMessage) -> ThreadEntry:
    return ThreadEntry(
        message.at,
        "message",
        f"{message.direction}-{message.id}",
        message=message,
        text=_words(message),
        delivery=delivery_of(message) if message.direction == "out" else None,
    )


def _calls(calls: Sequence[ThreadCall]) -> Iterator[tuple[str, ThreadCall]]:
    """Each with its place: the turn, and which of its calls it is."""
    of_turn = Counter[int | None]()
    for call in calls:
        of_turn[call.turn] += 1
        yield f"{call.turn or 0}-{of_turn[call.turn]}", call


def _words(message: ThreadMessage) -> str:
    """What was written: the text without the line that names each file, which is shown as what it is."""
    lines = message.text
    for file in message.files:
        named = f"[{file.content_type}] {file.transcript}" if file.transcript else f"[{file.content_type}]"
        lines = lines.replace(named, "", 1)
    return lines.strip("\n")
