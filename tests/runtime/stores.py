"""Stores of every kind for tests: a SQLite file, a database on a PostgreSQL server, the runtime's API."""

import os
from uuid import uuid4

import psycopg
import pytest

SERVER = os.environ.get("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432")


def postgresql_answers() -> bool:
    """Whether there is a server to test against."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def make_database() -> str:
    """A new empty database; skips the test where there is no server, and fails instead in CI."""
    if not postgresql_answers():
        reason = f"no PostgreSQL server answers at {SERVER}; set TEST_POSTGRESQL_URL to one"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{SERVER}/{name}"


def drop_database(url: str) -> None:
    """Removes a database made by `make_database`."""
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")
