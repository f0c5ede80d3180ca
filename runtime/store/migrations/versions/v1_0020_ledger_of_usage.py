"""The ledger of usage, with prices that are written once; turns with tokens become rows of it.

The prices of those turns are today's list prices of their models, so their rows are `estimated`: what was read from
the cache is known, what was written to it is not. Where a model has no known price, neither has its row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from runtime.store.usage.prices import Price, put_prices
from schemas.default_tariffs import DEFAULT
from schemas.prices import ModelKind, price

revision = "1_0020"
down_revision = "1_0019"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
QUANTITIES: dict[ModelKind, str] = {
    "model_input": "coalesce(input_tokens, 0) - coalesce(cached_tokens, 0)",
    "model_cached": "coalesce(cached_tokens, 0)",
    "model_output": "coalesce(output_tokens, 0)",
}

COMMENTS = {
    "conversations": "One user of one bot. `thread_id` is the provider's, with the engines `assistants` and `agents`."
    " state: assistant | human | closed, says who answers. `referral_at`: a click on an ad that was not replied to;"
    " `free_until`: Meta charges nothing until then.",
    "outbox": "Messages to send. channel: twiml | rest, claimed once. state: ready | postponed | sending | sent |"
    " failed | replaced (sent again by a later row). `error_code`: Twilio's, once it is not sent again."
    " `category`: Meta's."
    " `charged`: what is in the ledger (0 nothing, 1 Twilio's part, 2 Meta's too).",
}


def upgrade() -> None:
    _make_tables()
    for name in ("referral_at", "free_until"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    op.add_column("outbox", sa.Column("category", sa.Text(), nullable=False, server_default="service"))
    for name in ("is_after_ad", "charged"):
        op.add_column("outbox", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    # What Twilio and Meta charged for earlier messages is not known; later callbacks about them add nothing.
    op.execute("UPDATE outbox SET charged = 2 WHERE state <> 'ready' AND state <> 'postponed'")
    if op.get_bind().dialect.name == "postgresql":
        for table, comment in COMMENTS.items():
            op.create_table_comment(table, comment)
    _take_over_turns()


def _make_tables() -> None:
    op.create_table(
        "usage_prices",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("nano_usd", sa.BigInteger()),
        sa.Column("per", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since", sa.Text()),
        sa.Column("confidence", sa.Text(), nullable=False),
        comment="What one costs; written once, never changed. `id` is a hash over the rest.",
    )
    op.create_table(
        "usage",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Text()),
        sa.Column("number", sa.Text()),
        sa.Column("turn_id", sa.BigInteger()),
        sa.Column("inbox_id", sa.BigInteger()),
        sa.Column("outbox_id", sa.BigInteger()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("price_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger()),
        comment="The ledger: rows are added, never changed or deleted. `at`: when it was learnt; `month`: of its use,"
        " in UTC; `amount`: 10⁻⁹ USD, null where no price is known.",
    )
    op.create_index("usage_client", "usage", ["client", "month", "at"])
    op.create_table(
        "free_service_messages",
        sa.Column("number", sa.Text(), primary_key=True),
        sa.Column("month", sa.Text(), primary_key=True),
        sa.Column("used", sa.Integer(), nullable=False),
        comment="Delivered messages of a number that Meta did not charge, in a calendar month in UTC.",
    )


def _take_over_turns() -> None:
    """Adds rows for the tokens of turns that have ended."""
    connection = op.get_bind()
    models = connection.execute(
        sa.text("SELECT DISTINCT model FROM turns WHERE input_tokens > 0 OR output_tokens > 0")
    ).scalars()
    for model in list(models):
        for kind, quantity in QUANTITIES.items():
            _take_over(connection, model, kind, quantity)


def _take_over(connection: sa.Connection, model: str | None, kind: ModelKind, quantity: str) -> None:
    unit = price(DEFAULT, kind, at=datetime.now(UTC), model=model)
    if unit.nano_usd is not None:
        unit = replace(unit, confidence="estimated")
    charged = Price(kind, model, None, unit)
    put_prices(connection, [charged])
    # Half a unit is added before the division, which cuts: amounts are rounded like those of later rows.
    amount = "NULL" if unit.nano_usd is None else f"(({quantity}) * {unit.nano_usd} + {unit.per // 2}) / {unit.per}"
    statement = sa.text(
        "INSERT INTO usage (at, month, client, bot_id, turn_id, kind, price_id, quantity, amount)"  # noqa: S608
        " SELECT finished_at, substr(finished_at, 1, 7), coalesce(bots.client, turns.bot_id), turns.bot_id, turns.id,"
        f" '{kind}', {charged.id}, {quantity}, {amount}"
        " FROM turns LEFT JOIN bots ON bots.id = turns.bot_id"
        f" WHERE finished_at IS NOT NULL AND {quantity} > 0"
        " AND (turns.model = :model OR (turns.model IS NULL AND CAST(:model AS text) IS NULL)) ORDER BY turns.id"
    )
    connection.execute(statement, {"model": model})
