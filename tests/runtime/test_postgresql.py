"""The runtime on PostgreSQL: the same behaviour, another store."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection

from runtime.store.database.database import open_database
from runtime.store.database.postgresql import TRIES
from runtime.store.database.statement import Statement, pipelined
from runtime.store.errors import StoreBusy, StoreError, StoreOutdated, StoreUnreachable
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def runtime_on_postgresql(tmp_path: Path, sandbox: Sandbox) -> Iterator[Runtime]:
    url = make_database()
    running = start_runtime(tmp_path, sandbox, DATABASE_URL=url, REPLY_WITHIN_SECONDS="0.5")
    yield running
    if running.process.returncode is None:
        running.stop()
    drop_database(url)


@pytest.mark.long
def test_answers_remembers_and_survives_a_kill(runtime_on_postgresql: Runtime, sandbox: Sandbox) -> None:
    runtime = runtime_on_postgresql
    shop = open_line(runtime, sandbox)
    assert "turn 1" in shop.ask("Hola")
    runtime.api("PUT", f"/bots/{shop.bot['id']}", {"instructions": "Eres nuevo."})
    assert "Eres nuevo." in shop.ask("¿Y ahora?")
    shop.write("piensa 2s", wait=0)
    runtime.wait_for_turns(1, after=2)
    runtime.kill()
    runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 3, what="the answer after the restart")
    assert "turn 4" in shop.ask("sigue")
    assert len(shop.outbound()) == 4


CLOSE_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = %s AND application_name LIKE 'horizonai%%' AND pid <> pg_backend_pid()"
)


def close_connections(url: str) -> int:
    """Has the server close every connection of the program, as a restart does; says how many those were."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(CLOSE_ALL, [url.rpartition("/")[2]]).fetchone()
    assert row is not None
    return int(row[0])


def test_connections_that_the_server_closed_are_replaced(runtime_on_postgresql: Runtime, sandbox: Sandbox) -> None:
    runtime = runtime_on_postgresql
    shop = open_line(runtime, sandbox)
    assert "turn 1" in shop.ask("Hola")
    assert close_connections(runtime.environment["DATABASE_URL"]) > 2
    # Transactions in progress fail and are retried; nothing has to be restarted.
    wait_until(lambda: runtime.request("GET", "/ready").status == 200, what="the store")
    # A webhook that meets a closed connection is refused, and Twilio delivers the message again.
    again = {"message_sid": f"SM{uuid4().hex}"}
    wait_until(lambda: shop.write("¿Siguen ahí?", **again)["http_status"] == 200, what="a webhook that is taken")
    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")


async def test_of_several_servers_the_one_that_writes_is_used() -> None:
    url = make_database()
    scheme, _, place = url.partition("://")
    user, _, server = place.rpartition("@")
    several = f"{scheme}://{user}@127.0.0.1:1,{server}?target_session_attrs=read-write"
    try:
        database = await open_database(several)
        try:
            assert await database.read(Statement("SELECT 1").rows) == [(1,)]
        finally:
            await database.close()
        with pytest.raises(StoreUnreachable, match=r"127\.0\.0\.1:1,127\.0\.0\.1:2/x cannot be reached"):
            await open_database("postgresql://u:p@127.0.0.1:1,127.0.0.1:2/x")
    finally:
        drop_database(url)


async def test_what_the_driver_says_is_said_in_the_store_s_words() -> None:
    url = make_database()
    database = await open_database(url)

    async def refused(sql: str) -> StoreError:
        with pytest.raises(StoreError) as failed:
            await database.write(Statement(sql).run)
        return failed.value

    try:
        assert isinstance(await refused("INSERT INTO no_such_table VALUES (1)"), StoreOutdated)
        assert "refused a statement" in str(await refused("SELECT 1 / 0"))
        assert "syntax" in str(await refused("SELEC 1"))
        assert await database.read(Statement("SELECT 1").rows) == [(1,)]
        # Within a second after its last use a connection is not checked: such a use fails with an error.
        assert close_connections(url) > 0
        said = await asyncio.gather(
            *(database.read(Statement("SELECT 1").rows) for _ in range(8)), return_exceptions=True
        )
        assert {type(one) for one in said} <= {StoreUnreachable, list}
        assert [await database.read(Statement("SELECT 1").rows) for _ in range(8)] == [[(1,)]] * 8
    finally:
        await database.close()
        drop_database(url)


@pytest.mark.parametrize("mark", [lambda operation: operation, pipelined], ids=["one by one", "pipelined"])
async def test_of_operations_that_wait_for_each_other_none_is_lost(
    mark: Callable[[Callable[..., int]], Callable[..., int]],
) -> None:
    url = make_database()
    database = await open_database(url)
    calls: list[int] = []
    held: set[int] = set()

    def count(connection: Connection, first: int) -> int:
        calls.append(first)
        COUNT.run(connection, id=first)
        held.add(first)
        while len(held) < 2:
            BRIEFLY.rows(connection)
        return COUNT.run(connection, id=1 - first)

    try:
        await database.write(Statement("CREATE TABLE counters (id integer, count integer)").do)
        await database.write(Statement("INSERT INTO counters VALUES (0, 0), (1, 0)").do)
        operation = mark(count)
        assert await asyncio.gather(*(database.write(operation, first) for first in (0, 1))) == [1, 1]
        # PostgreSQL lets one that begins again before the other has woken come first, so it may end one more than once.
        assert 3 <= len(calls) <= 1 + TRIES
        assert await database.read(Statement("SELECT count FROM counters").rows) == [(2,), (2,)]
    finally:
        await database.close()
        drop_database(url)


COUNT = Statement("UPDATE counters SET count = count + 1 WHERE id = :id")
BRIEFLY = Statement("SELECT pg_sleep(0.01)")


async def test_a_transaction_that_others_end_again_and_again_is_told_to_be_so() -> None:
    url = make_database()
    database = await open_database(url)
    calls: list[Connection] = []

    def ended(connection: Connection) -> None:
        calls.append(connection)
        Statement("DO $$ BEGIN RAISE SQLSTATE '40P01' USING MESSAGE = 'deadlock detected'; END $$").do(connection)

    try:
        with pytest.raises(StoreBusy, match="has ended a transaction because of others: deadlock detected; try again"):
            await database.write(ended)
        assert len(calls) == TRIES
    finally:
        await database.close()
        drop_database(url)


async def test_a_store_has_no_more_connections_than_it_is_given() -> None:
    url = make_database()
    database = await open_database(url, connections=3)
    own = Statement("SELECT count(*) FROM pg_stat_activity, pg_sleep(0.05) WHERE datname = current_database()")
    of_pipelines = pipelined(lambda connection: own.rows(connection))
    try:
        counted = await asyncio.gather(*(database.read(read) for read in [own.rows, of_pipelines] * 8))
        assert max(count for ((count,),) in counted) == 3
    finally:
        await database.close()
        drop_database(url)
