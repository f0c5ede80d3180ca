"""The fleet: does every client answer, does it stand as declared, who waits, what does it cost. Most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from aiohttp import web

from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit
from runtime.console.paging import page_number
from runtime.console.rendering import seconds_from
from runtime.console.words import Sentence
from runtime.store.console import fleet
from runtime.store.console.fleet import FleetRow, MonthOfClient
from runtime.store.database.database import Database
from schemas.models import NOTICE_DAYS

Answers = Literal["silent", "degraded", "paused", "answers", "unused"]
Sync = Literal["differs", "unresolved", "applied", "by_hand"]
SHOWN: Final = 50
"""Rows of a page."""
UNRESOLVED: Final = frozenset({"unresolved", "withheld", "error"})
"""What a run can find of a client whose live state it does not know, or could not change."""
LATE_SECONDS: Final = 300.0
"""A message that no turn has ended for this long is not going to be answered soon."""
RECENT_SECONDS: Final = 86_400.0
"""How long a dead letter counts as a failure of today."""
URGENCY: Final[Mapping[Answers, int]] = {"silent": 0, "degraded": 1, "answers": 4, "unused": 5, "paused": 6}


@dataclass(frozen=True, slots=True)
class FleetLine:
    """A bot with what is to be said about it."""

    row: FleetRow
    answers: Answers
    why: Sentence | None
    """Why it does not answer, or fails."""
    sync: Sync

    @property
    def model_days(self) -> int | None:
        """Days until its model is shut down, in UTC; None: nothing is announced."""
        return None if self.row.model_ends is None else (self.row.model_ends - datetime.now(UTC).date()).days

    @property
    def urgency(self) -> tuple[int, str]:
        """Where it stands: silent, failing, with people who wait, not as in git, the rest."""
        rank = URGENCY[self.answers]
        if rank > 1 and self.row.waiting_people:
            rank = 2
        elif rank > 1 and self.sync in ("differs", "unresolved"):
            rank = 3
        return rank, self.row.client


FILTERS: Final[Mapping[str, Callable[[FleetLine], bool]]] = {
    "silent": lambda line: line.answers == "silent",
    "degraded": lambda line: line.answers == "degraded",
    "paused": lambda line: line.answers == "paused",
    "differs": lambda line: line.sync == "differs",
    "unresolved": lambda line: line.sync == "unresolved",
    "by_hand": lambda line: line.sync == "by_hand",
    "waiting": lambda line: line.row.waiting_people > 0,
    "model": lambda line: line.model_days is not None and line.model_days <= NOTICE_DAYS[0],
}
"""What `?only=` shows."""


class FleetPages:
    """Handler of /console."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [OperatorPage("GET", HOME, self.show)]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console"""
        lines = sorted(map(judged, await self._database.read(fleet.rows, visit.clients)), key=lambda one: one.urgency)
        only, wanted = visit.query("only"), visit.query("q").strip().casefold()
        counts = {name: sum(map(is_in, lines)) for name, is_in in FILTERS.items()}
        chosen = [line for line in lines if _fits(line, only, wanted)]
        number = page_number(visit)
        shown = chosen[number * SHOWN : (number + 1) * SHOWN]
        months = await self._database.read(fleet.months, [line.row for line in shown], datetime.now(UTC).date())
        return visit.page(
            "fleet.html",
            lines=[(line, months[line.row.bot_id]) for line in shown],
            spent_percent=spent_percent,
            total=len(lines),
            found=len(chosen),
            counts=counts,
            only=only if only in FILTERS else "",
            wanted=visit.query("q"),
            number=number,
            has_more=len(chosen) > (number + 1) * SHOWN,
            waiting=_waiting(lines),
            unanswered=sum(line.row.dead_letters for line in lines),
            silent=[line for line in lines if line.answers == "silent"][:5],
        )


def judged(row: FleetRow) -> FleetLine:
    """What the rows of the store mean."""
    answers, why = _answers(row)
    return FleetLine(row, answers, why, _sync(row))


def spent_percent(month: MonthOfClient) -> int | None:
    """How much of its budget a client has spent; None without one."""
    return None if not month.limit_nano_usd else month.nano_usd * 100 // month.limit_nano_usd


def _sync(row: FleetRow) -> Sync:
    if not row.is_declared:
        return "by_hand"
    if row.is_changed_by_hand or row.found == "differs":
        return "differs"
    return "unresolved" if row.found in UNRESOLVED else "applied"


def _answers(row: FleetRow) -> tuple[Answers, Sentence | None]:
    if row.state == "paused":
        return "paused", None
    if row.open_since is not None and seconds_from(row.open_since) > LATE_SECONDS:
        return "silent", Sentence("hay mensajes que nadie ha respondido")
    if row.dead_at is not None and seconds_from(row.dead_at) < RECENT_SECONDS:
        why = Sentence("falló la última respuesta")
        is_last = row.last_inbound is not None and row.last_inbound <= row.dead_at
        return ("silent", why) if is_last else ("degraded", Sentence("hubo respuestas que fallaron"))
    if row.last_inbound is None:
        return "unused", None
    return "answers", None


def _fits(line: FleetLine, only: str, wanted: str) -> bool:
    is_in = FILTERS.get(only)
    words = f"{line.row.client} {line.row.name} {line.row.number}".casefold()
    return (is_in is None or is_in(line)) and wanted in words


def _waiting(lines: Sequence[FleetLine]) -> tuple[int, str | None]:
    """How many people wait for people, and since when the first of them."""
    since = [line.row.waiting_since for line in lines if line.row.waiting_since is not None]
    return sum(line.row.waiting_people for line in lines), min(since, default=None)
