"""A client's months as rows: messages at given times, with their turns, answers and what the ledger has of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, insert

from runtime.price_list import prices_of_messages
from runtime.store.catalog import put_bot
from runtime.store.codec import dump_json
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import open_migrated
from runtime.store.database.times import later
from runtime.store.records import INSTALLATION, BotRecord
from runtime.store.tables import applied, conversations, free_service_messages, inbox, outbox, turns
from runtime.store.tariffs_record import KIND
from runtime.store.usage.ledger import (
    Line,
    SentMessageFacts,
    add_message_in,
    add_message_out,
    add_spent,
)
from runtime.store.usage.prices import Price, put_prices
from schemas.default_tariffs import DEFAULT
from schemas.prices import UnitPrice
from schemas.tariffs import Tariffs

NUMBER = "+56961234501"
MODEL = Price("model_output", "gpt-6-luna", None, UnitPrice(500_000_000, 1_000_000, "tests", None, "list_price"))
UNKNOWN = Price("web_search", "gpt-9", None, UnitPrice(None, 1, "no price", None, "unknown"))


@dataclass(slots=True)
class Rows:
    """Adds rows to one store."""

    connection: Connection
    client: str = "la-cocina"
    tariffs: Tariffs = DEFAULT

    def bot(self, number: str = NUMBER, bot_id: str = "la-cocina", **fields: Any) -> None:
        """A bot of the client."""
        record = BotRecord(bot_id, "La Cocina", number, instructions="I", model="m", client=self.client, **fields)
        put_bot(self.connection, record)

    def person(self, name: str = "ana", bot_id: str = "la-cocina") -> int:
        """A conversation; its id."""
        row = insert(conversations).values(bot_id=bot_id, user_key=name, created_at="")
        return int(self._added(row))

    def message(
        self,
        at: str,
        person: int,
        *,
        state: str = "answered",
        reason: str | None = None,
        seconds: float = 3.0,
        used: str | None = None,
        bot_id: str = "la-cocina",
        turn: int | None = None,
        status: str = "delivered",
        variant: str | None = None,
        version: int = 1,
    ) -> int:
        """A message in, with its turn's end and, where it is answered, its answer; gives the turn."""
        turn_id = turn or self._turn(at, person, state, reason, used, bot_id, variant, version)
        message = insert(inbox).values(
            account_sid="AC", message_sid=f"SM{at}{person}", bot_id=bot_id, conversation_id=person, sender="", body="",
            params="{}", state=state, turn_id=turn_id, received_at=at,
        )  # fmt: skip
        inbox_id = int(self._added(message))
        prices = prices_of_messages(self.tariffs, self.client, "CL")
        every = [prices.message_in, prices.message_out, prices.failed, prices.within_free]
        put_prices(self.connection, [*every, *prices.meta.values(), *prices.after_ad.values(), MODEL, UNKNOWN])
        add_message_in(self.connection, prices, bot_id=bot_id, number=NUMBER, inbox_id=inbox_id, at=at)
        if state == "answered" and turn is None:
            went = later(at, seconds)
            answer = insert(outbox).values(
                turn_id=turn_id, conversation_id=person, bot_id=bot_id, part=0, account_sid="AC", sender="",
                recipient="", body="", channel="rest", state="sent", created_at=went, claimed_at=went,
                error_code="63016" if status == "undelivered" else None,
            )  # fmt: skip
            facts = SentMessageFacts(int(self._added(answer)), bot_id, NUMBER, turn_id, went, "service", False)
            add_message_out(self.connection, prices, facts, status, 0)
            add_spent(self.connection, self.client, [Line(MODEL, 200)], bot_id=bot_id, turn_id=turn_id, at=went)
        return turn_id

    def spent(self, at: str, *lines: Line) -> None:
        """Usage of a model, of no message."""
        put_prices(self.connection, [line.price for line in lines])
        add_spent(self.connection, self.client, lines, bot_id=None, turn_id=0, at=at)

    def free_is_used(self, month: str) -> None:
        """All free messages of the number in a month."""
        self.connection.execute(insert(free_service_messages).values(number=NUMBER, month=month, used=1000))

    def apply(self, tariffs: Tariffs) -> None:
        """The tariffs of the installation, as an apply records them."""
        values = dump_json({"tariffs": tariffs.model_dump(mode="json")})
        self.connection.execute(
            insert(applied).values(client=INSTALLATION, kind=KIND, live_id="tariffs", values=values, applied_at="")
        )

    def _turn(
        self,
        at: str,
        person: int,
        state: str,
        reason: str | None,
        used: str | None,
        bot_id: str,
        variant: str | None,
        version: int,
    ) -> int:
        ended = "unanswered" if state == "limited" else state
        row = insert(turns).values(
            conversation_id=person, bot_id=bot_id, state=ended, starts=1, started_at=at, finished_at=at, reason=reason,
            used=used, variant=variant, bot_version=version, output_tokens=40,
        )  # fmt: skip
        return int(self._added(row))

    def _added(self, row: Insert) -> int:
        return int(self.connection.execute(row).inserted_primary_key[0])


@contextmanager
def rows(url: str) -> Iterator[Rows]:
    """A store to add rows to; they are committed at the end."""
    open_migrated(url).dispose()
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            yield Rows(connection)
    finally:
        engine.dispose()
