"""What messages and models cost, for the message path: the installation's tariffs, read once and cached until anything
in the catalog changes, or the day does.

A price is stored before it is returned, so that a row of the ledger never refers to one that is not there. That is a
commit for each price, once in the life of a process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, get_args

from runtime.catalog import Catalog
from runtime.store.database.database import Database
from runtime.store.tariffs import stored_tariffs
from runtime.store.usage.ledger import FREE_SERVICE_MESSAGES, Line, MessageCategory, MessagePrices
from runtime.store.usage.prices import Price, free, put_prices
from runtime.store.usage.quantities import Spent
from schemas.budgets import nanos_of
from schemas.calling_codes import country_of
from schemas.policy import Budget
from schemas.prices import Kind, MetaKind, ModelKind, UnitPrice, import_model_prices, price
from schemas.tariffs import Tariffs

META: Final[Mapping[MessageCategory, MetaKind]] = {
    "service": "meta_service",
    "utility": "meta_utility",
    "marketing": "meta_marketing",
    "authentication": "meta_authentication",
    "template": "meta_utility",
}
"""The kind of each category. A template whose category is not known is taken for the cheapest one."""
WITHIN_FREE: Final = f"Meta: the first {FREE_SERVICE_MESSAGES:,} of a number's month"
AFTER_AD: Final = "Meta: within 72 hours of the first reply to a click on an ad"
DAY_SECONDS: Final = 86_400
KEPT = 1_000
"""Maximum number of models, and of clients with countries, whose prices are cached: servers and users name them."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class PriceList:
    """The prices of this installation."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog
        self._tariffs: Tariffs | None = None
        self._version = -1
        """Of the catalog, when everything cached was read."""
        self._valid_until = 0.0
        """The end of that day in UTC, in seconds since 1970."""
        self._of_messages: dict[tuple[str, str | None], MessagePrices] = {}
        self._of_models: dict[str, Mapping[ModelKind, Price]] = {}
        self._stored: set[int] = set()
        self._looking = asyncio.Lock()
        """Of many messages that need a price at once, as after a start, the first looks it up for all."""

    async def load(self) -> None:
        """Imports the list of models' prices, while no turn waits for one: among thousands that are resumed it would
        take ten times as long, and the first answer would wait for it."""
        await asyncio.to_thread(import_model_prices)

    def known(self, client: str, address: str) -> MessagePrices | None:
        """The prices of messages with a user, where they were looked up today."""
        self._refresh()
        return self._of_messages.get((client, country_of(address)))

    async def of_messages(self, client: str, address: str) -> MessagePrices:
        """The prices of messages with a user: `whatsapp:` and a number or a user id. Raises StoreError."""
        self._refresh()
        key = (client, country_of(address))
        known = self._of_messages.get(key)
        if known is None:
            async with self._looking:
                known = self._of_messages.get(key) or await self._look_up_messages(*key)
        return known

    async def lines(self, spent: Iterable[Spent]) -> Sequence[Line]:
        """The rows of the ledger for calls of models: one for each kind and model. Raises StoreError."""
        quantities: dict[tuple[str, ModelKind], int] = {}
        for call in spent:
            for kind, quantity in call.usage.quantities().items():
                quantities[call.model, kind] = quantities.get((call.model, kind), 0) + quantity
        return [Line((await self._of_model(model))[kind], used) for (model, kind), used in quantities.items()]

    async def budget_of(self, budget: Budget) -> int | None:
        """10⁻⁹ USD of a month's budget, at today's rate; None where the tariffs have none of its currency. Raises
        StoreError."""
        self._refresh()
        return nanos_of(budget, (await self._current_tariffs()).agency, datetime.now(UTC).date())

    async def _of_model(self, model: str) -> Mapping[ModelKind, Price]:
        self._refresh()
        known = self._of_models.get(model)
        if known is None:
            async with self._looking:
                known = self._of_models.get(model) or await self._look_up_model(model)
        return known

    async def _look_up_messages(self, client: str, country: str | None) -> MessagePrices:
        found = prices_of_messages(await self._current_tariffs(), client, country)
        every = [found.message_in, found.message_out, found.failed, found.within_free]
        await self._store([*every, *found.meta.values(), *found.after_ad.values()])
        _keep(self._of_messages, (client, country), found)
        return found

    async def _look_up_model(self, model: str) -> Mapping[ModelKind, Price]:
        tariffs = await self._current_tariffs()
        found = await asyncio.to_thread(_prices_of_model, tariffs, model)
        await self._store(found.values())
        _keep(self._of_models, model, found)
        return found

    def _refresh(self) -> None:
        now = time.time()
        # Also where the clock was set back to the day before.
        if self._catalog.version != self._version or not 0 < self._valid_until - now <= DAY_SECONDS:
            self._version = self._catalog.version
            self._valid_until = (now // DAY_SECONDS + 1) * DAY_SECONDS
            self._tariffs = None
            self._of_messages.clear()
            self._of_models.clear()

    async def _current_tariffs(self) -> Tariffs:
        if self._tariffs is None:
            self._tariffs = await self._database.read(stored_tariffs)
        return self._tariffs

    async def _store(self, prices: Iterable[Price]) -> None:
        new = [one for one in prices if one.id not in self._stored]
        if new:
            await self._database.write(put_prices, new)
            self._stored.update(one.id for one in new)


def _keep(cache: dict[Key, Value], key: Key, value: Value) -> None:
    if len(cache) < KEPT:
        cache[key] = value


def prices_of_messages(tariffs: Tariffs, client: str, country: str | None) -> MessagePrices:
    """What messages of a client with users of a country (ISO 3166) cost now."""

    def of(kind: Kind) -> UnitPrice:
        return price(tariffs, kind, country)

    return MessagePrices(
        client=client,
        message_in=Price("twilio_in", None, country, of("twilio_in")),
        message_out=Price("twilio_out", None, country, of("twilio_out")),
        failed=Price("twilio_out", None, country, of("twilio_failed")),
        meta={category: _of_meta(category, kind, country, of(kind)) for category, kind in META.items()},
        within_free=free("meta_service", country, WITHIN_FREE),
        after_ad={category: free(kind, country, AFTER_AD) for category, kind in META.items()},
    )


def _of_meta(category: MessageCategory, kind: MetaKind, country: str | None, unit: UnitPrice) -> Price:
    if category == "template" and unit.nano_usd is not None:
        unit = UnitPrice(unit.nano_usd, unit.per, unit.source, unit.since, "estimated")
    return Price(kind, None, country, unit)


def _prices_of_model(tariffs: Tariffs, model: str) -> Mapping[ModelKind, Price]:
    """The first call in a process imports the list of prices."""
    kinds: tuple[ModelKind, ...] = get_args(ModelKind)
    return {kind: Price(kind, model, None, price(tariffs, kind, model=model)) for kind in kinds}
