"""What `reconcile … --report` recorded of its runs, for the console: of each kind the last result of each client, of
the whole fleet, and the newest applies. Functions over a connection."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from schemas.reconcile_reports import FoundOfClient, RecordedReport, ReportKind, read_report

KEPT_APPLIES: Final = 20
"""Applies whose documents are kept."""
KEPT_DAYS: Final = 180
"""A report that is older is deleted when another one is recorded: it describes nothing that there is now."""
FLEET: Final = ""
"""In place of a client: the whole run."""

_PUT: Final = (
    "INSERT INTO reconcile_reports (kind, client, run, at, actor, git_sha, digest, state, found, document)"
    " VALUES (:kind, :client, :run, :at, :actor, :git_sha, :digest, :state, :found, :document)"
    " ON CONFLICT (kind, client, run) DO UPDATE SET at = excluded.at, actor = excluded.actor,"
    " git_sha = excluded.git_sha, digest = excluded.digest, state = excluded.state, found = excluded.found,"
)
# A result that was recorded later stays, however late the other one arrives; the parts of one run have the same time.
PUT = Statement(f"{_PUT} document = excluded.document WHERE reconcile_reports.at < excluded.at")
DROP_APPLIES = Statement(
    "DELETE FROM reconcile_reports WHERE kind = 'apply' AND client = '' AND run NOT IN (SELECT run FROM"
    " reconcile_reports WHERE kind = 'apply' AND client = '' ORDER BY at DESC LIMIT :kept)"
)
DROP_OLD = Statement("DELETE FROM reconcile_reports WHERE at < :before")
OF_CLIENT = Statement(
    "SELECT kind, run, at, actor, git_sha, digest, found FROM reconcile_reports WHERE client = :client"
)
RENAME = Statement("UPDATE reconcile_reports SET client = :client WHERE client = :former")
DROP_CLIENT = Statement("DELETE FROM reconcile_reports WHERE client = :client")
RUNS = Statement(
    "SELECT kind, run, at, actor, git_sha, digest, found, document IS NOT NULL FROM reconcile_reports"
    " WHERE client = '' AND kind IN ('plan', 'apply') ORDER BY at DESC"
)
DOCUMENT = Statement("SELECT document FROM reconcile_reports WHERE client = '' AND kind = :kind AND run = :run")
_PENDING: Final = (
    "SELECT client, kind, run, at, actor, git_sha, digest, found FROM reconcile_reports"
    " WHERE kind = 'plan' AND client {which} AND run = '' AND state <> 'in_sync'"
)
PENDING = Statement(_PENDING.format(which="> ''") + " ORDER BY client LIMIT :limit")
PENDING_OF = Statement(_PENDING.format(which="= :client"))


@dataclass(frozen=True, slots=True)
class RecordedBy:
    """When a result was recorded, by whom, of which commit and plan."""

    kind: ReportKind
    run: str
    """Of an apply of the fleet; "" else."""
    at: str
    actor: str
    git_sha: str | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class ReportOfClient:
    """The last result of one kind of one client."""

    recording: RecordedBy
    found: FoundOfClient | None
    """None: a newer program recorded it, and this one does not understand it."""


@dataclass(frozen=True, slots=True)
class ReportOfFleet:
    """A plan or an apply of the fleet."""

    recording: RecordedBy
    counts: Mapping[str, int]
    has_document: bool


def record(connection: Connection, report: RecordedReport) -> None:
    """Records a run's result, in place of the last one of each client; nothing of a client whose result is newer."""
    run = report.run or ""
    shared = {
        "kind": report.kind,
        "at": report.at,
        "actor": report.actor,
        "git_sha": report.commit,
        "digest": report.digest,
    }
    if report.is_whole_run:
        counts = json.dumps(dict(report.counts))
        PUT.run(connection, **shared, client=FLEET, run=run, state="", found=counts, document=report.document)
    for client, found in report.clients.items():
        of_this = {"client": client, "run": "", "state": found.state, "found": found.model_dump_json()}
        PUT.run(connection, **shared, **of_this, document=None)
    DROP_APPLIES.run(connection, kept=KEPT_APPLIES)
    DROP_OLD.run(connection, before=timestamp(time.time() - KEPT_DAYS * 86_400))


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Gives what is recorded of a client its new id."""
    DROP_CLIENT.run(connection, client=client)
    RENAME.run(connection, former=former, client=client)


def of_client(connection: Connection, client: str) -> dict[ReportKind, ReportOfClient]:
    """The last result of each kind of a client."""
    return {
        kind: ReportOfClient(RecordedBy(kind, *recording), read_report(found))
        for kind, *recording, found in OF_CLIENT.rows(connection, client=client)
    }


def of_fleet(connection: Connection) -> Sequence[ReportOfFleet]:
    """The last plan of the fleet and its newest applies, the newest first."""
    return [
        ReportOfFleet(RecordedBy(kind, *recording), json.loads(counts), bool(has_document))
        for kind, *recording, counts, has_document in RUNS.rows(connection)
    ]


def document(connection: Connection, kind: ReportKind, run: str) -> str | None:
    """A plan of the fleet as HTML; None where none is recorded."""
    row = DOCUMENT.first(connection, kind=kind, run=run)
    return None if row is None else row[0]


def pending(connection: Connection, clients: Sequence[str] | None, limit: int) -> Mapping[str, ReportOfClient]:
    """By client, of these or of all, the last plans in which something is left to do or to look at."""
    if clients is None:
        rows = PENDING.rows(connection, limit=limit)
    else:
        rows = [row for client in sorted(clients) for row in PENDING_OF.rows(connection, client=client)][:limit]
    return {client: ReportOfClient(RecordedBy(*recording), read_report(found)) for client, *recording, found in rows}
