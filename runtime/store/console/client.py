"""What a client's page reads beside its row of the fleet, by indexes only. Functions over a connection.

bots, applied          ──► what is declared, as it was applied, by kind in the order of applying
reconcile_reports      ──► what plan, drift, doctor, tests and checklist last found
runs                   ──► the newest applies that changed it, among the last LOOKED_RUNS
retention_runs         ──► what was deleted last
budget_warnings        ──► which warnings of the month were sent
canaries, turns        ──► how the canary compares, over the newest turns of each variant
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import reconcile_reports
from runtime.store.activity_records import RetentionRecord
from runtime.store.audit import Actor, Entry, record
from runtime.store.catalog import get
from runtime.store.client.history import runs_of
from runtime.store.client.retention import LAST, last_of
from runtime.store.codec import columns
from runtime.store.console import fleet
from runtime.store.console.fleet import FleetRow, MonthOfClient
from runtime.store.database.statement import Statement
from runtime.store.history_records import RunRecord
from runtime.store.reconcile_reports import ReportOfClient
from runtime.store.records import BotRecord
from runtime.store.variants import FAILED
from schemas.canary import digest_of
from schemas.policy_document import PolicyDocument, read_document
from schemas.reconcile_reports import ReportKind

LOOKED_RUNS: Final = 100
"""The newest applies, among which those of a client are looked for."""
SHOWN_RUNS: Final = 8
COMPARED_TURNS: Final = 1_000
"""The newest turns of each variant that are compared."""

BOT_ID = Statement("SELECT id FROM bots WHERE coalesce(client, id) = :client")
APPLIED = Statement('SELECT kind, live_id, applied_at, "values" FROM applied WHERE client = :client')
RUNS = Statement(
    f"SELECT {', '.join(columns(RunRecord))} FROM runs"  # noqa: S608 - our own names
    " WHERE number > (SELECT coalesce(max(number), 0) FROM runs) - :looked AND changes LIKE :of_client"
    " ORDER BY number DESC LIMIT :limit"
)
LAST_RETENTION = Statement(LAST)
WARNINGS = Statement(
    "SELECT percent, min(at) FROM budget_warnings WHERE client = :client AND month = :month"
    " GROUP BY percent ORDER BY percent"
)
CANARY = Statement("SELECT canary, since, stopped_at, from_version FROM canaries WHERE bot_id = :bot_id")
VARIANT = Statement(
    f"SELECT count(*), sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END),"  # noqa: S608 - constant texts
    " sum(CASE WHEN reason = 'handoff' THEN 1 ELSE 0 END), sum(CASE WHEN reason = 'no_reply' THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state = 'answered' THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state = 'answered' THEN coalesce(output_tokens, 0) ELSE 0 END) FROM"
    " (SELECT state, reason, output_tokens FROM turns WHERE bot_id = :bot_id AND variant = :variant"
    " AND bot_version >= :from_version AND state <> 'running' ORDER BY id DESC LIMIT :most) AS turns"
)


@dataclass(frozen=True, slots=True)
class AppliedResource:
    """A live object of a client as the last apply of it wrote it."""

    kind: str
    live_id: str
    applied_at: str
    values: Mapping[str, Any] | None
    """None: the row is damaged."""


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """What the newest turns of a variant came to."""

    turns: int
    failed: int
    handoffs: int
    unanswered: int
    answered: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """A declared canary, and how it and the assistant compare since."""

    percent: int
    until: str
    since: str | None
    """None: a program that does not know canaries wrote the bot's row."""
    stopped_at: str | None
    canary: VariantFigures
    stable: VariantFigures


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """All of it."""

    row: FleetRow
    month: MonthOfClient
    bot: BotRecord
    policy: PolicyDocument
    applied: Mapping[str, AppliedResource]
    """By kind."""
    reports: Mapping[ReportKind, ReportOfClient]
    runs: Sequence[RunRecord]
    """The newest first, with this client's changes only."""
    retention: RetentionRecord | None
    warnings: Sequence[tuple[int, str]]
    """Percent of the budget, and when the warning of it was sent first."""
    canary: CanaryFacts | None


def facts_of(connection: Connection, client: str, today: date) -> ClientFacts | None:
    """What there is of a client; None for one without a bot. `today`: in UTC."""
    found = fleet.rows(connection, [client])
    bot = get(connection, BotRecord, found[0].bot_id) if found else None
    if bot is None:
        return None
    row = found[0]
    return ClientFacts(
        row=row,
        month=fleet.months(connection, [row], today)[row.bot_id],
        bot=bot,
        policy=read_document(bot.policy).policy,
        applied={one.kind: one for one in _applied(connection, client)},
        reports=reconcile_reports.of_client(connection, client),
        runs=runs_with(connection, client, SHOWN_RUNS),
        retention=last_of(LAST_RETENTION.rows(connection, client=client)),
        warnings=[(int(percent), at) for percent, at in _warnings(connection, client, today)],
        canary=_canary(connection, bot),
    )


def read_by(connection: Connection, actor: Actor, client: str, today: date) -> ClientFacts | None:
    """As `facts_of`, with an entry in the audit."""
    found = facts_of(connection, client, today)
    if found is not None:
        record(connection, actor, Entry("read", "client", client, client))
    return found


def runs_with(connection: Connection, client: str, limit: int) -> list[RunRecord]:
    """The newest applies that changed a client, the newest first."""
    of_client = f'%"client":{json.dumps(client)}%'
    return runs_of(RUNS.rows(connection, looked=LOOKED_RUNS, of_client=of_client, limit=limit))


def _applied(connection: Connection, client: str) -> list[AppliedResource]:
    return [
        AppliedResource(kind, live_id, applied_at, _object(text))
        for kind, live_id, applied_at, text in APPLIED.rows(connection, client=client)
    ]


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _warnings(connection: Connection, client: str, today: date) -> list[tuple[Any, ...]]:
    return WARNINGS.rows(connection, client=client, month=f"{today:%Y-%m}")


def _canary(connection: Connection, bot: BotRecord) -> CanaryFacts | None:
    declared = bot.policy.get("canary")
    if not isinstance(declared, Mapping) or not declared:
        return None
    noted = CANARY.first(connection, bot_id=bot.id)
    since, stopped_at, version = noted[1:] if noted and noted[0] == digest_of(declared) else (None, None, 0)
    canary, stable = (
        VariantFigures(
            *(
                int(count or 0)
                for count in VARIANT.one(
                    connection, bot_id=bot.id, variant=variant, from_version=version, most=COMPARED_TURNS
                )
            )
        )
        for variant in ("canary", "stable")
    )
    percent = declared.get("percent")
    return CanaryFacts(
        percent if isinstance(percent, int) else 0, str(declared.get("until", "")), since, stopped_at, canary, stable
    )
