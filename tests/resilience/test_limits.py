"""Floods: one user's, one client's, and more than the store can take."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import POLL_SECONDS
from runtime.inbound.rate_limits import REPLICAS, WINDOW_SECONDS, InboundRateLimits
from runtime.twilio.rate_limit import MESSAGES_A_SECOND, SendRateLimit
from tests.chaos.relay import Relay
from tests.observability.scrape import scrape
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook, start_runtime
from tests.sandbox_process import Sandbox, wait_until

ENOUGH = "Un momento, por favor."


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that answers two messages a minute of a user and four of a client."""
    limits = {"RATE_PER_USER": "2", "RATE_PER_CLIENT": "4", "LIMIT_MESSAGE": ENOUGH}
    running = start_runtime(tmp_path_factory.mktemp("strict"), sandbox_process, **limits)
    yield running
    running.stop()


@pytest.fixture
def shop(strict: Runtime, sandbox: Sandbox) -> Line:
    return open_line(strict, sandbox)


def model_calls(shop: Line) -> int:
    """How often the model was asked."""
    return len(shop.sandbox.calls("openai", "POST", "/v1/responses"))


def test_a_user_s_flood_is_stored_and_told_so_once(shop: Line) -> None:
    shop.ask("uno")
    shop.ask("dos")

    assert shop.ask("tres") == ENOUGH
    assert shop.write("cuatro", wait=1)["answers"] == []

    assert (model_calls(shop), shop.received()) == (2, 4)
    with closing(sqlite3.connect(shop.runtime.folder / "runtime.db")) as store:
        states = store.execute("SELECT state FROM inbox WHERE bot_id = ? ORDER BY id", (shop.bot["id"],)).fetchall()
    assert [state for (state,) in states] == ["answered", "answered", "limited", "limited"]


def test_a_flood_in_a_conversation_that_people_have_is_stored_and_brings_no_notice(
    strict: Runtime, sandbox: Sandbox
) -> None:
    shop = open_line(strict, sandbox, policy={"version": 1, "handoff": {"resume_after": "4h"}})
    shop.ask("Quiero hablar con una persona")
    shop.write("¿Hola?", wait=0)
    wait_until(lambda: shop.received() == 2, what="the second message")

    assert shop.write("¿Hay alguien?", wait=1)["answers"] == []
    assert ENOUGH not in shop.shown()
    with closing(sqlite3.connect(shop.runtime.folder / "runtime.db")) as store:
        bot = (shop.bot["id"],)
        states = store.execute("SELECT state FROM inbox WHERE bot_id = ? ORDER BY id", bot).fetchall()
        kept = store.execute(
            "SELECT item FROM items WHERE conversation_id IN (SELECT id FROM conversations WHERE bot_id = ?)", bot
        ).fetchall()
    assert states[-1] == ("limited",)
    assert not any(ENOUGH in item for (item,) in kept)


def test_one_user_s_flood_takes_nothing_from_another(shop: Line) -> None:
    for text in ("uno", "dos", "tres", "cuatro", "cinco"):
        fields = inbound_fields(shop.number, text)
        for _ in range(2):
            assert signed_webhook(shop.runtime, fields).status == 200

    assert "turn 1" in shop.ask("Hola", "+56922222222")
    assert "turn 1" in shop.ask("Hola", "+56922222223")
    assert shop.ask("Hola", "+56922222224") == ENOUGH


def test_a_client_s_flood_is_told_to_each_user_once(shop: Line) -> None:
    for number in range(4):
        shop.ask("Hola", f"+5691111000{number}")

    assert shop.ask("Hola", "+56911110005") == ENOUGH
    assert shop.ask("Hola", "+56911110006") == ENOUGH
    assert model_calls(shop) == 4


@pytest.mark.postgres
def test_a_message_that_could_not_be_stored_does_not_count(tmp_path: Path, sandbox: Sandbox) -> None:
    database = make_database()
    with ExitStack() as cleanup:
        cleanup.callback(drop_database, database)
        relay = cleanup.enter_context(Relay(database))
        limits = {"RATE_PER_USER": "2", "RATE_PER_CLIENT": "4", "LIMIT_MESSAGE": ENOUGH, "SWEEP_SECONDS": "0"}
        runtime = start_runtime(tmp_path, sandbox, DATABASE_URL=relay.url, **limits)
        cleanup.callback(runtime.stop)
        shop = open_line(runtime, sandbox)
        time.sleep(POLL_SECONDS)  # the bot is read once; before that it would not be known without the store
        assert "turn 1" in shop.ask("uno")
        relay.cut()
        assert {shop.write("¿hay alguien?")["http_status"] for _ in range(5)} == {503}
        relay.restore()

        # A connection that was used a second ago is trusted: the first message may still meet one that was cut.
        wait_until(lambda: shop.write("dos")["http_status"] == 200, what="a webhook that is taken")
        wait_until(lambda: len(shop.outbound()) == 2, what="its answer")
        assert "turn 2" in shop.outbound()[1]["body"]


def test_a_message_that_twilio_delivers_again_counts_once(shop: Line) -> None:
    fields = inbound_fields(shop.number)
    for _ in range(4):
        assert signed_webhook(shop.runtime, fields).status == 200

    assert "turn 2" in shop.ask("Hola")


def test_a_store_that_is_stuck_is_told_to_twilio_in_time_and_the_message_is_answered_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    shop.ask("Hola")
    fields = inbound_fields(shop.number, "¿sigues ahí?")
    with closing(sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert signed_webhook(runtime, fields).status == 503
        assert time.monotonic() - began < 10
        other.execute("ROLLBACK")

    assert signed_webhook(runtime, fields).status == 200

    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")
    shop.ask("gracias")
    assert len(shop.outbound()) == 3


def test_messages_that_were_limited_are_counted_for_their_client(shop: Line) -> None:
    def counted(result: str) -> float:
        labels = {"client": shop.bot["id"], "result": result}
        return scrape(shop.runtime).value("horizonai_inbound_messages_total", **labels)

    for text in ("uno", "dos"):
        shop.write(text)
    for text in ("tres", "cuatro"):
        shop.write(text, wait=0)

    wait_until(lambda: counted("limited") == 2, what="the count")
    assert counted("accepted") == 2


@given(st.lists(st.floats(0, 300), max_size=40).map(sorted), st.integers(1, 5))
def test_whoever_keeps_to_the_limit_is_answered_and_nobody_much_beyond_it(moments: list[float], limit: int) -> None:
    limits = InboundRateLimits(limit, 0)
    answered = [moment for moment in moments if not limits.is_over("bot", "user", moment)]

    assert busiest_minute(answered) <= 2 * limit
    if busiest_minute(moments) <= limit:
        assert answered == moments


def let_through(limit: int, replicas: int, spread: Sequence[int]) -> tuple[int, int]:
    """Messages to one client, each to the replica that is named: how many are answered, and how often the store is
    asked."""
    counts = [InboundRateLimits(0, limit) for _ in range(replicas)]
    answered = asked = 0
    for replica in spread:
        limits = counts[replica % replicas]
        if limits.is_over("bot", "user"):
            continue
        while (is_over := limits.is_client_over("bot")) is None:
            asked += 1
            limits.note_client("bot", answered)
        answered += not is_over
    return answered, asked


@given(st.integers(1, 500), st.integers(1, REPLICAS))
def test_a_client_s_limit_is_kept_by_replicas_that_get_as_much(limit: int, replicas: int) -> None:
    answered, _ = let_through(limit, replicas, range(2 * limit))

    assert answered == limit


@given(st.integers(1, 100), st.lists(st.integers(0, REPLICAS - 1), max_size=400))
def test_a_client_s_limit_is_used_up_before_anybody_is_turned_away_however_messages_are_spread(
    limit: int, spread: list[int]
) -> None:
    answered, _ = let_through(limit, REPLICAS, spread)

    assert min(len(spread), limit) <= answered <= 2 * limit


def test_the_store_is_not_asked_far_below_a_client_s_limit_and_seldom_near_it() -> None:
    limit = 4800

    assert let_through(limit, 1, range(limit // REPLICAS)) == (limit // REPLICAS, 0)
    answered, asked = let_through(limit, 2, range(3 * limit))
    assert answered == limit
    assert asked < limit / 50


def busiest_minute(moments: list[float]) -> int:
    """The maximum number of times within a minute."""
    return max((sum(start <= moment <= start + WINDOW_SECONDS for moment in moments) for start in moments), default=0)


def test_a_number_sends_no_faster_than_whatsapp_takes_it() -> None:
    async def burst() -> float:
        pace = SendRateLimit()
        began = time.monotonic()
        await asyncio.gather(*(pace.wait("whatsapp:+15550000001") for _ in range(21)), pace.wait("another"))
        return time.monotonic() - began

    assert asyncio.run(burst()) >= 20 / MESSAGES_A_SECOND
