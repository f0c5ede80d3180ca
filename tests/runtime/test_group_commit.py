"""What waits for SQLite goes to disk together, and one that fails fails alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Text
from runtime.store.database.database import open_database
from runtime.store.database.sqlite import SqliteDatabase
from runtime.store.database.statement import Statement, pipelined
from runtime.store.errors import NumberTaken, StoreError
from runtime.store.messages import inbox
from runtime.store.messages.inbox import InboundMessage

PUT = Statement("UPDATE catalog SET salt = :text")
NO_TABLE = Statement("INSERT INTO no_such_table VALUES (:text)")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = cast("SqliteDatabase", await open_database(f"sqlite:///{tmp_path}/store.db"))
    yield opened
    await opened.close()


def message(number: int) -> InboundMessage:
    user = f"whatsapp:+5690000{number:04}"
    return InboundMessage("AC1", f"SM{number}", "bot", user, user, Content((Text("hola"),)), "{}")


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as store:
        return [sid for (sid,) in store.execute("SELECT message_sid FROM inbox ORDER BY id")]


class Gate:
    """A write that holds the others up, so that they become one group."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def pass_through(self, connection: Connection) -> None:
        self.entered.set()
        assert self.open.wait(10)


def fail(connection: Connection, text: str) -> None:
    PUT.run(connection, text=text)
    raise NumberTaken("+15550000001", "other")


async def test_one_that_fails_takes_nothing_else_with_it(database: SqliteDatabase, tmp_path: Path) -> None:
    gate = Gate()
    holding = asyncio.create_task(database.write(gate.pass_through))
    await asyncio.to_thread(gate.entered.wait)
    writes = [
        asyncio.create_task(database.write(inbox.store_message, message(1))),
        asyncio.create_task(database.write(fail, "of the failed one")),
        asyncio.create_task(database.write(NO_TABLE.run, text="x")),
        asyncio.create_task(database.write(inbox.store_message, message(2))),
        asyncio.create_task(database.write(inbox.store_message, message(1))),
    ]
    await asyncio.sleep(0)  # each has put its function in the queue
    gate.open.set()
    await holding
    first, failed, refused, second, again = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(failed, NumberTaken)
    assert isinstance(refused, StoreError)
    assert isinstance(first, inbox.StoredMessage)
    assert isinstance(second, inbox.StoredMessage)
    assert again is None
    assert stored(tmp_path / "store.db") == ["SM1", "SM2"]
    assert "of the failed one" not in str(await database.read(Statement("SELECT salt FROM catalog").rows))


async def test_a_brief_one_that_fails_takes_nothing_else_with_it(database: SqliteDatabase, tmp_path: Path) -> None:
    first, failed, second = await asyncio.gather(
        database.write(inbox.store_message, message(1)),
        database.write(pipelined(fail), "of the failed one"),
        database.write(inbox.store_message, message(2)),
        return_exceptions=True,
    )
    assert isinstance(first, inbox.StoredMessage)
    assert isinstance(failed, NumberTaken)
    assert isinstance(second, inbox.StoredMessage)
    assert stored(tmp_path / "store.db") == ["SM1", "SM2"]
    assert "of the failed one" not in str(await database.read(Statement("SELECT salt FROM catalog").rows))


async def test_brief_functions_are_executed_on_the_loop_and_committed_elsewhere(database: SqliteDatabase) -> None:
    def thread_of(connection: Connection) -> int:
        return threading.get_ident()

    def other_thread_of(connection: Connection) -> int:
        return threading.get_ident()

    assert await database.write(pipelined(thread_of)) == threading.get_ident()
    assert await database.write(other_thread_of) != threading.get_ident()


async def test_the_loop_runs_on_while_another_process_writes(database: SqliteDatabase, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(database.write(inbox.store_message, message(1)))
        read = await asyncio.wait_for(database.read(Statement("SELECT count(*) FROM inbox").rows), 5)
        assert read == [(0,)]
        assert not write.done()
        other.execute("COMMIT")
        assert isinstance(await asyncio.wait_for(write, 5), inbox.StoredMessage)
    assert stored(tmp_path / "store.db") == ["SM1"]


async def test_what_comes_during_a_commit_is_one_commit_after_it(database: SqliteDatabase) -> None:
    gate, said = Gate(), list[str]()

    def listen(connection: Connection) -> None:
        raw = cast("sqlite3.Connection", connection.connection.driver_connection)
        raw.set_trace_callback(said.append)
        gate.pass_through(connection)

    holding = asyncio.create_task(database.write(listen))
    await asyncio.to_thread(gate.entered.wait)
    writes = []
    for number in range(20):
        writes.append(asyncio.create_task(database.write(inbox.store_message, message(number))))
        await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(holding, *writes)
    assert said.count("COMMIT") == 2  # the gate's own, and that of the twenty


async def test_a_single_write_that_fails_leaves_nothing(database: SqliteDatabase, tmp_path: Path) -> None:
    def take_in_and_fail(connection: Connection) -> None:
        inbox.store_message(connection, message(1))
        NO_TABLE.run(connection, text="x")

    with pytest.raises(StoreError, match="no_such_table"):
        await database.write(take_in_and_fail)
    assert stored(tmp_path / "store.db") == []
    assert await database.write(inbox.store_message, message(1)) is not None


async def test_whoever_awaits_is_resumed_when_it_is_on_disk(database: SqliteDatabase, tmp_path: Path) -> None:
    async def write(number: int) -> None:
        await database.write(inbox.store_message, message(number))
        assert f"SM{number}" in stored(tmp_path / "store.db")

    await asyncio.gather(*(write(number) for number in range(40)))
    assert len(stored(tmp_path / "store.db")) == 40


async def test_what_is_queued_is_finished_before_it_closes(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/late.db")
    writes = [asyncio.create_task(database.write(inbox.store_message, message(number))) for number in range(40)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    assert len(stored(tmp_path / "late.db")) == 40


async def test_what_one_round_of_the_loop_brings_is_one_commit(database: SqliteDatabase) -> None:
    said: list[str] = []

    def listen(connection: Connection) -> None:
        raw = cast("sqlite3.Connection", connection.connection.driver_connection)
        raw.set_trace_callback(said.append)

    await database.write(listen)
    said.clear()
    await asyncio.gather(*(database.write(inbox.store_message, message(number)) for number in range(100)))
    assert said.count("COMMIT") == 1
