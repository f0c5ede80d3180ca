"""Timers: work that is due at a time, done once, by any process that serves the store. Functions over a connection.

    put ──► waits ──due──► held by a process ──► ended: the row is deleted, or is due again later
              ▲                │        │
              │           it fails   its process crashes
              └── after a pause ┴── after HOLD_SECONDS ┘

A timer is identified by its kind and key, so putting it again moves it. While a process runs one it renews its hold;
after an expired hold any process may take it over. `version` counts the puts: a timer that is put again while it runs
is not ended by that run. Times are the store's: of PostgreSQL's clock, or of this machine's for SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import later, timestamp

HOLD_SECONDS = 6.0
"""A process that has not renewed its hold for this many seconds counts as crashed."""
LONGEST_PAUSE_SECONDS = 300.0
"""Longest pause after a failure, or after a process crashed with the timer."""
FREE_CRASHES = 2
"""Number of crashes after which a timer is run again at once by the only process; after further ones there is a
pause."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that this process holds."""

    kind: str
    key: str
    payload: Mapping[str, Any]
    due_at: str
    attempt: int
    """1 when it is run for the first time."""
    version: int
    holder: str
    """The process that holds it."""


@dataclass(frozen=True, slots=True)
class DueTimers:
    """The result of polling the timers."""

    now: str
    """The store's time."""
    are_any: bool
    """Whether one is due now."""
    following: str | None
    """When the next one will be due; None when none waits."""


@dataclass(frozen=True, slots=True)
class WaitingTimers:
    """Timers of a kind, for the metrics."""

    kind: str
    waiting: int
    late_seconds: float
    """For how many seconds the oldest of those that no process runs has been due; 0 when there is none."""
    failing: int
    """Number of those whose last run failed."""


class TimerTakenOver(Exception):
    """A timer no longer belongs to this run: it was put again or cancelled, or another process has taken it over."""


NOW = Statement("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
PUT = Statement(
    "INSERT INTO timers (kind, key, due_at, put_at, payload, attempts, version)"
    " VALUES (:kind, :key, :due_at, :now, :payload, 0, 1)"
    " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, put_at = excluded.put_at,"
    " payload = excluded.payload, attempts = 0, last_error = NULL, version = timers.version + 1,"
    " held_until = CASE WHEN timers.holder IS NULL THEN NULL ELSE timers.held_until END"
)
CANCEL = Statement("DELETE FROM timers WHERE kind = :kind AND key = :key")
PAYLOAD = Statement("SELECT payload FROM timers WHERE kind = :kind AND key = :key")


def _for_kinds(sql: str) -> Mapping[str, Statement]:
    """The statement for each database; `{ready}` are the timers of some kinds that may be run."""
    ready = (
        "due_at <= :now AND (held_until IS NULL OR held_until <= :now AND (holder IS NULL OR :may_take_over)) AND kind "
    )
    return {
        "sqlite": Statement(sql.format(ready=ready + "IN (SELECT value FROM json_each(:kinds))", lock="")),  # noqa: S608
        "postgresql": Statement(sql.format(ready=ready + "= ANY(:kinds)", lock=" FOR UPDATE SKIP LOCKED")),
    }


ANY_READY = _for_kinds("SELECT 1 FROM timers WHERE {ready} LIMIT 1")
FOLLOWING = Statement("SELECT min(due_at) FROM timers WHERE due_at > :now")
READY = _for_kinds(
    "SELECT kind, key, payload, due_at, attempts, version FROM timers WHERE {ready}"
    " ORDER BY due_at, kind, key LIMIT :limit{lock}"
)
HOLD = Statement(
    "UPDATE timers SET holder = :holder, held_until = :held_until, attempts = attempts + 1"
    " WHERE kind = :kind AND key = :key"
)

_MINE = " WHERE kind = :kind AND key = :key AND holder = :holder"
_SAME = f"{_MINE} AND version = :version"
END = Statement(f"DELETE FROM timers{_SAME}")  # noqa: S608 - constant texts, as in all of these
REARM = Statement(
    "UPDATE timers SET due_at = :due_at, put_at = :now, payload = :payload, attempts = 0, last_error = NULL,"  # noqa: S608
    f" version = version + 1, holder = NULL, held_until = NULL{_SAME}"
)
FAIL = Statement(f"UPDATE timers SET holder = NULL, held_until = :held_until, last_error = :error{_SAME}")  # noqa: S608
RENEW = Statement(f"UPDATE timers SET held_until = :held_until{_MINE} AND held_until < :held_until")  # noqa: S608
RELEASE = Statement(f"UPDATE timers SET holder = NULL, held_until = NULL{_MINE}")  # noqa: S608
RELEASE_ALL = Statement(
    "UPDATE timers SET holder = NULL, held_until = NULL, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END"
    " WHERE holder = :holder"
)
RELEASE_CRASHED = Statement(
    "UPDATE timers SET holder = NULL, held_until = CASE WHEN attempts > :free_crashes THEN held_until ELSE NULL END"
    " WHERE holder IS NOT NULL"
)
AHEAD = Statement(
    "SELECT kind, key, due_at, put_at, held_until FROM timers WHERE put_at > :now OR held_until > :latest"
)
MOVE = Statement(
    "UPDATE timers SET due_at = :due_at, put_at = :put_at, held_until = :held_until"
    " WHERE kind = :kind AND key = :key AND put_at = :old_put_at"
)
WAITING = Statement(
    "SELECT kind, count(*), min(CASE WHEN holder IS NOT NULL AND held_until > :now THEN NULL ELSE due_at END),"
    " sum(CASE WHEN last_error IS NULL THEN 0 ELSE 1 END)"
    " FROM (SELECT kind, due_at, holder, held_until, last_error FROM timers ORDER BY due_at LIMIT :limit) AS oldest"
    " GROUP BY kind ORDER BY kind"
)


def store_time(connection: Connection) -> str:
    """Now, by the store's clock: replicas have their own clocks, and a hold must expire at the same time for all."""
    return timestamp() if connection.dialect.name == "sqlite" else str(NOW.one(connection)[0])


def put(connection: Connection, kind: str, key: str, due_at: datetime, payload: Mapping[str, Any]) -> None:
    """Schedules a timer; one of the kind that waits under that key is moved to the new time. If it is running, it is
    run again afterwards. Raises ValueError for a time without a zone."""
    if due_at.tzinfo is None:
        raise ValueError(f"when the timer {kind} {key!r} is due has no time zone: {due_at}")
    PUT.run(
        connection,
        kind=kind,
        key=key,
        due_at=timestamp(due_at.timestamp()),
        now=store_time(connection),
        payload=dump_json(dict(payload)),
    )


def put_again(connection: Connection, kind: str, key: str, due_at: datetime, changes: Mapping[str, Any]) -> None:
    """As `put`, with the earlier payload, where there is such a timer, and these changes to it."""
    put(connection, kind, key, due_at, {**(payload_of(connection, kind, key) or {}), **changes})


def cancel(connection: Connection, kind: str, key: str) -> bool:
    """Cancels a waiting timer; False when there is none. A run that has begun is not interrupted."""
    return CANCEL.run(connection, kind=kind, key=key) > 0


def payload_of(connection: Connection, kind: str, key: str) -> Mapping[str, Any] | None:
    """The payload of a timer; None when there is no such timer."""
    row = PAYLOAD.first(connection, kind=kind, key=key)
    return None if row is None else json.loads(row[0])


def look(connection: Connection, kinds: Collection[str], *, may_take_over: bool) -> DueTimers:
    """Whether a timer of these kinds is due, and when the next one will be."""
    now = store_time(connection)
    dialect = connection.dialect.name
    found = ANY_READY[dialect].first(connection, now=now, may_take_over=may_take_over, kinds=_listed(dialect, kinds))
    return DueTimers(now, found is not None, FOLLOWING.one(connection, now=now)[0])


def claim(
    connection: Connection, kinds: Collection[str], holder: str, limit: int, *, may_take_over: bool
) -> list[Timer]:
    """Claims due timers, the oldest first; without `may_take_over` none that another process held."""
    now, dialect = store_time(connection), connection.dialect.name
    ready = READY[dialect].rows(
        connection, now=now, may_take_over=may_take_over, kinds=_listed(dialect, kinds), limit=limit
    )
    for kind, key, _, _, attempts, _ in ready:
        # A timer that crashes its process waits longer each time, also when its hold is never renewed.
        held_until = later(now, max(HOLD_SECONDS, min(2.0 ** min(attempts, 16), LONGEST_PAUSE_SECONDS)))
        HOLD.run(connection, kind=kind, key=key, holder=holder, held_until=held_until)
    return [
        Timer(kind, key, json.loads(payload), due_at, attempts + 1, version, holder)
        for kind, key, payload, due_at, attempts, version in ready
    ]


def renew(connection: Connection, running: Collection[Timer]) -> None:
    """Renews a process's holds."""
    held_until = later(store_time(connection), HOLD_SECONDS)
    for timer in running:
        RENEW.run(connection, kind=timer.kind, key=timer.key, holder=timer.holder, held_until=held_until)


def finish(connection: Connection, timer: Timer) -> None:
    """Ends a timer in the transaction that has its effect: both or neither, also across a crash.

    Raises `TimerTakenOver`, which rolls the effect back, when it no longer belongs to this run.
    """
    if not END.run(connection, **_run(timer)):
        raise TimerTakenOver(f"the timer {timer.kind} {timer.key!r} was put again, cancelled or taken over")


def end(connection: Connection, timer: Timer) -> None:
    """Ends a run; a timer that was put again meanwhile keeps waiting."""
    if not END.run(connection, **_run(timer)):
        RELEASE.run(connection, kind=timer.kind, key=timer.key, holder=timer.holder)


def rearm(connection: Connection, timer: Timer, seconds: float, payload: Mapping[str, Any]) -> None:
    """Ends a run and schedules the next one after `seconds`, unless it was put again meanwhile."""
    now, payload_text = store_time(connection), dump_json(dict(payload))
    if not REARM.run(connection, **_run(timer), due_at=later(now, seconds), now=now, payload=payload_text):
        RELEASE.run(connection, kind=timer.kind, key=timer.key, holder=timer.holder)


def fail(connection: Connection, timer: Timer, error: str, pause_seconds: float) -> None:
    """Ends a failed run: it is run again after a pause."""
    held_until = later(store_time(connection), pause_seconds)
    if not FAIL.run(connection, **_run(timer), held_until=held_until, error=error):
        RELEASE.run(connection, kind=timer.kind, key=timer.key, holder=timer.holder)


def release_all(connection: Connection, holder: str) -> int:
    """Releases the timers of a stopping process: they are due at once, and its attempt is not counted."""
    return RELEASE_ALL.run(connection, holder=holder)


def release_crashed(connection: Connection) -> int:
    """Releases the timers of an earlier process, where only one process serves the store. Otherwise holds expire."""
    return RELEASE_CRASHED.run(connection, free_crashes=FREE_CRASHES) if connection.dialect.name == "sqlite" else 0


def clamp(connection: Connection) -> int:
    """Moves timers that were put at a time in the future, since the clock was set back: each waits as long as it had to
    when it was put, without the size of the step. Returns how many."""
    now = store_time(connection)
    ahead = AHEAD.rows(connection, now=now, latest=later(now, 2 * LONGEST_PAUSE_SECONDS))
    soon = later(now, HOLD_SECONDS)
    for kind, key, due_at, put_at, held_until in ahead:
        wait = (datetime.fromisoformat(due_at) - datetime.fromisoformat(put_at)).total_seconds()
        is_ahead = put_at > now
        MOVE.run(
            connection,
            kind=kind,
            key=key,
            old_put_at=put_at,
            due_at=later(now, wait) if is_ahead else due_at,
            put_at=now if is_ahead else put_at,
            held_until=min(held_until, soon) if held_until is not None else None,
        )
    return len(ahead)


def waiting_timers(connection: Connection, limit: int) -> list[WaitingTimers]:
    """Waiting timers by kind, over the oldest ones up to a limit."""
    now = store_time(connection)
    return [
        WaitingTimers(kind, waiting, max(_seconds(oldest, now), 0.0) if oldest is not None else 0.0, int(failing))
        for kind, waiting, oldest, failing in WAITING.rows(connection, now=now, limit=limit)
    ]


def _run(timer: Timer) -> dict[str, object]:
    return {"kind": timer.kind, "key": timer.key, "holder": timer.holder, "version": timer.version}


def _listed(dialect: str, kinds: Collection[str]) -> str | Sequence[str]:
    """Kinds as a list parameter of the database."""
    return dump_json(sorted(kinds)) if dialect == "sqlite" else sorted(kinds)


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
