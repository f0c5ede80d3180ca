"""What each run deleted, by client: written in the transactions that delete, so that no count is lost in a crash.
Functions over a connection."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from runtime.store.activity_records import OlderRecord, RetentionRecord
from runtime.store.client.retention import OLDER
from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from schemas.data_policy import Retention

BEGIN = Statement(
    "INSERT INTO retention_runs (client, began_at, retention, deleted, kept)"
    " VALUES (:client, :began_at, :retention, '{}', '{}') ON CONFLICT (client, began_at) DO NOTHING"
)
DROP_EMPTY = Statement("DELETE FROM retention_runs WHERE client = :client AND began_at < :began_at AND deleted = '{}'")
DELETED = Statement("SELECT deleted FROM retention_runs WHERE client = :client AND began_at = :began_at")
SET_DELETED = Statement("UPDATE retention_runs SET deleted = :deleted WHERE client = :client AND began_at = :began_at")
END = Statement(
    "UPDATE retention_runs SET ended_at = :now, kept = :kept WHERE client = :client AND began_at = :began_at"
)
COUNTED = Statement(OLDER)
RUNS = Statement(
    "SELECT client, began_at, ended_at, retention, deleted, kept FROM retention_runs"
    " WHERE (CAST(:client AS text) = '' OR client = :client) ORDER BY began_at DESC, client LIMIT :limit"
)


def begin_all(connection: Connection, began_at: str, retentions: Mapping[str, Retention]) -> None:
    """Records a run of each of these clients."""
    for client, retention in retentions.items():
        begin(connection, client, began_at, retention)


def begin(connection: Connection, client: str, began_at: str, retention: Retention) -> None:
    """Records a run; one that continues after a crash is recorded once. A former one that deleted nothing goes."""
    DROP_EMPTY.run(connection, client=client, began_at=began_at)
    declared = dump_json(retention.model_dump(mode="json", exclude_none=True))
    BEGIN.run(connection, client=client, began_at=began_at, retention=declared)


def add(connection: Connection, client: str, began_at: str, counts: Mapping[str, int]) -> None:
    """Adds what the same transaction has deleted."""
    row = DELETED.first(connection, client=client, began_at=began_at)
    found = {sort: count for sort, count in counts.items() if count}
    if row is None or not found:
        return
    total = Counter(json.loads(row[0])) + Counter(found)
    SET_DELETED.run(connection, client=client, began_at=began_at, deleted=dump_json(dict(sorted(total.items()))))


def end(connection: Connection, began_at: str, kept: Mapping[str, Mapping[str, int]]) -> None:
    """Ends a run. `kept`: by client, how many of what is over and not settled."""
    for client, counts in kept.items():
        END.run(connection, client=client, began_at=began_at, now=timestamp(), kept=dump_json(dict(counts)))


def older(connection: Connection, client: str, before: str) -> OlderRecord:
    """How many of a client's messages are settled and older than a timestamp."""
    return OlderRecord(*COUNTED.one(connection, client=client, before=before))


def list_runs(connection: Connection, client: str = "", limit: int = 20) -> Sequence[RetentionRecord]:
    """The newest runs, of a client or of all."""
    return [
        RetentionRecord(label, began, ended, json.loads(retention), json.loads(deleted), json.loads(kept))
        for label, began, ended, retention, deleted, kept in RUNS.rows(connection, client=client, limit=limit)
    ]


def newest_of_each(connection: Connection, clients: Collection[str]) -> Mapping[str, RetentionRecord]:
    """The newest run of each of these clients."""
    return {client: runs[0] for client in clients if (runs := list_runs(connection, client, 1))}
