"""May a turn of this client begin, as far as its budget goes? Answered from memory; the store is asked when an
allotment is used up or old, under a lock in this process and one in the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import structlog

from runtime.budgets.client_budget import ClientBudget
from runtime.errors import OperatorError
from runtime.price_list import PriceList
from runtime.store import catalog
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.records import BotRecord
from runtime.store.usage import budgets
from runtime.store.usage.budgets import ListBound, SpentSum
from runtime.store.usage.ledger import Line
from schemas.policy import Budget
from schemas.policy_document import read_document

RENEW_SECONDS: Final = 8.0
"""Interval in which allotments with turns under way are renewed."""
LOOK_SECONDS: Final = 1.0
"""Interval of looking again while others hold what is left."""
WAIT_SECONDS: Final = 45.0
"""How long a turn waits for that: longer than an allotment is held for a replica that has ended."""
OLD_SECONDS: Final = 600.0
"""Rows of the ledger that are older than this are summed once; an allotment adds the later ones to that. No row is
committed this long after its time."""

log = structlog.get_logger("runtime.budgets")


class BudgetExceeded(OperatorError):
    """A proactive message is not sent, since its client's budget is used up and pauses it."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"The budget of {client} for this month is used up, and its manifest says `on_exceeded: pause`: until the"
            " next month, or a higher `budget.monthly`, nothing proactive is sent."
        )


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a month's budget is used up, in 10⁻⁹ USD."""

    client: str
    month: str
    limit: int
    spent: int
    unknown: int
    """Number of rows of the ledger without a known price, which are not in `spent`."""
    reserved: int = 0
    """For lists of people, and not in `spent`."""

    @property
    def percent(self) -> float:
        """100 is all of it."""
        return 100 * self.spent / self.limit


@dataclass(slots=True)
class _Client:
    """A client's account, and what is needed to ask the store for it."""

    account: ClientBudget
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    old: tuple[str, str, SpentSum] | None = None
    """A month, a time, and the sum of the ledger's rows of that month before it."""


class Budgets:
    """The budgets of this installation's clients, as this replica may use them."""

    def __init__(self, database: Database, prices: PriceList, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._prices = prices
        self._clock = clock
        self._replica = uuid4().hex
        self._kept: dict[str, _Client] = {}
        self._admitted: dict[int, _Client] = {}
        self._untold: set[str] = set()
        self._alone = True
        self._unused: dict[str, _Client] = {}
        self._has_unused = asyncio.Event()

    async def admit(self, client: str, budget: Budget, key: int) -> bool:
        """Whether a turn may begin; False when the budget is used up. `client`: the label that the ledger has; `key`:
        of the turn, which is settled by `ended`. Raises StoreError."""
        limit = await self._limit(client, budget)
        if limit is None:
            return True
        kept = self._account(client, limit)
        account = kept.account
        if not account.admit(key, self._clock()):
            if account.is_exceeded(self._clock()):
                return False
            async with kept.lock:
                if not await self._admit_after_looking(kept, key):
                    return False
        self._admitted[key] = kept
        return True

    async def _admit_after_looking(self, kept: _Client, key: int) -> bool:
        """Takes an allotment, and waits while turns that are under way, here or elsewhere, may leave something. One
        that has waited for long is admitted: a budget is reported as used up only where it is, as far as is known. It
        is the replica's only one, since the others wait behind it."""
        account = kept.account
        give_up = self._clock() + WAIT_SECONDS
        while not account.admit(key, self._clock()):
            if account.is_exceeded(self._clock()):
                return False
            await self._take(kept)
            if account.admit(key, self._clock()):
                return True
            if account.is_exceeded(self._clock()):
                return False
            if self._clock() >= give_up:
                account.admit_beyond(key, self._clock())
                return True
            kept.changed.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await kept.changed.wait()
            except TimeoutError:
                pass
        return True

    async def ended(self, key: int, lines: Iterable[Line], address: str, *, taken_in: int, sent: int) -> None:
        """Settles a turn once its rows are written: `lines` for the models, the number of messages that it answered
        and that it sends to the user's address. Nothing for one that was not admitted."""
        kept = self._admitted.pop(key, None)
        if kept is None:
            return
        prices = await self._prices.of_messages(kept.account.client, address)
        cost = _sum(lines) + taken_in * (prices.message_in.amount(1) or 0)
        message = (prices.message_out.amount(1) or 0) + (prices.meta["service"].amount(1) or 0)
        kept.account.end(key, cost, sent, message, self._clock())
        self._freed(kept)

    def added(self, client: str, lines: Iterable[Line]) -> None:
        """Adds what a provider reported after the end of a turn."""
        kept = self._kept.get(client)
        if kept is not None:
            kept.account.add(_sum(lines))

    def dropped(self, key: int) -> None:
        """Removes a turn that another replica has, or that counts like a crash."""
        kept = self._admitted.pop(key, None)
        if kept is not None:
            kept.account.drop(key)
            self._freed(kept)

    def _freed(self, kept: _Client) -> None:
        """Tells turns that wait here, and near the end of a budget those that wait elsewhere, by what is given back."""
        kept.changed.set()
        account = kept.account
        if account.is_scarce and not account.running and not self._alone:
            self._unused[account.client] = kept
            self._has_unused.set()

    async def used(self, client: str, budget: Budget) -> Use | None:
        """How much of a budget is used up, as the ledger has it; None where it has no rate. Raises StoreError."""
        limit = await self._limit(client, budget)
        if limit is None:
            return None
        kept = self._account(client, limit)
        month = kept.account.month
        since, before = await self._old(kept)
        recent = await self._database.read(budgets.spent, client, month, since=since)
        unknown = before.unknown + recent.unknown
        return Use(client, month, limit, before.amount + recent.amount, unknown, recent.reserved)

    async def bound(self, client: str, budget: Budget | None) -> ListBound:
        """The budget within which a list of people is begun now."""
        limit = await self._limit(client, budget) if budget is not None else None
        return ListBound(client, _month(), limit)

    async def uses(self) -> list[tuple[BotRecord, Budget, Use]]:
        """Each client with a budget, and how much of it is used up. Raises StoreError."""
        found = []
        for bot in await self._database.read(catalog.bots_with, "budget"):
            budget = read_document(bot.policy).policy.budget
            use = await self.used(bot.label, budget) if budget is not None else None
            if budget is not None and use is not None:
                found.append((bot, budget, use))
        return found

    async def is_exceeded(self, client: str, budget: Budget) -> bool:
        """Whether a month's budget is used up, or reserved for lists of people, without an allotment. Raises
        StoreError."""
        use = await self.used(client, budget)
        return use is not None and use.spent + use.reserved >= use.limit

    async def start(self, *, alone: bool) -> None:
        """Deletes what an earlier process left, where only this one serves the store."""
        self._alone = alone
        if alone:
            await self._database.write(budgets.drop_all)

    async def keep(self) -> None:
        """Renews the allotments with turns under way, and returns what is not used of others, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew())
            tasks.create_task(self._give_back_what_is_unused())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._return_idle()
            clients = [kept.account.client for kept in self._kept.values() if kept.account.is_under_way(self._clock())]
            if not clients:
                continue
            try:
                await self._database.write(budgets.renew, self._replica, clients)
            except StoreError as error:
                log.warning("budgets_unavailable", error=str(error))
            except Exception:
                log.exception("budgets_unavailable")

    async def _give_back_what_is_unused(self) -> None:
        """Until each message on its way is in the ledger, what it may cost is kept: this looks again then."""
        while True:
            await self._has_unused.wait()
            self._has_unused.clear()
            for client, kept in list(self._unused.items()):
                del self._unused[client]  # before: a turn that ends meanwhile adds it again
                if not await self._gave_back(kept):
                    self._unused[client] = kept
            if self._unused:
                self._has_unused.set()
                await asyncio.sleep(LOOK_SECONDS)

    async def _gave_back(self, kept: _Client) -> bool:
        """False while messages are on their way. Where the store fails, it is returned with what is idle."""
        if kept.account.running or kept.lock.locked():
            return True  # a turn here uses it, or asks for more; its end gives back what it leaves
        async with kept.lock:
            try:
                await self._take(kept, gives_back=True)
            except StoreError as error:
                log.warning("budgets_unavailable", error=str(error))
                return True
            except Exception:
                log.exception("budgets_unavailable")
                return True
        return not kept.account.sent

    async def _return_idle(self) -> None:
        """What is allotted and not used would be missing where a list of people is begun."""
        for client, kept in list(self._kept.items()):
            if kept.lock.locked() or not kept.account.is_idle(self._clock()):
                continue
            async with kept.lock:
                try:
                    await self._database.write(budgets.return_all, self._replica, [client])
                except StoreError as error:
                    log.warning("budgets_unavailable", error=str(error))
                else:
                    kept.account.returned()

    async def close(self) -> None:
        """Returns the allotments."""
        if not self._kept:
            return
        try:
            await self._database.write(budgets.return_all, self._replica, list(self._kept))
        except StoreError as error:
            log.warning("budgets_not_returned", error=str(error))

    def _account(self, client: str, limit: int) -> _Client:
        """A client's account of this month."""
        kept = self._kept.get(client)
        if kept is None:
            kept = self._kept[client] = _Client(ClientBudget(client))
        kept.account.begin(_month(), limit)
        return kept

    async def _take(self, kept: _Client, *, gives_back: bool = False) -> None:
        account = kept.account
        since, before = await self._old(kept)
        asked_at = self._clock()
        request = (account.giving_back if gives_back else account.request)(
            self._replica, before.amount, since, asked_at
        )
        taken = await self._database.write(budgets.take, request)
        if (account.month, account.budget) == (request.month, request.budget):
            account.taken(taken, asked_at, self._clock())
        if account.is_exceeded(self._clock()):
            log.warning("budget_exceeded", client=account.client, month=account.month)

    async def _old(self, kept: _Client) -> tuple[str, SpentSum]:
        """A time, and the sum of the month's rows before it; summed again when it is old, or the clock was set back."""
        month, now = kept.account.month, time.time()
        old = kept.old
        if old is None or old[0] != month or not timestamp(now - 2 * OLD_SECONDS) < old[1] < timestamp(now):
            since = timestamp(now - OLD_SECONDS)
            found = await self._database.read(budgets.spent, kept.account.client, month, until=since)
            kept.old = old = (month, since, found)
        return old[1], old[2]

    async def _limit(self, client: str, budget: Budget) -> int | None:
        """10⁻⁹ USD; None where the tariffs no longer have a rate of its currency, which the log tells once."""
        limit = await self._prices.budget_of(budget)
        if limit is None and client not in self._untold:
            self._untold.add(client)
            log.error(
                "budget_without_rate", client=client, currency=budget.currency, effect="it does not stop anything"
            )
        return limit


def _month() -> str:
    return timestamp()[:7]


def _sum(lines: Iterable[Line]) -> int:
    return sum(line.amount or 0 for line in lines)
