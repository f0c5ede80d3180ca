"""Models that end or are not available, as users and operators notice it: another one answers, people are warned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from notifications.channels import channel_of
from runtime.dispatch.model_ends import AGAIN_SECONDS, ModelEnds, days_left
from runtime.dispatch.timers import RunAgain
from runtime.engines.listed_models import ListedModels
from runtime.store import catalog, reconcile_state, timers
from runtime.store.database.database import Database, open_database
from runtime.store.database.once import run_once
from runtime.store.model_ends import ENDS, KEY, ModelUse, models_in_use, payload
from runtime.store.records import AssistantRecord, BotRecord
from runtime.store.timers import Timer
from tests.documents.receiver import Receiver, receiving
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime.stores import new_store
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
GONE = "gpt-4-turbo"
"""Shut down in October, at the sandbox as at OpenAI."""


@pytest.fixture(scope="module")
def channel() -> Iterator[Receiver]:
    """The agency's channel."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module", params=STORES)
def fleet(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sandbox_process: Sandbox,
    channel: Receiver,
) -> Iterator[Fleet]:
    """A fleet that these tests share."""
    folder = tmp_path_factory.mktemp("model-ends")
    with fleet_on(request.param, folder, sandbox_process, ALERT_NOTIFY=channel.url()) as fleet:
        yield fleet


def models(fleet: Fleet, shop: Line) -> list[str | None]:
    """Which models have answered."""
    return [row[0] for row in fleet.rows(f"SELECT model FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")]


def refusals(sandbox: Sandbox) -> int:
    """How many requests of answers were refused so far."""
    return sum(entry["status"] >= 400 for entry in sandbox.calls("openai", "POST", "/v1/responses"))


def warned(channel: Receiver, shop: Line) -> list[str]:
    """The messages about a line."""
    return [one["message"] for one in channel.messages if f"({shop.bot['id']})" in one["message"]]


def test_the_fallback_model_answers_where_the_client_s_is_gone(fleet: Fleet, channel: Receiver) -> None:
    shop = fleet.open_line(model=GONE, policy={"version": 1, "fallback_model": "gpt-5.6-luna"})
    fleet.deliver(shop, "Hola")
    assert "Hola" in answers(shop, 1)[0]
    fleet.deliver(shop, "¿Tienen mesa?")
    assert "mesa" in answers(shop, 2)[1]
    assert models(fleet, shop) == ["gpt-5.6-luna", "gpt-5.6-luna"]
    wait_until(lambda: bool(warned(channel, shop)), what="a warning")
    assert "responde su modelo de reserva, gpt-5.6-luna." in warned(channel, shop)[0]


def test_a_model_that_was_found_gone_is_not_asked_with_every_message(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line(model=GONE, policy={"version": 1, "fallback_model": "gpt-5.6-luna"})
    before = refusals(sandbox)
    for number in range(2 * len(fleet.replicas) + 1):
        fleet.deliver(shop, f"¿Tienen mesa para {number + 2}?", number)
        answers(shop, number + 1)
    assert refusals(sandbox) - before <= len(fleet.replicas), "each replica asks once"


def test_without_one_the_message_gets_no_answer_and_people_read_so(fleet: Fleet, channel: Receiver) -> None:
    shop = fleet.open_line(model=GONE, fallback_message="Te respondemos pronto.")
    fleet.deliver(shop, "Hola")
    assert answers(shop, 1) == ["Te respondemos pronto."]
    wait_until(lambda: bool(warned(channel, shop)), what="a warning")
    assert "sus mensajes quedan sin respuesta; no tiene assistant.fallback_model." in warned(channel, shop)[0]


def test_a_fallback_model_that_is_gone_too_leaves_the_fallback_message(fleet: Fleet) -> None:
    policy = {"version": 1, "fallback_model": "gpt-4-turbo-2024-04-09"}
    shop = fleet.open_line(model=GONE, policy=policy, fallback_message="Te respondemos pronto.")
    fleet.deliver(shop, "Hola")
    assert answers(shop, 1) == ["Te respondemos pronto."]


@dataclass(frozen=True, slots=True)
class Listing:
    """Stands for the provider's list of models: what is under test is what is made of its dates."""

    said: Mapping[str, date | None] | None

    async def dates(self) -> Mapping[str, date | None] | None:
        """See ListedModels."""
        return self.said


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store."""
    with new_store(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Another channel."""
    with receiving() as receiver:
        yield receiver


LOOK = Timer("model_ends", "all", {}, "", 1, 1, "test")
SHOP = BotRecord("la-cocina", "La Cocina", "+56998765000", assistant_id="la-cocina", client="la-cocina")
OTHER = BotRecord("panes", "Panes", "+56998765001", model="luna-x", policy={"version": 1, "fallback_model": "luna-y"})


@asynccontextmanager
async def a_store(url: str, *bots: BotRecord) -> AsyncIterator[Database]:
    """A store with these bots, and an assistant whose model is `luna-x`."""
    database = await open_database(url)
    try:
        await database.write(catalog.put_assistant, AssistantRecord("la-cocina", "Bot", "Atiende.", "luna-x"))
        for bot in bots:
            await database.write(catalog.put_bot, bot)
        yield database
    finally:
        await database.close()


def replica(database: Database, dates: Mapping[str, date | None] | None, *channels: str) -> ModelEnds:
    """One of the processes that warn."""
    return ModelEnds(database, cast("ListedModels", Listing(dates)), channels)


def in_days(days: int) -> date:
    """A day from today on, as replicas count them."""
    return datetime.now(UTC).date() + timedelta(days=days)


def test_each_warning_is_sent_once_for_all_clients_by_whichever_replica(url: str, receiver: Receiver) -> None:
    async def looks() -> list[int]:
        sent = []
        async with a_store(url, SHOP, OTHER) as database:
            for days in (91, 90, 46, 30, 8, 7, 1, 0, -3):
                both = [replica(database, {"luna-x": in_days(days)}, receiver.url()) for _ in range(2)]
                await asyncio.gather(*(one.look(LOOK) for one in both))
                sent.append(len(receiver.arrived))
        return sent

    assert asyncio.run(looks()) == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    first, *_, last = receiver.messages
    assert first["title"] == "luna-x termina en 90 días: 2 clientes"
    assert "- La Cocina (la-cocina): sus mensajes quedan sin respuesta" in first["message"]
    assert "- Panes (panes): responde su modelo de reserva, luna-y." in first["message"]
    assert last["title"] == f"luna-x terminó el {in_days(0)}: 2 clientes"


def test_a_channel_that_refused_is_tried_again_soon(url: str, receiver: Receiver) -> None:
    async def twice() -> list[RunAgain]:
        async with a_store(url, OTHER) as database:
            runs = []
            for status in (500, 200, 200):
                receiver.status = status
                runs.append(await replica(database, {"luna-x": in_days(5)}, receiver.url()).look(LOOK))
            return runs

    first, second, _ = asyncio.run(twice())
    assert (first.seconds, len(receiver.arrived)) == (AGAIN_SECONDS, 2)
    assert second.seconds > AGAIN_SECONDS


def test_what_was_found_is_kept_for_the_metrics(url: str) -> None:
    async def found() -> Mapping[str, Any]:
        async with a_store(url, OTHER) as database:
            return (await replica(database, {"luna-x": in_days(5), "luna-y": None}).look(LOOK)).payload

    assert asyncio.run(found()) == {"ends": [["panes", "luna-x", in_days(5).isoformat()]]}
    assert days_left({("panes", "luna-x"): in_days(5), ("panes", "luna-z"): in_days(-9)}) == {
        ("panes", "luna-x"): 5,
        ("panes", "luna-z"): 0,
    }


def test_a_client_that_returns_to_a_model_is_warned_again(url: str, receiver: Receiver) -> None:
    async def looks() -> list[str]:
        async with a_store(url, OTHER) as database:
            for model in ("luna-x", "luna-y", "luna-x"):
                changed = BotRecord("panes", "Panes", "+56998765001", model=model)
                await database.write(catalog.put_bot, changed)
                await replica(database, {"luna-x": in_days(5)}, receiver.url()).look(LOOK)
            return [one.channel for one in await database.read(reconcile_state.list_notices)]

    assert asyncio.run(looks()) == [channel_of(receiver.url())]
    assert len(receiver.arrived) == 2


def test_every_model_that_a_bot_names_is_in_use_once(url: str) -> None:
    policy = {
        "version": 1,
        "fallback_model": "b",
        "budget": {"monthly": 1, "on_exceeded": "cheaper_model", "cheaper_model": "c"},
        "canary": {"percent": 10, "model": "a"},
    }

    async def found() -> list[ModelUse]:
        async with a_store(url, BotRecord("x", "X", "+56998765002", model="a", policy=policy)) as database:
            return await database.read(models_in_use)

    assert [(use.model, use.key, use.fallback) for use in asyncio.run(found())] == [
        ("a", "model", "b"),
        ("b", "fallback_model", None),
        ("c", "budget.cheaper_model", "b"),
    ]


def test_the_days_that_are_left_are_a_metric_of_every_replica(fleet: Fleet) -> None:
    shop = fleet.open_line(model="gpt-4o-mini")
    found = payload({(shop.bot["id"], "gpt-4o-mini"): in_days(5)})
    run_once(fleet.database_url, timers.put, ENDS, KEY, datetime.now(UTC) + timedelta(hours=1), found)
    for one in fleet.replicas:
        page = one.api("GET", "/metrics").body.decode()
        assert f'horizonai_model_days_left{{client="{shop.bot["id"]}",model="gpt-4o-mini"}} 5.0' in page
