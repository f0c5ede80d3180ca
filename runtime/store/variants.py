"""How a client's two variants compare, the canary and the other: functions over a connection, and the queries for those
who read the store without SQLAlchemy (`runtime.store.client.history`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.store.activity_records import CanaryRecord, VariantRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

FAILED: Final = "turns.state IN ('dead', 'dropped', 'retried')"
"""A turn got no answer, whatever its outcome since."""
CANARIES: Final = "SELECT bot_id, canary, since, stopped_at, reason FROM canaries ORDER BY bot_id"
VARIANTS: Final = f"""
    SELECT turns.variant, COUNT(*), SUM(CASE WHEN turns.state = 'answered' THEN 1 ELSE 0 END),
        SUM(CASE WHEN {FAILED} THEN 1 ELSE 0 END),
        SUM(CASE WHEN turns.reason = 'handoff' THEN 1 ELSE 0 END),
        SUM(CASE WHEN turns.reason = 'no_reply' THEN 1 ELSE 0 END),
        COALESCE(SUM(CASE WHEN turns.state = 'answered' THEN (
            SELECT COUNT(*) FROM outbox WHERE outbox.turn_id = turns.id AND outbox.state = 'sent'
        ) ELSE 0 END), 0),
        COALESCE(SUM(CASE WHEN turns.state = 'answered' THEN turns.output_tokens ELSE 0 END), 0)
    FROM turns
    WHERE turns.bot_id IN (SELECT id FROM bots WHERE COALESCE(client, id) = :client) AND turns.variant IS NOT NULL
        AND turns.state <> 'running' AND turns.bot_version >= {{from_version}}
        AND turns.finished_at >= :since AND turns.finished_at < :until
    GROUP BY turns.variant ORDER BY turns.variant
"""  # noqa: S608
COSTS: Final = """
    SELECT turns.variant, CAST(SUM(usage.amount) AS bigint), COUNT(*) - COUNT(usage.amount)
    FROM usage JOIN turns ON turns.id = usage.turn_id
    WHERE usage.client = :client AND usage.month >= :month AND usage.at >= :since AND turns.variant IS NOT NULL
        AND turns.state <> 'running' AND turns.bot_version >= {from_version}
        AND turns.finished_at >= :since AND turns.finished_at < :until
    GROUP BY turns.variant
"""
"""Over the index of the ledger on (client, month, at)."""
SINCE_DECLARED: Final = "COALESCE((SELECT canaries.from_version FROM canaries WHERE canaries.bot_id = turns.bot_id), 0)"
ANY_VERSION: Final = "0"
_COUNTED = ("variant", "turns", "answered", "failed", "handoffs", "unanswered", "messages", "output_tokens")
"""The columns of VARIANTS."""


def canaries(connection: Connection) -> list[CanaryRecord]:
    """What is noted of the canaries of all bots."""
    from runtime.store.database.statement import Statement  # it imports SQLAlchemy

    return [CanaryRecord(*row) for row in Statement(CANARIES).rows(connection)]


def variants(connection: Connection, client: str, since: str, until: str, *, of_this: bool) -> list[VariantRecord]:
    """What a client's variants did in turns that ended from `since` on and before `until`, text of `timestamp`.
    `of_this`: only of the canary that is declared now."""
    from runtime.store.database.statement import Statement

    rows, costs = variant_queries(of_this=of_this)
    of = {"client": client, "since": since, "until": until}
    counted = Statement(rows).rows(connection, **of)
    return variants_of(counted, Statement(costs).rows(connection, **of, month=since[:7]) if counted else ())


def variant_queries(*, of_this: bool) -> tuple[str, str]:
    """The queries whose rows `variants_of` takes, with the parameters `client`, `since`, `until`; the second one also
    with `month`, that of `since`."""
    version = SINCE_DECLARED if of_this else ANY_VERSION
    return VARIANTS.format(from_version=version), COSTS.format(from_version=version)


def variants_of(rows: Iterable[tuple[Any, ...]], costs: Iterable[tuple[Any, ...]]) -> list[VariantRecord]:
    """The records of these rows."""
    amounts = {variant: None if unpriced else int(amount) for variant, amount, unpriced in costs}
    return [
        VariantRecord(**dict(zip(_COUNTED, row, strict=True)), nano_usd=amounts.get(row[0], 0))
        for row in ((variant, *map(int, counts)) for variant, *counts in rows)
    ]
