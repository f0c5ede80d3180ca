"""The runtime stops a bot's canary: once, whichever process finds the reason, and every replica knows it with its next
turn, since that compares the catalog's version. Functions over a connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, Entry, record
from runtime.store.catalog import count_up, get_bot
from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from schemas.canary import digest_of

NOTICE: Final = "canary_notice"
"""The kind of the timer that has a stop notified; its key is the bot's id."""
ACTOR: Final = Actor("runtime", "runtime")
"""In the audit."""

# Without a row for this canary a program that does not know canaries wrote the bot's.
STOP = Statement(
    "INSERT INTO canaries (bot_id, canary, from_version, since, stopped_at, reason, figures)"
    " VALUES (:bot_id, :canary, 0, :now, :now, :reason, :figures) ON CONFLICT (bot_id) DO UPDATE SET"
    " from_version = CASE WHEN canaries.canary = excluded.canary THEN canaries.from_version ELSE 0 END,"
    " since = CASE WHEN canaries.canary = excluded.canary THEN canaries.since ELSE excluded.since END,"
    " canary = excluded.canary, stopped_at = excluded.stopped_at, reason = excluded.reason, figures = excluded.figures"
    " WHERE canaries.stopped_at IS NULL OR canaries.canary <> excluded.canary"
)
STOPPED = Statement("SELECT reason, figures FROM canaries WHERE bot_id = :bot_id AND stopped_at IS NOT NULL")


class StoppedCanary(NamedTuple):
    """Why a canary was stopped."""

    reason: str
    figures: str
    """As JSON."""


def stop(connection: Connection, bot: BotRecord, reason: str, figures: Mapping[str, Any]) -> bool:
    """Stops a bot's canary, with an entry in the audit and a timer that has it notified; False where it was stopped
    before, or the bot has another canary by now."""
    count_up(connection)  # no bot changes until this transaction ends
    current, digest = get_bot(connection, bot.id), digest_of(bot.policy.get("canary"))
    if current is None or digest is None or digest_of(current.policy.get("canary")) != digest:
        return False
    if not STOP.run(
        connection, bot_id=bot.id, canary=digest, now=timestamp(), reason=reason, figures=dump_json(figures)
    ):
        return False
    record(connection, ACTOR, Entry("stop", "canary", bot.id, bot.label, fields=(reason,)))
    timers.put(connection, NOTICE, bot.id, datetime.now(UTC), {})
    return True


def stopped(connection: Connection, bot_id: str) -> StoppedCanary | None:
    """Why a bot's canary was stopped; None where it is not."""
    row = STOPPED.first(connection, bot_id=bot_id)
    return None if row is None else StoppedCanary(*row)
