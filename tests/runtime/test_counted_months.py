"""Which count of a month the console's reports show, and when it is counted again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtime.console.counted_months import FRESH_SECONDS, KEPT_SECONDS, CountedMonths
from runtime.reports.month import Month
from runtime.store.database.database import Database, open_database
from tests.runtime.month_rows import rows
from tests.runtime.stores import make_file

MANY = 2
CLIENT, OCTOBER = "la-cocina", Month(2026, 10)


@dataclass(slots=True)
class Shop:
    """A client whose people write, and a clock that is set by hand."""

    url: str
    database: Database
    now: float = 1_000.0
    written: int = 0
    months: CountedMonths = field(init=False)

    def __post_init__(self) -> None:
        self.months = CountedMonths(self.database, "America/Santiago", many=MANY, clock=lambda: self.now)

    def write(self, count: int) -> None:
        """A person writes so often."""
        with rows(self.url) as add:
            if not self.written:
                add.bot()
            person = add.person(f"ana-{self.written}")
            for number in range(self.written, self.written + count):
                add.message(f"2026-10-05T15:00:{number:02}.000Z", person)
        self.written += count

    async def shown(self, client: str = CLIENT, seen: list[str] | None = None) -> int | None:
        """How many messages the report says; None: it is none of this client."""
        figures = (await self.months.read(client, seen, OCTOBER)).figures
        return None if figures is None else figures.traffic.received


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    make_file(tmp_path / "store.db")
    url = f"sqlite:///{tmp_path}/store.db"
    database = await open_database(url, serving=False)
    opened = Shop(url, database)
    yield opened
    await opened.months.stop()
    await database.close()


async def test_a_month_of_few_messages_is_counted_each_time(shop: Shop) -> None:
    for count in range(1, MANY):
        shop.write(1)
        assert await shop.shown() == count


async def test_a_month_of_many_messages_is_shown_as_it_was_counted_and_counted_again_beside(shop: Shop) -> None:
    shop.write(MANY)
    assert await shop.shown() == MANY
    shop.write(1)
    shop.now += FRESH_SECONDS - 1
    assert await shop.shown() == MANY
    shop.now += 1
    assert await shop.shown() == MANY
    (counting,) = [task for task in asyncio.all_tasks() if task.get_name() == f"count {CLIENT} {OCTOBER}"]
    await counting
    assert await shop.shown() == MANY + 1


async def test_what_was_counted_too_long_ago_is_not_shown(shop: Shop) -> None:
    shop.write(MANY)
    assert await shop.shown() == MANY
    shop.write(1)
    shop.now += KEPT_SECONDS
    assert await shop.shown() == MANY + 1


async def test_what_is_kept_is_shown_to_those_only_who_see_the_client(shop: Shop) -> None:
    shop.write(MANY)
    assert await shop.shown() == MANY
    assert await shop.shown(seen=[CLIENT]) == MANY
    assert await shop.shown(seen=["otro"]) is None
