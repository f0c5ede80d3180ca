"""What the ledger has of messages, calls of models and old turns, row by row. On both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

import runtime.store.migrations
from runtime.catalog import open_catalog
from runtime.content.parts import Content, Referral, Text
from runtime.engines.responses import usage_of
from runtime.price_list import PriceList, prices_of_messages
from runtime.store.database.database import open_database
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.database.times import timestamp
from runtime.store.messages import conversations, inbox, outbox
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.outbound_content import OutboundTemplate, OutboundText
from runtime.store.messages.outbox import OutboundMessage, add_to_outbox, record_status
from runtime.store.usage import ledger
from runtime.store.usage.ledger import FREE_SERVICE_MESSAGES, Line, MessageCategory, add_spent
from runtime.store.usage.prices import Price, put_prices
from runtime.store.usage.quantities import Spent
from runtime.store.usage.sums import sums_at_border, usage_sums
from schemas.default_tariffs import DEFAULT
from schemas.prices import price
from schemas.tariffs import nanos
from tests.runtime.stores import drop_database, make_database

NUMBER, CHILE, BRAZIL = "+15550001", "whatsapp:+56912345678", "whatsapp:+5511987654321"
MIDDLE = datetime(2026, 11, 15, 12, tzinfo=UTC)
TEMPLATE = OutboundTemplate("HX1", "Te esperamos el martes", {})
Rows = dict[str, tuple[int, int]]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    postgresql = request.param == "postgresql"
    url = make_database() if postgresql else f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'store.db'}"
    engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()
    if postgresql:
        drop_database(url)


class Shop:
    """A bot with a number, at a time that the test chooses."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now = MIDDLE
        self._sids = count(1)

    def timestamp(self, seconds: float | None = None) -> str:
        """In place of the clock."""
        return timestamp(self.now.timestamp() if seconds is None else seconds)

    def hear(self, user: str = CHILE, *, after_ad: bool = False) -> None:
        """A user writes."""
        content = Content((Text("Hola"),), referral=Referral("ad") if after_ad else None)
        sid, prices = f"SMin{next(self._sids)}", self._prices(user)
        put_prices(self.connection, [prices.message_in])
        message = InboundMessage("AC1", sid, "bot", user, user, content, "{}", NUMBER, prices)
        assert inbox.store_message(self.connection, message) is not None
        assert inbox.store_message(self.connection, message) is None  # Twilio delivers some twice

    def send(self, *statuses: str, user: str = CHILE, category: MessageCategory = "service") -> int:
        """A message goes out and gets to these statuses; gives its row."""
        known = conversations.known_user(self.connection, "bot", user)
        is_after_ad = known is not None and conversations.reply_after_ad(
            self.connection, known.conversation_id, *conversations.ad_state(self.connection, known.conversation_id)
        )
        content = OutboundText("Hola") if category == "service" else TEMPLATE
        message = OutboundMessage(
            *("AC1", f"whatsapp:{NUMBER}", user, content, "rest"),
            claimed=True,
            bot_id="bot",
            conversation_id=known.conversation_id if known else None,
            template_category="template" if category == "service" else category,
        )
        row = add_to_outbox(self.connection, message, is_after_ad=is_after_ad)
        for status in statuses:
            self.learn(row.id, status, user)
        return row.id

    def learn(self, row_id: int, status: str, user: str = CHILE) -> None:
        """A status callback arrives."""
        prices = self._prices(user)
        every = [prices.message_out, prices.failed, prices.within_free, *prices.meta.values()]
        put_prices(self.connection, [*every, *prices.after_ad.values()])
        recorded = record_status(
            self.connection,
            account_sid="AC1",
            message_sid=f"SMout{row_id}",
            sender=f"whatsapp:{NUMBER}",
            recipient=user,
            status=status,
            error=None,
            row_id=row_id,
            prices=prices,
        )
        assert recorded is not None

    def _prices(self, user: str) -> Any:
        return prices_of_messages(DEFAULT, "la-cocina", {CHILE: "CL", BRAZIL: "BR"}[user])

    def rows(self, month: str | None = None) -> Rows:
        """Kind → number of rows and their amount, of all months or of one."""
        query = "SELECT kind, count(*), sum(amount) FROM usage WHERE month LIKE :month GROUP BY kind"
        found = self.connection.execute(text(query), {"month": month or "%"})
        return {kind: (rows, int(amount)) for kind, rows, amount in found}


@pytest.fixture
def shop(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """In a transaction that is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        shop = Shop(connection)
        for module in (inbox, outbox, conversations, ledger):
            monkeypatch.setattr(module, "timestamp", shop.timestamp)
        yield shop
        transaction.rollback()


def usd(rows: int, dollars: float) -> tuple[int, int]:
    return rows, nanos(dollars)


def use_up(shop: Shop, messages: int = FREE_SERVICE_MESSAGES) -> None:
    """Delivered messages of the month before this one in the test."""
    month = f"{shop.now:%Y-%m}"
    statement = text("INSERT INTO free_service_messages (number, month, used) VALUES (:number, :month, :used)")
    shop.connection.execute(statement, {"number": NUMBER, "month": month, "used": messages})


def free_used(shop: Shop, month: str = "2026-11") -> int:
    query = text("SELECT coalesce(sum(used), 0) FROM free_service_messages WHERE month = :month")
    return int(shop.connection.execute(query, {"month": month}).scalar_one())


@pytest.mark.long
def test_a_thousand_delivered_replies_cost_nothing_at_meta_and_the_next_does(shop: Shop) -> None:
    for _ in range(1000):
        shop.send("sent", "delivered")
    assert shop.rows() == {"twilio_out": usd(1000, 5), "meta_service": (1000, 0)}

    shop.send("sent", "delivered", "read")

    assert shop.rows() == {"twilio_out": usd(1001, 5.005), "meta_service": usd(1001, 0.02)}


def test_twilio_charges_each_message_each_way(shop: Shop) -> None:
    shop.hear()
    shop.send("sent")
    shop.send("queued")

    assert shop.rows() == {"twilio_in": usd(1, 0.005), "twilio_out": usd(1, 0.005)}


def test_a_failed_message_costs_a_part_of_twilio_s_price_and_nothing_at_meta(shop: Shop) -> None:
    shop.send("failed")

    assert shop.rows() == {"twilio_out": usd(1, 0.001)}


def test_an_undelivered_message_costs_nothing_at_meta_and_uses_no_free_one(shop: Shop) -> None:
    shop.send("sent", "undelivered")
    shop.send("undelivered")

    assert shop.rows() == {"twilio_out": usd(2, 0.01)}
    assert free_used(shop) == 0


@pytest.mark.parametrize(
    ("category", "kind", "dollars"),
    [
        ("utility", "meta_utility", 0.02),
        ("marketing", "meta_marketing", 0.0889),
        ("authentication", "meta_authentication", 0.02),
        ("template", "meta_utility", 0.02),
    ],
)
def test_a_template_costs_its_category_inside_the_window_too_and_uses_no_free_message(
    shop: Shop, category: MessageCategory, kind: str, dollars: float
) -> None:
    shop.hear()
    shop.send("sent", "delivered", category=category)

    assert shop.rows()[kind] == usd(1, dollars)
    assert free_used(shop) == 0


def test_an_answer_in_two_parts_costs_two_messages(shop: Shop) -> None:
    use_up(shop)
    for _ in range(2):
        shop.send("sent", "delivered")

    assert shop.rows() == {"twilio_out": usd(2, 0.01), "meta_service": usd(2, 0.04)}


def test_the_recipient_s_country_decides_the_price(shop: Shop) -> None:
    use_up(shop)
    shop.send("delivered", user=BRAZIL)

    assert shop.rows()["meta_service"] == usd(1, 0.0068)


def test_after_a_click_on_an_ad_meta_charges_nothing_for_72_hours_from_the_first_reply(shop: Shop) -> None:
    use_up(shop)
    shop.hear(after_ad=True)
    shop.now += timedelta(hours=23)
    shop.send("sent", "delivered")
    shop.send("sent", "delivered", category="marketing")
    assert shop.rows()["meta_service"] == (1, 0)
    assert shop.rows()["meta_marketing"] == (1, 0)
    assert shop.rows()["twilio_out"] == usd(2, 0.01)

    shop.now += timedelta(hours=71, minutes=59)
    shop.send("sent", "delivered")
    assert shop.rows()["meta_service"] == (2, 0)

    shop.now += timedelta(minutes=1)
    shop.send("sent", "delivered")
    assert shop.rows()["meta_service"] == usd(3, 0.02)


def test_messages_after_an_ad_are_none_of_the_free_ones(shop: Shop) -> None:
    use_up(shop, 7)
    shop.hear(after_ad=True)
    shop.send("sent", "delivered")

    assert free_used(shop) == 7


def test_a_reply_more_than_a_day_after_the_click_begins_nothing(shop: Shop) -> None:
    use_up(shop)
    shop.hear(after_ad=True)
    shop.now += timedelta(hours=24, seconds=1)
    shop.send("sent", "delivered")
    shop.send("sent", "delivered")

    assert shop.rows()["meta_service"] == usd(2, 0.04)


def test_an_ad_makes_messages_to_its_user_free_only(shop: Shop) -> None:
    use_up(shop)
    shop.hear(after_ad=True)
    shop.hear(BRAZIL)
    shop.send("sent", "delivered")
    shop.send("sent", "delivered", user=BRAZIL)

    assert shop.rows()["meta_service"] == usd(2, 0.0068)


def test_a_month_begins_at_midnight_in_utc_with_free_messages(shop: Shop) -> None:
    shop.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    use_up(shop)
    late = shop.send("sent")
    shop.now = datetime(2026, 12, 1, tzinfo=UTC)
    first = shop.send("sent")
    shop.learn(first, "delivered")
    shop.learn(late, "delivered")  # the ledger learns of it in December; it was sent in November

    assert shop.rows("2026-11") == {"twilio_out": usd(1, 0.005), "meta_service": usd(1, 0.02)}
    assert shop.rows("2026-12") == {"twilio_out": usd(1, 0.005), "meta_service": (1, 0)}
    assert free_used(shop, "2026-12") == 1


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read", "queued"])), ids="-".join)
def test_the_order_and_the_number_of_callbacks_make_no_difference(shop: Shop, order: tuple[str, ...]) -> None:
    use_up(shop, FREE_SERVICE_MESSAGES - 1)
    shop.send(*(status for status in order for _ in range(2)))

    assert shop.rows() == {"twilio_out": usd(1, 0.005), "meta_service": (1, 0)}
    assert free_used(shop) == FREE_SERVICE_MESSAGES


def test_which_messages_are_free_is_the_order_in_which_the_ledger_learnt_of_them(shop: Shop) -> None:
    use_up(shop, FREE_SERVICE_MESSAGES - 1)
    first, second = shop.send("sent"), shop.send("sent")
    shop.learn(second, "delivered")
    shop.learn(first, "delivered")

    query = "SELECT outbox_id, amount FROM usage WHERE kind = 'meta_service' ORDER BY id"
    assert [tuple(row) for row in shop.connection.execute(text(query))] == [(second, 0), (first, nanos(0.02))]


def test_a_message_near_the_border_of_a_month_may_be_of_another_in_its_account_s_zone(shop: Shop) -> None:
    use_up(shop)
    for hour in (1, 13):
        shop.now = datetime(2026, 11, 1, hour, tzinfo=UTC)
        shop.send("sent", "delivered")
    shop.now = datetime(2026, 12, 1, 2, tzinfo=UTC)
    use_up(shop)
    shop.send("sent", "delivered")
    shop.now = MIDDLE
    shop.send("sent", "delivered")

    near = sums_at_border(shop.connection, "2026-11")
    assert (near.messages, near.nano_usd) == usd(3, 0.06)


def test_a_minute_of_voice(shop: Shop) -> None:
    unit = price(DEFAULT, "transcription", model="gpt-transcribe")
    line = Line(Price("transcription", "gpt-transcribe", None, unit), 60_000)
    put_prices(shop.connection, [line.price])
    add_spent(shop.connection, "la-cocina", [line], bot_id="bot", turn_id=1, at=shop.timestamp())

    assert shop.rows() == {"transcription": usd(1, 0.0045)}


def test_a_first_turn_with_a_search(shop: Shop, tmp_path: Path) -> None:
    """6,000 tokens of which 5,500 are written to the cache, 200 out, one search."""
    details = {"cached_tokens": 0, "cache_write_tokens": 5500}
    counted = {"input_tokens": 6000, "input_tokens_details": details, "output_tokens": 200, "total_tokens": 6200}
    response = {"usage": counted, "output": [{"type": "web_search_call"}, {"type": "message"}]}

    lines = asyncio.run(lines_of(f"sqlite:///{tmp_path}/prices.db", Spent("gpt-6-luna", usage_of(response))))
    put_prices(shop.connection, [line.price for line in lines])
    add_spent(shop.connection, "la-cocina", lines, bot_id="bot", turn_id=1, at=shop.timestamp())

    assert sum(amount for _, amount in shop.rows().values()) == nanos(0.0108375)
    found = {row.kind: (row.quantity, row.confidence) for row in usage_sums(shop.connection, "2026-11", "la-cocina")}
    assert found == {
        "model_input": (500, "list_price"),
        "model_cache_write": (5500, "list_price"),
        "model_output": (200, "list_price"),
        "web_search": (1, "list_price"),
    }


async def lines_of(url: str, spent: Spent) -> list[Line]:
    """What a process would add for a call of a model."""
    database = await open_database(url)
    try:
        return list(await PriceList(database, await open_catalog(database)).lines([spent]))
    finally:
        await database.close()


def test_turns_of_an_older_store_are_estimated(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(Path(runtime.store.migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "1_0019")
        for model in ("gpt-6-luna", "gpt-6.2-sol"):
            add_old_turn(connection, model)
    migrate(engine)

    with engine.connect() as connection:
        sums = usage_sums(connection, "2026-10")
    engine.dispose()
    found = {(row.model, row.kind): (row.quantity, row.nano_usd, row.confidence) for row in sums}
    assert {row.client for row in sums} == {"bot"}
    assert found == {
        ("gpt-6-luna", "model_input"): (500, nanos(0.00005), "estimated"),
        ("gpt-6-luna", "model_cached"): (1500, nanos(0.000015), "estimated"),
        ("gpt-6-luna", "model_output"): (200, nanos(0.0001), "estimated"),
        ("gpt-6.2-sol", "model_input"): (500, None, "unknown"),
        ("gpt-6.2-sol", "model_cached"): (1500, None, "unknown"),
        ("gpt-6.2-sol", "model_output"): (200, None, "unknown"),
    }


def add_old_turn(connection: Connection, model: str) -> None:
    """A turn as the release before the ledger stored it."""
    connection.execute(
        text(
            "INSERT INTO turns (conversation_id, bot_id, state, model, input_tokens, cached_tokens, output_tokens,"
            " starts, started_at, finished_at) VALUES (1, 'bot', 'answered', :model, 2000, 1500, 200, 1,"
            " '2026-10-05T12:00:00.000Z', '2026-10-05T12:00:01.000Z')"
        ),
        {"model": model},
    )
