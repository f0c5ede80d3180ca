"""Results of the attempts at a turn that must not be repeated, stored in the turn's row until its end.

A list of JSON objects: first the results of preparing its messages (`{"type": "prepared", "key", "result"}`), then the
engine's own notes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json

PREPARED = "prepared"
"""The type of a note that is not the engine's."""

Keep = Callable[[str], Awaitable[None]]
"""Replaces the progress in the turn's row; raises TurnTakenOver when another process owns the turn."""


def engine_notes(kept: str | None) -> list[Mapping[str, Any]]:
    """The engine's notes in the progress of a turn, as JSON."""
    return [note for note in _notes(kept) if note.get("type") != PREPARED]


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
        self._keep = keep

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

    async def _write(self) -> None:
        prepared = [{"type": PREPARED, "key": key, "result": result} for key, result in self._results.items()]
        await self._keep(dump_json([*prepared, *self.items]))
