"""Results of the attempts at a turn that must not be repeated, stored in the turn's row until its end.

A list of JSON objects: first the results of preparing its messages (`{"type": "prepared", "key", "result"}`), then what
calls of models used (`{"type": "spent", "model", "usage"}`), then the engine's own notes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json
from runtime.store.usage.quantities import Spent, Usage

PREPARED, SPENT = "prepared", "spent"
"""The types of notes that are not the engine's."""

Keep = Callable[[str], Awaitable[None]]
"""Replaces the progress in the turn's row; raises TurnTakenOver when another process owns the turn."""


def engine_notes(kept: str | None) -> list[Mapping[str, Any]]:
    """The engine's notes in the progress of a turn, as JSON."""
    return [note for note in _notes(kept) if note.get("type") not in (PREPARED, SPENT)]


def spent_notes(kept: str | None) -> list[Spent]:
    """What calls of models used, in the progress of a turn, as JSON."""
    notes = (note for note in _notes(kept) if note.get("type") == SPENT)
    return [Spent(note["model"], Usage.from_json(note["usage"])) for note in notes]


def _notes(kept: str | None) -> Sequence[Mapping[str, Any]]:
    return json.loads(kept) if kept else ()


class Progress:
    """The progress of one turn, whose steps follow one another."""

    def __init__(self, kept: str | None, keep: Keep) -> None:
        """`kept` is the progress of earlier attempts, as JSON."""
        self.items: Sequence[Mapping[str, Any]] = engine_notes(kept)
        """The engine's notes."""
        prepared = [note for note in _notes(kept) if note.get("type") == PREPARED]
        self._results: dict[str, Any] = {note["key"]: note["result"] for note in prepared}
        self.spent = spent_notes(kept)
        """What calls of models used, in all attempts."""
        self._spent_on_disk = len(self.spent)
        self._keep = keep
        self.texts: dict[tuple[int, int], str] = {}
        """What files say that this attempt has read: by message in the inbox, and index of the part."""

    def functions(self) -> list[str]:
        """The names of the functions that the engine called, in all attempts, each once. Notes of an older program lack
        the name."""
        calls = (note for note in self.items if note.get("type") in ("function_call", "called"))
        return list(dict.fromkeys(note["name"] for note in calls if note.get("name")))

    async def keep_items(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Stores the engine's notes, in place of earlier ones."""
        self.items = items
        await self._write()

    async def once(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, a JSON value: stored under `key` before this returns, and read from there later."""
        if key not in self._results:
            self._results[key] = await work()
            await self._write()
        return self._results[key]

    def result(self, key: str) -> Any:
        """What is stored under a key; None without anything."""
        return self._results.get(key)

    def spend(self, model: str, usage: Usage) -> None:
        """Notes what a call of a model used. It is stored with the next note, by `keep_spent`, or with the turn's
        end."""
        self.spent.append(Spent(model, usage))

    def unkept(self) -> list[Spent]:
        """What was spent since the last note: no later attempt knows of it."""
        return self.spent[self._spent_on_disk :]

    async def keep_spent(self) -> None:
        """Stores what was spent since the last note, before the turn is attempted again."""
        if len(self.spent) > self._spent_on_disk:
            await self._write()

    def without_spent(self) -> str | None:
        """What a retry of a dead letter continues from, as JSON: what was spent until then is in the ledger."""
        notes = [*self._prepared(), *self.items]
        return dump_json(notes) if notes else None

    async def _write(self) -> None:
        spent = [{"type": SPENT, "model": call.model, "usage": call.usage.as_json()} for call in self.spent]
        await self._keep(dump_json([*self._prepared(), *spent, *self.items]))
        self._spent_on_disk = len(spent)

    def _prepared(self) -> list[Mapping[str, Any]]:
        return [{"type": PREPARED, "key": key, "result": result} for key, result in self._results.items()]
