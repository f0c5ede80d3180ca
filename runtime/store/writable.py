"""Shows whether the store can be written to. Functions over a connection."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

PUT = Statement("INSERT INTO leases (name, owner, acquired_at, expires_at) VALUES (:name, 'ready', :now, :now)")
TAKE = Statement("DELETE FROM leases WHERE name = :name")


def try_writing(connection: Connection) -> None:
    """Writes a row and deletes it again, so no other transaction sees it. An update with the values that are there
    would not do: SQLite leaves the page as it is then, and a full disk is not met."""
    name = f"ready {uuid4().hex}"
    PUT.run(connection, name=name, now=timestamp())
    TAKE.run(connection, name=name)
