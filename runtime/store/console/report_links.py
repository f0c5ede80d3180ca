"""Links that show one client's report to anyone who has them, without an account. Functions over a connection.

    create ──► valid until `expires_at`, or until revoked; each opening is in the audit

The token in the address is 256 random bits; its digest is stored.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.console.brand import is_client
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.tokens import token_digest

KIND: Final = "report_link"
"""Of the audit's rows."""
LONGEST_DAYS: Final = 365
DAY_SECONDS: Final = 86_400
LABEL_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class ReportLink:
    """A link as it is listed: never its token."""

    id: int
    client: str
    label: str
    """Whom it was made for."""
    created_by: str
    created_at: str
    expires_at: str
    revoked_at: str | None
    opened_at: str | None
    """When it was last opened."""

    @property
    def is_expired(self) -> bool:
        """Whether it was valid only until a time that has passed."""
        return self.expires_at <= timestamp()


COLUMNS: Final = "id, client, label, created_by, created_at, expires_at, revoked_at, opened_at"
ADD = Statement(
    "INSERT INTO report_links (digest, client, label, created_by, created_at, expires_at)"
    " VALUES (:digest, :client, :label, :actor, :now, :until)"
)
ALL = Statement(f"SELECT {COLUMNS} FROM report_links ORDER BY id DESC")  # noqa: S608 - our own names
ONE = Statement(f"SELECT {COLUMNS} FROM report_links WHERE id = :id")  # noqa: S608
VALID = Statement(
    f"SELECT {COLUMNS} FROM report_links WHERE digest = :digest AND revoked_at IS NULL AND expires_at > :now"  # noqa: S608
)
REVOKE = Statement("UPDATE report_links SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL")
OPENED = Statement("UPDATE report_links SET opened_at = :now WHERE id = :id")
RENAME = Statement("UPDATE report_links SET client = :client WHERE client = :former")


class NoReportLink(StoreError):
    """There is no valid link with that number."""

    def __init__(self, link_id: int) -> None:
        super().__init__(f"There is no valid link {link_id}; see `horizonai-whatsapp-bot operator links`.")


def create(connection: Connection, actor: Actor, client: str, label: str, days: int) -> str:
    """Adds a link; returns its token, which is not stored. Raises StoreError for a client that is not known."""
    if not is_client(connection, client):
        raise StoreError(f"No bot belongs to a client {client!r}; apply its manifest first, or correct the id.")
    token, now = secrets.token_urlsafe(32), time.time()
    until, digest = timestamp(now + days * DAY_SECONDS), token_digest(token)
    ADD.run(connection, digest=digest, client=client, label=label, actor=actor.name, now=timestamp(now), until=until)
    (link_id, *_) = VALID.one(connection, digest=digest, now=timestamp(now))
    record(connection, actor, Entry("created", KIND, str(link_id), client, fields=[f"until {until}"]))
    return token


def revoke(connection: Connection, actor: Actor, link_id: int) -> None:
    """Ends a link's validity at once. Raises NoReportLink."""
    row = ONE.first(connection, id=link_id)
    if row is None or not REVOKE.run(connection, id=link_id, now=timestamp()):
        raise NoReportLink(link_id)
    record(connection, actor, Entry("revoked", KIND, str(link_id), _link(row).client))


def get(connection: Connection, link_id: int) -> ReportLink | None:
    """A link by its number."""
    row = ONE.first(connection, id=link_id)
    return None if row is None else _link(row)


def list_links(connection: Connection, clients: Sequence[str] | None = None) -> list[ReportLink]:
    """All that were ever made for these clients, or for all; the newest first."""
    return [link for link in map(_link, ALL.rows(connection)) if clients is None or link.client in clients]


def open_link(connection: Connection, token: str, address: str | None) -> ReportLink | None:
    """The link of a token, which is opened now from that address; None for one that is not valid."""
    row = VALID.first(connection, digest=token_digest(token), now=timestamp())
    if row is None:
        return None
    link = _link(row)
    OPENED.run(connection, id=link.id, now=timestamp())
    record(connection, Actor(f"link {link.id}", "console", address), Entry("read", "report", link.client, link.client))
    return link


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Lets the links of a client show it under its new id."""
    RENAME.run(connection, former=former, client=client)


def _link(row: Sequence[Any]) -> ReportLink:
    return ReportLink(*row)
