"""Months as reports of the console show them. One in which much was written takes long to count, a second at worst: it
is shown as it was counted a while ago, and counted again beside. The report says until when its figures are.

    a month ──► never counted, or longer than KEPT_SECONDS ago ──► counted
            ──► within FRESH_SECONDS ──► shown as it was counted
            ──► in between ──► shown so, and counted for who comes next
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from runtime.reports.content import Branding, ClientReport, document
from runtime.reports.figures import Figures, read_figures
from runtime.reports.money import bill
from runtime.reports.month import Month
from runtime.reports.words import Words
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.usage.reporting import ReportReader, read_with
from schemas.money import Language
from schemas.tariffs import Agency

MANY: Final = 5_000
"""Messages of users in a month, from which on it is kept: half a second's counting."""
FRESH_SECONDS: Final = 60.0
KEPT_SECONDS: Final = 900.0
KEPT_MONTHS: Final = 200
"""At most."""

log = structlog.get_logger("runtime.console")


@dataclass(frozen=True, slots=True)
class MonthFound:
    """A client's month, as the store has it."""

    clients: list[str]
    """Those that may be chosen from."""
    months: list[str]
    """Those of which there is usage of the chosen one, newest first."""
    figures: Figures | None
    """None: no client is chosen."""
    agency: Agency

    def sheet(self, language: Language) -> ClientReport | None:
        """The report; None where no client is chosen. Raises NoRate."""
        if self.figures is None:
            return None
        owed = bill(self.figures, self.agency, with_vat=True)
        return document(self.figures, owed, Branding(self.agency.name, None, None), Words(language))


@dataclass(frozen=True, slots=True)
class Counted:
    """A month's figures, and when they were counted, in seconds of the clock."""

    figures: Figures
    at: float


class CountedMonths:
    """Reads months, and keeps the figures of those that take long."""

    def __init__(
        self, database: Database, timezone: str, *, many: int = MANY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timezone`: of clients that name none."""
        self._database = database
        self._timezone = timezone
        self._many = many
        self._clock = clock
        self._kept: dict[tuple[str, Month], Counted] = {}
        self._counting: dict[tuple[str, Month], asyncio.Task[None]] = {}

    async def read(self, client: str, seen: Sequence[str] | None, month: Month) -> MonthFound:
        """The month of a client; of the only one there is where it is "". `seen`: those that may be chosen; None: all.
        Raises StoreError."""
        counted = self._kept.get((client, month))
        age = self._clock() - counted.at if counted is not None else KEPT_SECONDS
        if counted is None or age >= KEPT_SECONDS:
            return await self._count(client, seen, month)
        found = await self._database.read(read_with, _chosen, client, seen)
        if not found.is_known:
            return found.of(None)
        if age >= FRESH_SECONDS and (client, month) not in self._counting:
            again = asyncio.create_task(self._count_again(client, month), name=f"count {client} {month}")
            self._counting[client, month] = again
        return found.of(counted.figures)

    async def stop(self) -> None:
        """Ends what is being counted again."""
        tasks = list(self._counting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _count(self, client: str, seen: Sequence[str] | None, month: Month) -> MonthFound:
        at = self._clock()
        now = datetime.now(UTC)
        found = await self._database.read(read_with, _counted, client, seen, month, self._timezone, now)
        key = client, month
        if found.figures is not None and found.figures.traffic.received >= self._many:
            self._kept.pop(key, None)  # the order of a dictionary is that of its additions: the oldest goes first
            self._kept[key] = Counted(found.figures, at)
            if len(self._kept) > KEPT_MONTHS:
                del self._kept[next(iter(self._kept))]
        else:
            self._kept.pop(key, None)
        return found

    async def _count_again(self, client: str, month: Month) -> None:
        try:
            await self._count(client, [client], month)
        except StoreError as error:
            log.warning("report_not_counted", client=client, month=str(month), error=str(error))
        finally:
            del self._counting[client, month]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What there is beside the figures."""

    clients: list[str]
    months: list[str]
    agency: Agency
    client: str
    """The chosen one."""
    is_known: bool

    def of(self, figures: Figures | None) -> MonthFound:
        return MonthFound(self.clients, self.months, figures, self.agency)


def _chosen(reader: ReportReader, client: str, seen: Sequence[str] | None) -> _Chosen:
    clients = [one for one in reader.clients() if seen is None or one in seen]
    chosen = client or (clients[0] if len(clients) == 1 else "")
    is_known = chosen in clients
    months = reader.months(chosen)[::-1] if is_known else []
    return _Chosen(clients, months, reader.tariffs().agency, chosen, is_known)


def _counted(
    reader: ReportReader, client: str, seen: Sequence[str] | None, month: Month, timezone: str, now: datetime
) -> MonthFound:
    found = _chosen(reader, client, seen)
    return found.of(read_figures(reader, found.client, month, timezone, now) if found.is_known else None)
