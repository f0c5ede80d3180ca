"""What the attempts at a turn have done that must not be done again, kept in the turn's row until its end.

A list of JSON objects: first what preparing its messages came to (`{"type": "prepared", "key", "result"}`), then what
the engine keeps, which is the engine's own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json

PREPARED = "prepared"
"""The type of a note that is not the engine's."""

Keep = Callable[[str], Awaitable[None]]
"""Replaces what the turn's row holds; raises TurnTakenOver when another process has the turn."""


class Progress:
    """The progress of one turn, whose steps follow one another."""

    def __init__(self, kept: str | None, keep: Keep) -> None:
        """`kept` is what earlier attempts left, as JSON."""
        notes: Sequence[Mapping[str, Any]] = json.loads(kept) if kept else ()
        self.items: Sequence[Mapping[str, Any]] = [note for note in notes if note.get("type") != PREPARED]
        """What the engine kept."""
        self._results: dict[str, Any] = {note["key"]: note["result"] for note in notes if note.get("type") == PREPARED}
        self._keep = keep

    async def keep_items(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Keeps the engine's items, instead of those before."""
        self.items = items
        await self._write()

    async def once(self, key: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, a JSON value: kept under `key` before this returns, and returned from there later."""
        if key not in self._results:
            self._results[key] = await work()
            await self._write()
        return self._results[key]

    async def _write(self) -> None:
        prepared = [{"type": PREPARED, "key": key, "result": result} for key, result in self._results.items()]
        await self._keep(dump_json([*prepared, *self.items]))
