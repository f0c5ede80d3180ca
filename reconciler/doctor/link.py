"""One link of the chain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its state, and its fix when it is broken."""

    name: str
    ok: bool | None
    """None: unknown while an earlier link is broken."""
    says: str
    fix: str = ""
