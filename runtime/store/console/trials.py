"""What the console's page for trying reads, and that something was tried. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement


@dataclass(frozen=True, slots=True)
class TriableBot:
    """A bot that may be tried."""

    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was made by hand."""
    name: str


BOTS = Statement("SELECT id, coalesce(client, id), name FROM bots ORDER BY name, id")
SOME = Statement("SELECT id FROM bots LIMIT :limit")


def bots_of(connection: Connection, clients: Sequence[str] | None) -> list[TriableBot]:
    """The bots of these clients, or all, by name."""
    return [TriableBot(*row) for row in BOTS.rows(connection) if clients is None or row[1] in clients]


def choice_of(connection: Connection, clients: Sequence[str] | None, most: int) -> list[TriableBot]:
    """As `bots_of`; none where there are more than `most`."""
    if clients is None and len(SOME.rows(connection, limit=most + 1)) > most:
        return []
    found = bots_of(connection, clients)
    return found if len(found) <= most else []


def record_trial(connection: Connection, actor: Actor, bot: TriableBot, variant: str, nano_usd: int | None) -> None:
    """Records that a person tried an assistant, and what its model cost: it is in no client's ledger."""
    cost = "cost not known" if nano_usd is None else f"cost {nano_usd} nano USD"
    record(connection, actor, Entry("tried", "bot", bot.bot_id, bot.client, fields=[variant, cost]))
