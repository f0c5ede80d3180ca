"""Reads the history: applies, the lease, changes made by hand, notices. Light and read-only like `snapshot`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from runtime.store.activity_records import LOOP_PAUSE_SECONDS, ActivityRecord, ReplyCounts, SpentRecord, UsageRecord
from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import columns, from_document, from_rows, read_rows
from runtime.store.database.times import timestamp
from runtime.store.database.url import is_api
from runtime.store.encryption.keyring import shown
from runtime.store.history_records import EditRecord, Lease, NoticeRecord, RunRecord
from runtime.store.messages.thrift import REPLY_COUNTS

RUNS, LEASE, EDITS, NOTICES = "/reconcile/runs", "/reconcile/lease", "/reconcile/edits", "/reconcile/notices"
ACTIVITY, REPLIES, USAGE = "/reconcile/activity", "/reconcile/replies", "/reconcile/usage"
SPENT = "/reconcile/spent"
USAGE_DAYS = 30

CHANGE_KEYS = frozenset({"client", "kind", "action", "outcome"})
"""The keys of every change of a run."""

LATEST_EDITS = """
    SELECT kind, object_id, action, actor, at, overridden, fields FROM audit
    WHERE id IN (SELECT MAX(id) FROM audit WHERE overridden IS NOT NULL GROUP BY kind, object_id)
    ORDER BY kind, object_id
"""

LATEST_ACTIVITY = """
    WITH RECURSIVE heard (bot_id) AS (
        SELECT MIN(bot_id) FROM inbox
        UNION ALL
        SELECT (SELECT MIN(bot_id) FROM inbox WHERE inbox.bot_id > heard.bot_id) FROM heard
        WHERE heard.bot_id IS NOT NULL
    )
    SELECT heard.bot_id, (SELECT MAX(received_at) FROM inbox WHERE inbox.bot_id = heard.bot_id),
        turns.state, turns.error,
        (SELECT MIN(error_code) FROM outbox WHERE outbox.turn_id = turns.id AND error_code IS NOT NULL),
        (
            SELECT CASE
                WHEN COUNT(*) = 0 THEN NULL
                WHEN SUM(CASE WHEN state = 'failed' OR error_code IS NOT NULL THEN 1 ELSE 0 END) > 0 THEN 'undelivered'
                WHEN SUM(CASE WHEN status IN ('delivered', 'read') THEN 0 ELSE 1 END) = 0 THEN 'delivered'
                ELSE 'sent'
            END
            FROM outbox WHERE outbox.turn_id = turns.id AND outbox.state <> 'replaced'
        )
    FROM heard
    LEFT JOIN turns ON turns.id = (
        SELECT turn_id FROM inbox WHERE inbox.bot_id = heard.bot_id AND turn_id IS NOT NULL
        ORDER BY received_at DESC, id DESC LIMIT 1
    )
    WHERE heard.bot_id IS NOT NULL
    ORDER BY heard.bot_id
"""
"""From bot to bot along the index on (bot_id, received_at), not over all messages: neither database does a skip scan by
itself."""


UNDELIVERED_HOURS = 24
UNDELIVERED = """
    SELECT bot_id, error_code, COUNT(*) FROM outbox
    WHERE error_code IS NOT NULL AND bot_id IS NOT NULL AND created_at > '{since}'
    GROUP BY bot_id, error_code ORDER BY bot_id, error_code
"""
"""`since`: text of `timestamp`, which needs no escaping. Over the partial index of such messages."""
LOOPS = "SELECT bot_id, COUNT(*), MAX(loop_since) FROM conversations WHERE loop_since > '{since}' GROUP BY bot_id"
"""Likewise over the partial index of loops."""
OPEN_REQUESTS = (
    "SELECT bots.id, COUNT(*), MIN(due_at) FROM privacy_requests"
    " JOIN bots ON COALESCE(bots.client, bots.id) = privacy_requests.client WHERE answered_at IS NULL GROUP BY bots.id"
)
BLOCKED = "SELECT bot_id, COUNT(*) FROM conversations WHERE blocked_at IS NOT NULL GROUP BY bot_id"
"""Both over partial indexes."""
UNFINISHED = (
    "SELECT bots.id, COUNT(*) FROM timers"
    " JOIN bots ON timers.payload LIKE '%%\"' || COALESCE(bots.client, bots.id) || '\"%%'"
    " WHERE timers.kind = 'erasure' GROUP BY bots.id"
)
"""Erasures that are continued, which name the clients (`runtime.store.messages.unfinished_erasures`)."""
SPENT_OF_MONTH = """
    SELECT client, month, SUM(amount), COUNT(*) - COUNT(amount) FROM usage
    WHERE month = '{month}' AND client IN (SELECT COALESCE(client, id) FROM bots WHERE policy LIKE '%%"budget"%%')
    GROUP BY client, month ORDER BY client
"""
"""`month`: digits and a hyphen. From the index of the ledger alone. A `%` is written twice, as psycopg
reads it where there are parameters; to LIKE it is the same."""


USAGE_OF_CLIENT = """
    SELECT usage.client, usage.kind, usage_prices.model, CAST(SUM(usage.quantity) AS bigint),
        CAST(SUM(usage.amount) AS bigint), COUNT(DISTINCT usage.turn_id)
    FROM usage JOIN usage_prices ON usage_prices.id = usage.price_id
    WHERE usage.client = :client AND usage.month >= :month AND usage.at >= :since
        AND usage_prices.model IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
"""Over the index on (client, month, at)."""


def read_runs(url: str, token: str | None, limit: int = 20, timeout: float = 10) -> Sequence[RunRecord]:
    """The newest applies, newest first; none when there is no store yet."""
    if is_api(url):
        return [from_document(RunRecord, run) for run in _call(url, token, timeout, RUNS, limit=limit)]

    def read(run: Run) -> Sequence[RunRecord]:
        names = ", ".join(columns(RunRecord))
        query = f"SELECT {names} FROM runs ORDER BY number DESC LIMIT {int(limit)}"  # noqa: S608 - our own names and a number
        return runs_of(run(query))

    return read_tables(url, timeout, read, ())


def runs_of(rows: Iterable[tuple[Any, ...]]) -> list[RunRecord]:
    """Runs from rows in the order of `columns(RunRecord)`. Damaged changes of one are None, the others are complete."""
    return [_run_of(row) for row in rows]


def _run_of(row: tuple[Any, ...]) -> RunRecord:
    records, _ = read_rows(RunRecord, [row])
    if not records:
        return from_document(RunRecord, {**dict(zip(columns(RunRecord), row, strict=True)), "changes": None})
    [run] = records
    is_whole = all(isinstance(change, dict) and change.keys() >= CHANGE_KEYS for change in run.changes or ())
    return run if is_whole else replace(run, changes=None)


def read_lease(url: str, token: str | None, timeout: float = 10) -> Lease | None:
    """The current lease, also when it has expired; None when there is none."""
    if is_api(url):
        from runtime.store.client.http import StoreApiError

        try:
            return from_document(Lease, _call(url, token, timeout, LEASE))
        except StoreApiError as error:
            if error.status == 404:
                return None
            raise

    def read(run: Run) -> Lease | None:
        found = list(run("SELECT owner, acquired_at, expires_at FROM leases WHERE name = 'apply'"))
        return Lease(*found[0]) if found else None

    return read_tables(url, timeout, read, None)


def read_edits(url: str, token: str | None, timeout: float = 10) -> Sequence[EditRecord]:
    """The last change by hand of every object that a manifest declares, as far as the API was used for it."""
    if is_api(url):
        return [from_document(EditRecord, edit) for edit in _call(url, token, timeout, EDITS)]

    def read(run: Run) -> Sequence[EditRecord]:
        return from_rows(EditRecord, run(LATEST_EDITS))

    return read_tables(url, timeout, read, ())


def read_activity(url: str, token: str | None, timeout: float = 10) -> Sequence[ActivityRecord]:
    """When each bot last received a message, the result of its last turn, and what reached no phone; without bots that
    never received one."""
    if is_api(url):
        return [from_document(ActivityRecord, item) for item in _call(url, token, timeout, ACTIVITY)]

    def read(run: Run) -> Sequence[ActivityRecord]:
        return activity_of(
            run(LATEST_ACTIVITY),
            run(undelivered_query()),
            run(loops_query()),
            run(OPEN_REQUESTS),
            run(BLOCKED),
            run(UNFINISHED),
        )

    return read_tables(url, timeout, read, ())


def read_reply_counts(
    url: str, token: str | None, client: str, since: str, until: str, timeout: float = 10
) -> ReplyCounts | None:
    """What a client's answers took between two timestamps, and what was saved; None where a runtime of an earlier
    release does not say."""
    period = {"since": since, "until": until}
    if is_api(url):
        from runtime.store.client.http import segment

        found = call_newer(url, token, timeout, f"{REPLIES}/{segment(client)}", **period)
        return from_document(ReplyCounts, found) if found else None

    def read(run: Run) -> ReplyCounts:
        [row] = run(REPLY_COUNTS, {"client": client, **period})
        return ReplyCounts(*row)

    return read_tables(url, timeout, read, ReplyCounts(0, 0, 0, 0))


def read_usage(url: str, token: str | None, clients: Sequence[str], timeout: float = 10) -> Sequence[UsageRecord]:
    """What the answers of these clients used in the last USAGE_DAYS, by kind and model."""
    if is_api(url):
        return [
            from_document(UsageRecord, item)
            for client in clients
            for item in _call(url, token, timeout, USAGE, client=client)
        ]

    def read(run: Run) -> Sequence[UsageRecord]:
        return [
            record for client in clients for record in from_rows(UsageRecord, run(USAGE_OF_CLIENT, usage_of(client)))
        ]

    return read_tables(url, timeout, read, ())


def read_spent(url: str, token: str | None, timeout: float = 10) -> Sequence[SpentRecord]:
    """What clients with a budget have spent this month; without those that have used nothing."""
    if is_api(url):
        return [from_document(SpentRecord, item) for item in _call(url, token, timeout, SPENT)]

    def read(run: Run) -> Sequence[SpentRecord]:
        return spent_of(run(spent_query()))

    return read_tables(url, timeout, read, ())


def usage_of(client: str) -> dict[str, str]:
    """The parameters of USAGE_OF_CLIENT: what a client's answers used in the last USAGE_DAYS."""
    since = timestamp(time.time() - USAGE_DAYS * 86400)
    return {"client": client, "month": since[:7], "since": since}


def spent_query() -> str:
    """The query of what clients with a budget have spent this month."""
    return SPENT_OF_MONTH.format(month=timestamp()[:7])


def spent_of(rows: Iterable[tuple[Any, ...]]) -> list[SpentRecord]:
    """Rows of `spent_query` as records. PostgreSQL sums to a decimal number."""
    return [SpentRecord(client, month, int(amount or 0), unknown) for client, month, amount, unknown in rows]


def undelivered_query() -> str:
    """The query of what reached no phone in the last hours."""
    return UNDELIVERED.format(since=timestamp(time.time() - UNDELIVERED_HOURS * 3600))


def loops_query() -> str:
    """The query of conversations that are paused as loops between programs."""
    return LOOPS.format(since=timestamp(time.time() - LOOP_PAUSE_SECONDS))


def activity_of(
    latest: Iterable[tuple[Any, ...]],
    undelivered: Iterable[tuple[Any, ...]],
    loops: Iterable[tuple[Any, ...]],
    requests: Iterable[tuple[Any, ...]],
    blocked: Iterable[tuple[Any, ...]],
    unfinished: Iterable[tuple[Any, ...]],
) -> list[ActivityRecord]:
    """The activity from rows of LATEST_ACTIVITY, of `undelivered_query` and of `loops_query`, of OPEN_REQUESTS, of
    BLOCKED and of UNFINISHED."""
    asked = {bot_id: (count, due_at) for bot_id, count, due_at in requests}
    without, erasures = dict(blocked), dict(unfinished)
    paused = {bot_id: (count, since) for bot_id, count, since in loops}
    codes: dict[str, dict[str, int]] = {}
    for bot_id, code, count in undelivered:
        codes.setdefault(bot_id, {})[code] = count
    return [
        ActivityRecord(
            bot_id,
            heard,
            turn,
            shown(error),
            last_undelivered,
            codes.get(bot_id, {}),
            *paused.get(bot_id, (0, None)),
            last_delivery=last_delivery,
            requests=asked.get(bot_id, (0, None))[0],
            request_due_at=asked.get(bot_id, (0, None))[1],
            blocked=without.get(bot_id, 0),
            erasures=erasures.get(bot_id, 0),
        )
        for bot_id, heard, turn, error, last_undelivered, last_delivery in latest
    ]


def read_notices(url: str, token: str | None, timeout: float = 10) -> Sequence[NoticeRecord]:
    """Which findings of drift were sent, to which channels."""
    if is_api(url):
        return [from_document(NoticeRecord, notice) for notice in _call(url, token, timeout, NOTICES)]

    def read(run: Run) -> Sequence[NoticeRecord]:
        return from_rows(NoticeRecord, run("SELECT channel, finding, fingerprint, notified_at FROM notices"))

    return read_tables(url, timeout, read, ())


def _call(url: str, token: str | None, timeout: float, path: str, **query: str | int) -> Any:
    from runtime.store.client.http import HttpStore

    with HttpStore(url, token, timeout) as api:
        return api.call("GET", path, **query)


def call_newer(url: str, token: str | None, timeout: float, path: str, **query: str | int) -> Any:
    """As `_call`, of what an earlier release does not have: an empty list there."""
    from runtime.store.client.http import StoreApiError

    try:
        return _call(url, token, timeout, path, **query)
    except StoreApiError as error:
        if error.status == 404:
            return []
        raise
