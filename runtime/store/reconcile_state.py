"""The reconciler's records: last applied values, the lease, the history of runs, notices.

Functions over a connection.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runtime.store.client.history import (
    LATEST_ACTIVITY,
    LATEST_EDITS,
    activity_of,
    loops_query,
    runs_of,
    undelivered_query,
)
from runtime.store.codec import columns, from_rows, to_row
from runtime.store.database.times import timestamp
from runtime.store.errors import LeaseHeld, LeaseLost, StoreError
from runtime.store.records import ActivityRecord, AppliedRecord, EditRecord, Lease, NoticeRecord, RunRecord
from runtime.store.tables import applied, leases, notices, runs

APPLY_LEASE = "apply"
"""The name of the only lease: of applying."""


def list_applied(
    connection: Connection, limit: int | None = None, after: tuple[str, str] | None = None
) -> list[AppliedRecord]:
    """Applied values by client and kind; `after` is the last (client, kind) of the previous page."""
    query = select(*(applied.c[name] for name in columns(AppliedRecord))).order_by(applied.c.client, applied.c.kind)
    if after is not None:
        client, kind = after
        query = query.where(or_(applied.c.client > client, and_(applied.c.client == client, applied.c.kind > kind)))
    return from_rows(AppliedRecord, (tuple(row) for row in connection.execute(query.limit(limit))))


def record_applied(connection: Connection, record: AppliedRecord) -> None:
    """Stores the values last applied to a client's resource, in place of earlier ones."""
    row = to_row(record)
    row["applied_at"] = record.applied_at or timestamp()
    statement = _insert(connection, applied).values(row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["client", "kind"],
            set_={name: statement.excluded[name] for name in ("live_id", "values", "applied_at")},
        )
    )


def forget_applied(connection: Connection, client: str, kind: str) -> None:
    """Deletes the applied values of a client's resource; ones that do not exist are ignored."""
    connection.execute(delete(applied).where(applied.c.client == client, applied.c.kind == kind))


def acquire_lease(connection: Connection, owner: str, ttl_seconds: float) -> Lease:
    """Acquires the lease when it is free, expired or already the owner's; raises LeaseHeld otherwise."""
    now = time.time()
    statement = _insert(connection, leases).values(
        name=APPLY_LEASE, owner=owner, acquired_at=timestamp(now), expires_at=timestamp(now + ttl_seconds)
    )
    # One statement decides, so that two concurrent callers cannot both find it free.
    taken = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={name: statement.excluded[name] for name in ("owner", "acquired_at", "expires_at")},
            where=or_(leases.c.owner == owner, leases.c.expires_at <= timestamp(now)),
        ).returning(leases.c.owner, leases.c.acquired_at, leases.c.expires_at)
    ).first()
    if taken is not None:
        return Lease(*taken)
    holder = current_lease(connection)
    if holder is None:
        raise StoreError("The lease changed its owner meanwhile; try again.")
    raise LeaseHeld(holder)


def renew_lease(connection: Connection, owner: str, ttl_seconds: float) -> Lease:
    """Renews our lease; raises LeaseHeld when another owner holds it now, LeaseLost when it was released."""
    renewed = connection.execute(
        update(leases)
        .where(leases.c.name == APPLY_LEASE, leases.c.owner == owner)
        .values(expires_at=timestamp(time.time() + ttl_seconds))
        .returning(leases.c.owner, leases.c.acquired_at, leases.c.expires_at)
    ).first()
    if renewed is not None:
        return Lease(*renewed)
    holder = current_lease(connection)
    if holder is None:
        raise LeaseLost(owner)
    raise LeaseHeld(holder)


def release_lease(connection: Connection, owner: str, *, force: bool = False) -> None:
    """Releases the lease; another owner's only with `force`. One that does not exist is ignored."""
    statement = delete(leases).where(leases.c.name == APPLY_LEASE)
    connection.execute(statement if force else statement.where(leases.c.owner == owner))


def current_lease(connection: Connection) -> Lease | None:
    """The current lease, also when it has expired."""
    row = connection.execute(
        select(leases.c.owner, leases.c.acquired_at, leases.c.expires_at).where(leases.c.name == APPLY_LEASE)
    ).first()
    return None if row is None else Lease(*row)


def start_run(connection: Connection, record: RunRecord) -> None:
    """Adds a run to the history."""
    connection.execute(insert(runs).values(to_row(record)))


def finish_run(connection: Connection, record: RunRecord) -> None:
    """Records the result of a run."""
    row = to_row(record)
    del row["id"]
    connection.execute(update(runs).where(runs.c.id == record.id).values(row))


def list_runs(connection: Connection, limit: int = 20) -> list[RunRecord]:
    """The newest runs, newest first."""
    query = select(*(runs.c[name] for name in columns(RunRecord))).order_by(runs.c.number.desc())
    return runs_of(tuple(row) for row in connection.execute(query.limit(limit)))


def latest_edits(connection: Connection) -> list[EditRecord]:
    """The last change by hand of every object that a manifest declares."""
    return from_rows(EditRecord, (tuple(row) for row in connection.exec_driver_sql(LATEST_EDITS)))


def latest_activity(connection: Connection) -> list[ActivityRecord]:
    """When each bot last received a message, the result of its last turn, and what reached no phone."""
    latest = [tuple(row) for row in connection.exec_driver_sql(LATEST_ACTIVITY)]
    undelivered = [tuple(row) for row in connection.exec_driver_sql(undelivered_query())]
    return activity_of(latest, undelivered, (tuple(row) for row in connection.exec_driver_sql(loops_query())))


def list_notices(connection: Connection) -> list[NoticeRecord]:
    """Findings that were sent and are not resolved yet, on all channels."""
    query = select(*(notices.c[name] for name in columns(NoticeRecord))).order_by(notices.c.channel, notices.c.finding)
    return from_rows(NoticeRecord, (tuple(row) for row in connection.execute(query)))


def put_notice(connection: Connection, record: NoticeRecord) -> None:
    """Records that a finding was sent to a channel, in place of an earlier notice."""
    statement = _insert(connection, notices).values(to_row(record))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["channel", "finding"],
            set_={name: statement.excluded[name] for name in ("fingerprint", "notified_at")},
        )
    )


def forget_notice(connection: Connection, channel: str, finding: str) -> None:
    """Deletes the notice of a resolved finding; one that does not exist is ignored."""
    connection.execute(delete(notices).where(notices.c.channel == channel, notices.c.finding == finding))


def _insert(connection: Connection, table: object) -> postgresql.Insert:
    """INSERT with ON CONFLICT, which each dialect has its own of."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return make(table)  # type: ignore[arg-type, return-value]
