"""Canaries: from which version of its bot on one is declared, how its turns and the others came out, and whether the
runtime has stopped it. Functions over a connection.

    a bot's row gets another canary ──► `declared`: counted from this version of the bot on, not stopped
    turns end with their variant    ──► `tally` ──► `runtime.store.canary_stops`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from runtime.store.variants import FAILED
from schemas.canary import digest_of

NEWEST: Final = 30
"""Of the canary's turns, in which failures are counted by themselves."""

ADD = Statement(
    "INSERT INTO canaries (bot_id, canary, from_version, since) VALUES (:bot_id, :canary, :from_version, :since)"
)
FORGET = Statement("DELETE FROM canaries WHERE bot_id = :bot_id")
NOTED = Statement("SELECT from_version, stopped_at, canary FROM canaries WHERE bot_id = :bot_id")
TALLY = Statement(
    f"SELECT variant, count(*), sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END),"  # noqa: S608 - constant texts
    " sum(CASE WHEN reason = 'handoff' THEN 1 ELSE 0 END) FROM turns WHERE bot_id = :bot_id AND variant IS NOT NULL"
    " AND bot_version >= :from_version AND state <> 'running' GROUP BY variant"
)
NEWEST_FAILED = Statement(
    "SELECT count(*) FROM (SELECT state FROM turns WHERE bot_id = :bot_id AND variant = 'canary'"  # noqa: S608
    f" AND bot_version >= :from_version AND state <> 'running' ORDER BY id DESC LIMIT {NEWEST}) AS turns"
    f" WHERE {FAILED}"
)


@dataclass(frozen=True, slots=True)
class VariantTally:
    """What a variant's turns came to."""

    turns: int = 0
    failed: int = 0
    handoffs: int = 0


@dataclass(frozen=True, slots=True)
class CanaryTally:
    """What has to be known of a canary to stop it."""

    canary: VariantTally
    stable: VariantTally
    newest_failed: int
    """Of the canary's NEWEST turns."""


class Noted(NamedTuple):
    """What is noted of the canary in a bot's row."""

    from_version: int
    stopped_at: str | None


def declared(connection: Connection, record: BotRecord, former: BotRecord | None) -> None:
    """Notes that a bot's row has a canary from its version on, where it is another one than before."""
    canary, before = record.policy.get("canary"), former.policy.get("canary") if former is not None else None
    if canary == before:
        return
    forget(connection, record.id)
    if (digest := digest_of(canary)) is not None:
        ADD.do(connection, bot_id=record.id, canary=digest, from_version=record.version, since=timestamp())


def forget(connection: Connection, bot_id: str) -> None:
    """Forgets what is noted of a bot's canary."""
    FORGET.do(connection, bot_id=bot_id)


def is_stopped(connection: Connection, bot: BotRecord) -> bool:
    """Whether the runtime has stopped the canary in a bot's row. Without one nothing is read."""
    noted = _noted(connection, bot) if bot.policy.get("canary") else None
    return noted is not None and noted.stopped_at is not None


def tally(connection: Connection, bot: BotRecord) -> CanaryTally | None:
    """What a bot's canary and its other turns came to since it was declared; None where it was stopped already."""
    noted = _noted(connection, bot)
    if noted is not None and noted.stopped_at is not None:
        return None
    from_version = noted.from_version if noted is not None else 0
    rows = TALLY.rows(connection, bot_id=bot.id, from_version=from_version)
    found = {variant: VariantTally(*map(int, counts)) for variant, *counts in rows}
    failed = NEWEST_FAILED.one(connection, bot_id=bot.id, from_version=from_version)[0]
    return CanaryTally(found.get("canary", VariantTally()), found.get("stable", VariantTally()), int(failed))


def _noted(connection: Connection, bot: BotRecord) -> Noted | None:
    """None where nothing is noted of this canary: a program that does not know canaries wrote the bot's row."""
    found = NOTED.first(connection, bot_id=bot.id)
    return Noted(found[0], found[1]) if found is not None and found[2] == digest_of(bot.policy.get("canary")) else None
