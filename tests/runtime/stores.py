"""Stores of every kind for tests: a SQLite file, a database on a PostgreSQL server, the runtime's API."""

import os
from uuid import uuid4

import psycopg
import pytest

from tests.runtime.server import GIVEN as SERVER
from tests.runtime.server import server

__all__ = ["SERVER", "drop_database", "make_database", "postgresql_answers"]


def postgresql_answers() -> bool:
    """Whether there is a server to test against."""
    return server() is not None


def make_database() -> str:
    """A new empty database; skips the test where there is no server, and fails instead in CI."""
    address = server()
    if address is None:
        reason = f"no PostgreSQL server answers at {SERVER}, and none is installed; set TEST_POSTGRESQL_URL to one"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{address}/{name}"


def drop_database(url: str) -> None:
    """Removes a database made by `make_database`."""
    address, _, name = url.rpartition("/")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
