"""A store that is refused is closed at once, not when the garbage collector comes by."""

from __future__ import annotations

import fcntl
import gc
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtime.store.client.light_reader import read_tables
from runtime.store.client.writer import open_writer
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.database.sqlite import SqliteDatabase


def of_another_generation(path: Path) -> None:
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("UPDATE alembic_version SET version_num = '2_0001'")


def no_database(path: Path) -> None:
    path.write_text("Estimados:\n" * 500, encoding="utf-8")


def open_connections() -> list[sqlite3.Connection]:
    """Every connection of this process that was not closed."""
    return [item for item in gc.get_objects() if isinstance(item, sqlite3.Connection) and is_open(item)]


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - asks nothing of the database, and is refused on a closed connection
    except sqlite3.ProgrammingError:
        return False
    return True


WAYS: dict[str, Callable[[str], object]] = {
    "light reader": lambda url: read_tables(url, 1.0, lambda _: None, None),
    "reconciler": open_writer,
    "service": lambda url: SqliteDatabase(url, serving=True),
    "beside a service": lambda url: SqliteDatabase(url, serving=False),
}


@pytest.mark.parametrize("break_store", [of_another_generation, no_database])
@pytest.mark.parametrize("way", WAYS)
def test_a_store_that_is_refused_leaves_nothing_open(
    tmp_path: Path, way: str, break_store: Callable[[Path], None]
) -> None:
    path = tmp_path / "store.db"
    break_store(path)
    before = open_connections()
    # The error is held, and with it whatever its traceback leads to.
    with pytest.raises(Exception, match=r"install the version|file is not a database"):
        WAYS[way](f"sqlite:///{path}")
    assert [connection for connection in open_connections() if connection not in before] == []
    with (tmp_path / "store.db.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_store_that_is_refused_half_way_is_closed_by_its_engine(tmp_path: Path) -> None:
    no_database(tmp_path / "store.db")
    before = open_connections()
    engine = open_engine(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(Exception, match="file is not a database"):
        engine.connect()
    assert [connection for connection in open_connections() if connection not in before] == []
    engine.dispose()
