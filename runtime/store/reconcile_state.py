"""The reconciler's records: last applied values, the lease, the history of runs, notices.

Functions over a connection.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, and_, delete, or_, select, update
from sqlalchemy.dialects import sqlite

from runtime.store import audit, catalog, reconcile_reports, tokens
from runtime.store.activity_records import ActivityRecord, SpentRecord, UsageRecord
from runtime.store.audit import Actor, Entry
from runtime.store.client.history import (
    BLOCKED,
    LATEST_ACTIVITY,
    LATEST_EDITS,
    OPEN_REQUESTS,
    UNFINISHED,
    USAGE_OF_CLIENT,
    activity_of,
    loops_query,
    runs_of,
    spent_of,
    spent_query,
    undelivered_query,
    usage_of,
)
from runtime.store.codec import columns, from_rows, in_order, to_row
from runtime.store.console import accounts, report_links
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.errors import LeaseHeld, LeaseLost, RunDiffers, StoreError
from runtime.store.history_records import EditRecord, Lease, NoticeRecord, RunRecord
from runtime.store.messages import person_marks, privacy_requests, receipts
from runtime.store.records import ATTEMPTS_OF_SENDER, INSTALLATION, AppliedRecord, DamagedRecord
from runtime.store.tables import applied, leases, notices, runs
from runtime.store.tariffs_record import KIND as TARIFFS

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_ENDED = ("finished_at", "outcome", "changes")
"""The fields of a run that its end sets."""

APPLY_LEASE = "apply"
"""The name of the lease of applying; those of notices are named after them."""


def list_applied(
    connection: Connection, limit: int | None = None, after: tuple[str, str] | None = None
) -> list[AppliedRecord | DamagedRecord]:
    """Applied values by client and kind, damaged ones included; `after` is the last (client, kind) of the previous
    page."""
    query = select(*(applied.c[name] for name in columns(AppliedRecord))).order_by(applied.c.client, applied.c.kind)
    if after is not None:
        client, kind = after
        query = query.where(or_(applied.c.client > client, and_(applied.c.client == client, applied.c.kind > kind)))
    return in_order(AppliedRecord, (tuple(row) for row in connection.execute(query.limit(limit))))


def record_applied(connection: Connection, record: AppliedRecord, by: Actor) -> None:
    """Stores the values last applied to a client's resource, in place of earlier ones. What was applied is in the audit
    by itself, but for an attempt at registering a number, which changes Twilio alone."""
    if record.kind == ATTEMPTS_OF_SENDER:
        bot = catalog.bot_of_number(connection, record.client)
        audit.record(connection, by, Entry("registered", "sender", record.client, bot.label if bot else None))
    if (record.client, record.kind) == (INSTALLATION, TARIFFS):
        # The runtime reads them again when the catalog has changed.
        catalog.count_up(connection)
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


def rename_client(connection: Connection, former: str, client: str, managed_by: str | None) -> None:
    """Gives all that the store has of a client its new id, in one step; nothing where that was done before.

    Bots and assistants keep their own ids, so conversations stay with them. Tokens, operators and links
    that are bound to it stay so.
    """
    catalog.rename_client(connection, former, client, managed_by)
    theirs = select(applied.c.kind).where(applied.c.client == client)
    connection.execute(delete(applied).where(applied.c.client == former, applied.c.kind.in_(theirs)))
    connection.execute(update(applied).where(applied.c.client == former).values(client=client))
    tokens.rename_client(connection, former, client)
    accounts.rename_client(connection, former, client)
    report_links.rename_client(connection, former, client)
    person_marks.rename_client(connection, former, client)
    privacy_requests.rename_client(connection, former, client)
    receipts.rename_client(connection, former, client)
    reconcile_reports.rename_client(connection, former, client)
    for notice in list_notices(connection):
        owner, _, resource = notice.finding.partition("/")
        if owner == former:
            forget_notice(connection, notice.channel, notice.finding)
            put_notice(connection, replace(notice, finding=f"{client}/{resource}"))


def acquire_lease(connection: Connection, owner: str, ttl_seconds: float) -> Lease:
    """Acquires the lease when it is free, expired or already the owner's; raises LeaseHeld otherwise."""
    taken = _take(connection, APPLY_LEASE, owner, ttl_seconds)
    if taken is not None:
        return taken
    holder = current_lease(connection)
    if holder is None:
        raise StoreError("The lease changed its owner meanwhile; try again.")
    raise LeaseHeld(holder)


def _take(connection: Connection, name: str, owner: str, ttl_seconds: float) -> Lease | None:
    """A lease that was free, expired or the owner's already; None when another owner holds it."""
    now = time.time()
    statement = _insert(connection, leases).values(
        name=name, owner=owner, acquired_at=timestamp(now), expires_at=timestamp(now + ttl_seconds)
    )
    # One statement decides, so that two concurrent callers cannot both find it free.
    taken = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={name: statement.excluded[name] for name in ("owner", "acquired_at", "expires_at")},
            where=or_(leases.c.owner == owner, leases.c.expires_at <= timestamp(now)),
        ).returning(leases.c.owner, leases.c.acquired_at, leases.c.expires_at)
    ).first()
    return None if taken is None else Lease(*taken)


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


def start_run(connection: Connection, record: RunRecord) -> tuple[RunRecord, bool]:
    """Adds a run to the history, and returns it as it is recorded, and whether it was added now: the same run may be
    started again, since an answer can be lost. Raises RunDiffers when another one has its id."""
    statement = _insert(connection, runs).values(to_row(record)).on_conflict_do_nothing(index_elements=["id"])
    if connection.execute(statement.returning(runs.c.id)).first() is not None:
        return record, True
    cells = [runs.c[name] for name in columns(RunRecord)]
    [stored] = runs_of([tuple(connection.execute(select(*cells).where(runs.c.id == record.id)).one())])
    # What a later call has added to it, such as its outcome, is not part of its start.
    given = {field.name: getattr(record, field.name) for field in fields(RunRecord) if field.name not in _ENDED}
    given |= {name: value for name in _ENDED if (value := getattr(record, name))}
    for name, value in given.items():
        if value != getattr(stored, name):
            raise RunDiffers(record.id, name)
    return stored, False


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
    beside = [
        [tuple(row) for row in connection.exec_driver_sql(query)]
        for query in (undelivered_query(), loops_query(), OPEN_REQUESTS, BLOCKED, UNFINISHED)
    ]
    return activity_of(latest, *beside)


def recent_usage(connection: Connection, client: str) -> list[UsageRecord]:
    """What a client's answers used lately, by kind and model."""
    return from_rows(UsageRecord, Statement(USAGE_OF_CLIENT).rows(connection, **usage_of(client)))


def spent_this_month(connection: Connection) -> list[SpentRecord]:
    """What clients with a budget have spent."""
    return spent_of(tuple(row) for row in connection.exec_driver_sql(spent_query()))


def list_notices(connection: Connection) -> list[NoticeRecord]:
    """Findings that were sent and are not resolved yet, on all channels."""
    query = select(*(notices.c[name] for name in columns(NoticeRecord))).order_by(notices.c.channel, notices.c.finding)
    return from_rows(NoticeRecord, (tuple(row) for row in connection.execute(query)))


def claim_notice(
    connection: Connection, channel: str, finding: str, fingerprint: str | None, owner: str, ttl_seconds: float
) -> bool:
    """Whether this owner, and no other until the claim expires, sends a finding to a channel: False when another one
    does, or has. Without a `fingerprint` it is about the resolution of a finding that was sent."""
    name = _claim(channel, finding)
    if _take(connection, name, owner, ttl_seconds) is None:
        return False
    # Read after the claim: who held it before has recorded by now what they sent.
    query = select(notices.c.fingerprint).where(notices.c.channel == channel, notices.c.finding == finding)
    if connection.execute(query).scalar() != fingerprint:
        return True
    release_claim(connection, channel, finding, owner)
    return False


def release_claim(connection: Connection, channel: str, finding: str, owner: str) -> None:
    """Releases the owner's claim, so that another run may send the finding; one that does not exist is ignored."""
    connection.execute(delete(leases).where(leases.c.name == _claim(channel, finding), leases.c.owner == owner))


def put_notice(connection: Connection, record: NoticeRecord) -> None:
    """Records that a finding was sent to a channel, in place of an earlier notice; the claim ends."""
    statement = _insert(connection, notices).values(to_row(record))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["channel", "finding"],
            set_={name: statement.excluded[name] for name in ("fingerprint", "notified_at")},
        )
    )
    connection.execute(delete(leases).where(leases.c.name == _claim(record.channel, record.finding)))


def forget_notice(connection: Connection, channel: str, finding: str) -> None:
    """Deletes the notice of a resolved finding; one that does not exist is ignored. The claim ends."""
    connection.execute(delete(notices).where(notices.c.channel == channel, notices.c.finding == finding))
    connection.execute(delete(leases).where(leases.c.name == _claim(channel, finding)))


def _claim(channel: str, finding: str) -> str:
    """The name of the lease of sending a finding to a channel."""
    return f"notice/{channel}/{finding}"


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """INSERT with ON CONFLICT, which each dialect has its own of. A store on SQLite loads nothing of PostgreSQL's."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
