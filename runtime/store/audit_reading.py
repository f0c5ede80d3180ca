"""Reads the audit. Functions over a connection; none of them writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, or_, select

from runtime.store.tables import audit

FIRST: Final = "1_0036"
"""The schema since which an entry has its client, where it came from, and the conversations."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who read or changed what, when, and from where."""

    id: int
    at: str
    actor: str
    via: str | None
    """api, cli, console, desk, reconcile or runtime; None: recorded before it was known."""
    address: str | None
    action: str
    kind: str
    object_id: str
    client: str | None
    """None: the whole installation, or not known."""
    conversations: Sequence[int] | None
    """Ids of the conversations that it concerns; None: none, or not known."""
    fields: Sequence[str]
    overridden: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; None: any."""

    clients: Collection[str] | None = None
    since: str | None = None
    """Timestamp of the first one."""
    until: str | None = None
    """Timestamp after the last one."""
    actor: str | None = None


LAST: Final = 2**62
"""Above every id."""
_COLUMNS = (
    audit.c.id,
    audit.c.at,
    audit.c.actor,
    audit.c.via,
    audit.c.address,
    audit.c.action,
    audit.c.kind,
    audit.c.object_id,
    audit.c.client,
    audit.c.conversations,
    audit.c.fields,
    audit.c.overridden,
)


def list_entries(
    connection: Connection, wanted: AuditFilter, *, limit: int = 1000, after: int = 0
) -> Sequence[AuditEntry]:
    """The entries, in their order; `after` is the last id of the previous page.

    Entries of a client that was renamed have the id that it had then: those are found by its new id as well.
    """
    query = select(*_COLUMNS).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
    return _entries(connection, query, wanted)


def newest_entries(
    connection: Connection, wanted: AuditFilter, *, limit: int, before: int = LAST
) -> Sequence[AuditEntry]:
    """As `list_entries`, the newest first; `before` is the last id of the previous page."""
    query = select(*_COLUMNS).where(audit.c.id < before).order_by(audit.c.id.desc()).limit(limit)
    return _entries(connection, query, wanted)


def _entries(connection: Connection, query: Select[tuple[Any, ...]], wanted: AuditFilter) -> Sequence[AuditEntry]:
    if wanted.clients is not None:
        names = sorted(_with_former_ids(connection, wanted.clients))
        # Before FIRST, what was read of a client had its id as the object's.
        query = query.where(or_(audit.c.client.in_(names), audit.c.client.is_(None) & audit.c.object_id.in_(names)))
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if wanted.actor is not None:
        query = query.where(audit.c.actor == wanted.actor)
    return [_entry(tuple(row)) for row in connection.execute(query)]


def every_entry(connection: Connection, wanted: AuditFilter) -> Sequence[AuditEntry]:
    """All of them, however many there are."""
    found: list[AuditEntry] = []
    while page := list_entries(connection, wanted, after=found[-1].id if found else 0):
        found += page
    return found


def _with_former_ids(connection: Connection, clients: Collection[str]) -> set[str]:
    renamed = select(audit.c.object_id, audit.c.fields).where(audit.c.kind == "client", audit.c.action == "renamed")
    former = {client: json.loads(fields)[0].removeprefix("formerly ") for client, fields in connection.execute(renamed)}
    known = set(clients)
    while more := {former[client] for client in known if client in former} - known:
        known |= more
    return known


def _entry(row: Sequence[Any]) -> AuditEntry:
    values: dict[str, Any] = {column.name: value for column, value in zip(_COLUMNS, row, strict=True)}
    lists = {name: json.loads(values[name]) for name in ("conversations", "fields") if values[name] is not None}
    return AuditEntry(**values | lists)
