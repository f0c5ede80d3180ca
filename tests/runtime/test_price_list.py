"""What a message costs is looked up once, however many messages ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate

from sqlalchemy import Connection

from runtime.catalog import open_catalog
from runtime.price_list import PriceList
from runtime.store.database.database import Database, open_database
from runtime.store.database.operation import P, T
from runtime.store.usage.quantities import Spent, Usage

MANY = 50


class Watched:
    """A store that notes which functions run on it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ran: list[str] = []

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.ran.append(operation.__name__)
        return await self._database.write(operation, *args, **kwargs)

    async def read(self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.ran.append(operation.__name__)
        return await self._database.read(operation, *args, **kwargs)

    async def close(self) -> None:
        await self._database.close()


async def test_many_that_need_a_price_at_once_look_it_up_once(tmp_path: Path) -> None:
    store = Watched(await open_database(f"sqlite:///{tmp_path / 'store.db'}"))
    prices = PriceList(store, await open_catalog(store))
    store.ran.clear()
    spent = [Spent("gpt-6-luna", Usage(input_tokens=20))]

    asked: list[Any] = [prices.of_messages("la-cocina", f"whatsapp:+569{number:08}") for number in range(MANY)]
    found = await asyncio.gather(*asked, *(prices.lines(spent) for _ in range(MANY)))
    await store.close()

    assert sorted(store.ran) == ["put_prices", "put_prices", "stored_tariffs"]
    assert len({id(of_messages) for of_messages in found[:MANY]}) == 1
    assert found[MANY:] == [found[MANY]] * MANY
