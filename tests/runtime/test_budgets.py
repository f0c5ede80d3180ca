"""Budgets as clients, their users and operators notice them: the pause and what continues in it, the cheaper model, and
warnings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import Connection

from notifications.channels import mail_channel
from reconciler.status.budget import BudgetStatus, budget_text
from runtime.budgets.budgets import WAIT_SECONDS, Budgets, Use
from runtime.catalog import open_catalog
from runtime.dispatch.budget_warnings import BudgetWarnings, warning_text
from runtime.price_list import PriceList
from runtime.store import catalog
from runtime.store.activity_records import SpentRecord
from runtime.store.client.history import read_spent
from runtime.store.database.database import Database, open_database
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from runtime.store.timers import Timer
from runtime.store.usage import budgets
from runtime.store.usage.budgets import AllotmentRequest
from schemas.policy import Budget
from tests.documents.receiver import Receiver, receiving
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime.stores import new_store
from tests.runtime_process import Line
from tests.sandbox_process import PATIENCE, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
NOTICE = "Volvemos el próximo mes."
NANOS = 10**9
MONTH = timestamp()[:7]
TIMER = Timer("budget_warnings", "all", {}, "", 1, 1, "test")


@pytest.fixture(scope="module", params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    """A fleet that these tests share."""
    folder = tmp_path_factory.mktemp("budgets")
    with fleet_on(request.param, folder, sandbox_process, BUDGET_MESSAGE=NOTICE) as fleet:
        yield fleet


def client_with(fleet: Fleet, spent: float, month: str = MONTH, **budget: object) -> Line:
    """A client with a budget of one dollar, and what it has spent in a month."""
    policy = {"version": 1, "budget": {"monthly": 1, **budget}}
    shop = fleet.open_line(policy=policy)
    fleet.rows(
        "INSERT INTO usage (at, month, client, kind, price_id, quantity, amount)"
        f" VALUES ('{timestamp()}', '{month}', '{shop.bot['id']}', 'model_output', 1, 1, {int(spent * NANOS)})"
        " RETURNING id"
    )
    return shop


def test_a_person_gets_one_notice_a_day_and_no_answers(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = client_with(fleet, 1.5, on_exceeded="pause")
    for text in ("Hola", "¿Están?", "¿Hola?"):
        fleet.deliver(shop, text)
        wait_until(lambda: waiting(fleet, shop) == 0, what="the end of the turn")
    assert set(reasons(fleet, shop)) == {"budget"}
    assert answers(shop, 1) == [NOTICE]
    fleet.deliver(shop, "Buenas", origin="+56987654321")
    assert answers(shop, 1, "+56987654321") == [NOTICE]


def test_a_word_that_opts_out_is_confirmed_all_the_same(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = client_with(fleet, 1.5, on_exceeded="pause")
    fleet.deliver(shop, "BAJA")
    [said] = answers(shop, 1)
    assert said.startswith("Listo: no te enviaremos más avisos")


def test_proactive_messages_are_refused_while_the_client_is_paused(fleet: Fleet, sandbox: Sandbox) -> None:
    message = {"to": "+56912345678", "body": "Tu mesa está lista."}
    shop = client_with(fleet, 1.5, on_exceeded="pause")
    refused = fleet.replicas[0].api("POST", "/messages/", {**message, "bot_id": shop.bot["id"]})
    assert (refused.status, refused.json["error"]["code"]) == (409, "budget_exceeded")
    assert "The budget of" in refused.json["error"]["message"]
    assert shop.outbound() == []
    for other in (client_with(fleet, 1.5), client_with(fleet, 0.5, on_exceeded="pause")):
        fleet.heard(other)
        assert fleet.replicas[0].api("POST", "/messages/", {**message, "bot_id": other.bot["id"]}).status == 201


@pytest.mark.parametrize(
    ("spent", "month", "budget"),
    [
        (1.5, MONTH, {"on_exceeded": "notify"}),
        (0.5, MONTH, {"on_exceeded": "pause"}),
        (1.5, "2026-10", {"on_exceeded": "pause"}),
    ],
    ids=["nothing is to stop", "something is left", "another month's"],
)
def test_a_client_is_answered(fleet: Fleet, sandbox: Sandbox, spent: float, month: str, budget: dict[str, str]) -> None:
    shop = client_with(fleet, spent, month, **budget)
    fleet.deliver(shop, "Hola")
    assert NOTICE not in answers(shop, 1)
    assert models(fleet, shop) == ["gpt-6-luna"]


def test_the_cheaper_model_answers_once_the_budget_is_used_up(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = client_with(fleet, 1.5, on_exceeded="cheaper_model", cheaper_model="gpt-5.6-luna")
    fleet.deliver(shop, "Hola")
    answers(shop, 1)
    assert models(fleet, shop) == ["gpt-5.6-luna"]


def test_a_higher_budget_ends_the_pause(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = client_with(fleet, 1.5, on_exceeded="pause")
    fleet.deliver(shop, "Hola")
    assert answers(shop, 1) == [NOTICE]
    higher = {"version": 1, "budget": {"monthly": 3, "on_exceeded": "pause"}}
    changed = fleet.replicas[0].api("PUT", f"/bots/{shop.bot['id']}", {"policy": higher})
    assert changed.status == 200, changed
    fleet.deliver(shop, "¿Ahora?")
    assert "¿Ahora?" in answers(shop, 2)[1]


def test_what_was_spent_is_read_by_sql_and_by_the_api(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = client_with(fleet, 0.25)
    one = SpentRecord(shop.bot["id"], MONTH, NANOS // 4, 0)
    assert one in read_spent(fleet.database_url, None)
    assert asdict(one) in fleet.replicas[0].api("GET", "/reconcile/spent").json


def reasons(fleet: Fleet, shop: Line) -> list[str]:
    """Why turns of a bot got no answer."""
    return [row[0] for row in fleet.rows(f"SELECT reason FROM turns WHERE bot_id = '{shop.bot['id']}'")]


def waiting(fleet: Fleet, shop: Line) -> int:
    """How many messages of a bot wait for their turn."""
    [(count,)] = fleet.rows(f"SELECT count(*) FROM inbox WHERE bot_id = '{shop.bot['id']}' AND state = 'open'")
    return int(count)


def models(fleet: Fleet, shop: Line) -> list[str]:
    """Which models have answered."""
    return [row[0] for row in fleet.rows(f"SELECT model FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")]


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store."""
    with new_store(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The agency's channel."""
    with receiving() as receiver:
        yield receiver


@asynccontextmanager
async def a_store(url: str) -> AsyncIterator[Database]:
    """A store with a client whose budget is ten dollars."""
    database = await open_database(url)
    policy = {"version": 1, "budget": {"monthly": 10, "on_exceeded": "pause"}}
    await database.write(catalog.put_bot, BotRecord("la-cocina", "La Cocina", "+56998765000", policy=policy))
    try:
        yield database
    finally:
        await database.close()


async def spend(database: Database, dollars: float) -> None:
    """A row of the ledger."""

    def add(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO usage (at, month, client, kind, price_id, quantity, amount)"
            f" VALUES ('{timestamp()}', '{timestamp()[:7]}', 'la-cocina', 'model_output', 1, 1, {int(dollars * NANOS)})"
        )

    await database.write(add)


async def replica(database: Database, *channels: str) -> BudgetWarnings:
    """One of the processes that send warnings."""
    return BudgetWarnings(database, Budgets(database, PriceList(database, await open_catalog(database))), channels)


def test_each_threshold_is_sent_once_by_whichever_replica_and_after_a_restart(url: str, receiver: Receiver) -> None:
    async def months_of_replicas() -> list[int]:
        sent = []
        async with a_store(url) as database:
            for dollars in (4.0, 1.5, 0.1, 3.0, 2.0):
                await spend(database, dollars)
                both = [await replica(database, receiver.url()) for _ in range(2)]
                await asyncio.gather(*(one.run(TIMER) for one in both))
                sent.append(len(receiver.arrived))
        return sent

    assert asyncio.run(months_of_replicas()) == [0, 1, 1, 2, 3]
    titles = [message["title"] for message in receiver.messages]
    assert titles == [f"La Cocina: {percent} % del presupuesto de {MONTH}" for percent in (50, 80, 100)]


def test_a_warning_that_was_not_accepted_is_sent_again_and_not_to_the_others(url: str, receiver: Receiver) -> None:
    async def twice() -> None:
        async with a_store(url) as database:
            await spend(database, 9)
            for status in (500, 200, 200):
                receiver.status = status
                await (await replica(database, receiver.url())).run(TIMER)

    asyncio.run(twice())
    assert [message["title"].split(":")[1][:5] for message in receiver.messages] == [" 80 %", " 80 %"]


@pytest.mark.parametrize(
    ("action", "percent", "effect"),
    [
        ("notify", 100, "Nada se detiene."),
        ("pause", 80, "Al llegar al 100 %, el asistente no responde y no salen avisos"),
        ("pause", 100, "Desde ahora el asistente no responde y no salen avisos"),
        ("cheaper_model", 100, "Desde ahora responde gpt-5.6-luna hasta el próximo mes"),
    ],
)
def test_a_warning_says_what_happens(action: str, percent: int, effect: str) -> None:
    budget = Budget.model_validate(
        {"monthly": 40_000, "currency": "CLP", "on_exceeded": action, "cheaper_model": "gpt-5.6-luna"}
    )
    use = Use("la-cocina", "2026-11", limit=40 * NANOS, spent=30 * NANOS, unknown=2)
    title, text = warning_text("La Cocina", budget, use, percent)
    assert title == f"La Cocina: {percent} % del presupuesto de 2026-11"
    assert "Gasto del mes: 30.000,00 de 40.000,00 CLP (75 %)." in text
    assert effect in text
    assert "No incluye 2 consumos sin precio conocido" in text


@pytest.mark.parametrize(
    ("channels", "found"),
    [
        ([], None),
        (["slack://a/b/c"], None),
        (
            [
                "slack://a/b/c",
                "mailtos://user:pass@mail.cl:587/x@y.cl?to=jefe@agencia.cl&from=bot@agencia.cl&cc=z@y.cl",
            ],
            "mailtos://user:pass@mail.cl:587?from=bot@agencia.cl&to=turno%40lacocina.cl",
        ),
    ],
)
def test_a_manifest_s_address_is_reached_by_the_installation_s_mail_server(
    channels: list[str], found: str | None
) -> None:
    assert mail_channel(channels, "turno@lacocina.cl") == found


def test_a_status_shows_what_is_not_counted() -> None:
    status = BudgetStatus("2026-11", 40.0, "USD", 12.4, 31.0, "pause", 3)
    assert budget_text(status) == "12.40 of 40.00 USD (31 %) in 2026-11, without 3 rows whose price is not known"


def allotments(connection: Connection) -> int:
    """How many replicas have taken one."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM budget_allotments").scalar_one())


async def test_a_turn_that_waited_long_for_what_another_replica_holds_is_admitted_and_the_next_one_waits_again(
    url: str,
) -> None:
    now = [0.0]
    async with a_store(url) as database:
        # Another replica holds all of the budget, and renews that.
        holds = AllotmentRequest("la-cocina", MONTH, "other", 10 * NANOS, running=10 * NANOS)
        await database.write(budgets.take, holds)
        mine = Budgets(database, PriceList(database, await open_catalog(database)), lambda: now[0])
        budget = Budget(monthly=10, on_exceeded="pause")
        turns = [asyncio.create_task(mine.admit("la-cocina", budget, key)) for key in (1, 2)]
        while await database.read(allotments) < 2:
            pass
        await database.write(budgets.renew, "other", ["la-cocina"])
        now[0] = WAIT_SECONDS

        # Which of the two is looked at first is the threads' matter.
        admitted, waiting = await asyncio.wait(turns, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert [turn.result() for turn in admitted] == [True]

        await database.write(budgets.return_all, "other", ["la-cocina"])
        assert [await asyncio.wait_for(turn, 30) for turn in waiting] == [True]


async def test_the_rest_of_a_budget_that_a_replica_has_not_used_is_free_for_the_others_with_its_turn_s_end(
    url: str,
) -> None:
    async with a_store(url) as database:
        await spend(database, 9.9)
        prices = PriceList(database, await open_catalog(database))
        # For both the time stands still: nothing is old, and no turn has waited for long.
        one, other = Budgets(database, prices, lambda: 0.0), Budgets(database, prices, lambda: 0.0)
        budget = Budget(monthly=10, on_exceeded="pause")
        for each in (one, other):
            await each.start(alone=False)
        keeping = asyncio.create_task(one.keep())
        assert await one.admit("la-cocina", budget, 1)
        waiting = asyncio.create_task(other.admit("la-cocina", budget, 2))
        while await database.read(allotments) < 2:
            pass

        await one.ended(1, [], "whatsapp:+56912345678", taken_in=0, sent=0)
        async with asyncio.timeout(PATIENCE):
            assert await waiting
        keeping.cancel()
