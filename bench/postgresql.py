"""What a server of PostgreSQL did: statements, transactions, rows and WAL. And the server itself, where it can be one
of our own, with `pg_stat_statements` loaded and nothing else on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import psycopg

from bench.service import SERVER
from tests.postgresql_cluster import Cluster, binaries

SETTINGS = ("shared_preload_libraries=pg_stat_statements", "max_connections=100")
_STATEMENTS = (
    "FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND query NOT LIKE '%pg_stat_%'"
)
_TOP_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Counters:
    """Of one database since it was made, of WAL since the server was; each per message once divided."""

    statements: float | None
    """None where `pg_stat_statements` is not loaded."""
    transactions: float
    rows: float
    """Inserted, updated and deleted."""
    wal_bytes: float

    def per_message(self, before: Counters, messages: int) -> Counters:
        """What each message took since an earlier count."""

        def share(name: str) -> float | None:
            now, then = getattr(self, name), getattr(before, name)
            return None if now is None or then is None else (now - then) / messages

        return Counters(*(share(field.name) for field in fields(self)))  # type: ignore[arg-type]


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A server's URL without a database, and what it is, in words. The one of BENCH_POSTGRESQL_URL, else one of our
    own, else the one that is there."""
    found = None if "BENCH_POSTGRESQL_URL" in os.environ else binaries()
    if found is None:
        yield SERVER, "the server that is there"
        return
    with tempfile.TemporaryDirectory() as folder:
        # The server may run as another user.
        Path(folder).chmod(0o711)
        cluster = Cluster(found, Path(folder, "postgresql"))
        cluster.create()
        cluster.start(*SETTINGS)
        try:
            yield cluster.url, "a server of its own with its default settings"
        finally:
            cluster.stop()


def count_statements(database_url: str) -> None:
    """Begins to count statements, where that is loaded."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        (loaded,) = connection.execute("SHOW shared_preload_libraries").fetchone() or ("",)
        if "pg_stat_statements" in loaded:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def counters(database_url: str) -> Counters:
    """What was counted so far. Backends report what they did after a second, so at the end of a run this comes late by
    as much as at its beginning."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted,"
            " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') FROM pg_stat_database"
            " WHERE datname = current_database()"
        ).fetchone()
        assert row is not None, "a database without statistics"
        statements = None
        if _are_counted(connection):
            found = connection.execute(f"SELECT sum(calls) {_STATEMENTS}").fetchone()
            statements = None if found is None else float(found[0] or 0)
        return Counters(statements, float(row[0]), float(row[1]), float(row[2]))


def top_statements(database_url: str, limit: int) -> list[tuple[str, int, float]]:
    """The statements that were executed most: text, calls, milliseconds in the server. Empty where none are counted."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not _are_counted(connection):
            return []
        found = connection.execute(
            f"SELECT query, calls, total_exec_time {_STATEMENTS} ORDER BY calls DESC LIMIT {limit}"
        ).fetchall()
        return [(_short(query), calls, ms) for query, calls, ms in found]


def reset_statements(database_url: str) -> None:
    """Forgets the statements that were counted so far."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        if _are_counted(connection):
            connection.execute("SELECT pg_stat_statements_reset()")


def _are_counted(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT to_regclass('pg_stat_statements') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def _short(query: str) -> str:
    text = " ".join(query.split()).replace("|", "\\|")
    return text if len(text) <= _TOP_LENGTH else text[: _TOP_LENGTH - 1] + "…"
