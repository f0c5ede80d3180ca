"""Functions on the event loop's connections to PostgreSQL: each a transaction, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from runtime.store.database.pipeline import PREPARED_FROM, Pipelines
from runtime.store.database.statement import Insert, InsertRows, Statement
from tests.runtime.stores import drop_database, make_database

pytestmark = pytest.mark.postgres

MOST = 3
ADD = Statement("INSERT INTO notes VALUES (:id, :text)")
ADD_ROWS = InsertRows("notes", "id", "text")
COUNT = Statement("SELECT count(*) FROM notes")
ECHO = Statement("SELECT CAST(:text AS text), CAST(:number AS bigint)")
SLEEP = Statement("SELECT pg_sleep(0.2)")
DIE = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
OWN = Statement("SELECT pg_backend_pid()")
LARGE = "ñ" * 3_000_000


@pytest.fixture
async def pipelines() -> AsyncIterator[Pipelines]:
    url = make_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (id bigint PRIMARY KEY, text text)")
    opened = Pipelines(url, MOST)
    yield opened
    await opened.close()
    drop_database(url)


async def count(pipelines: Pipelines) -> int:
    return int((await pipelines.run(COUNT.one))[0])


async def test_what_a_function_sends_is_one_transaction(pipelines: Pipelines) -> None:
    def add_two(connection: Connection) -> tuple[Any, ...]:
        ADD.do(connection, id=1, text="a")
        assert ADD.run(connection, id=2, text="b") == 1
        return COUNT.one(connection)

    assert await pipelines.run(add_two) == (2,)
    assert await count(pipelines) == 2


def fails_by_itself(connection: Connection) -> None:
    ADD.do(connection, id=1, text="a")
    raise KeyError("mine")


def fails_later_by_itself(connection: Connection) -> None:
    ADD.run(connection, id=1, text="a")
    raise KeyError("mine")


def fails_unread(connection: Connection) -> None:
    ADD.do(connection, id=1, text="a")
    ADD.do(connection, id=1, text="b")


def fails_read(connection: Connection) -> None:
    ADD.do(connection, id=1, text="a")
    ADD.run(connection, id=1, text="b")


def fails_before_another(connection: Connection) -> None:
    ADD.do(connection, id=1, text="a")
    ADD.do(connection, id=1, text="b")
    COUNT.one(connection)


def fails_as_it_is_sent(connection: Connection) -> None:
    ADD.do(connection, id=1, text="a")
    ADD.do(connection, id=2, text="\0")


@pytest.mark.parametrize(
    ("fails", "kind"),
    [
        (fails_by_itself, KeyError),
        (fails_later_by_itself, KeyError),
        (fails_unread, psycopg.errors.UniqueViolation),
        (fails_read, psycopg.errors.UniqueViolation),
        (fails_before_another, psycopg.errors.UniqueViolation),
        (fails_as_it_is_sent, psycopg.DataError),
    ],
)
async def test_one_that_fails_has_done_nothing_and_the_connection_is_as_before(
    pipelines: Pipelines, fails: Callable[[Connection], None], kind: type[Exception]
) -> None:
    (own,) = await pipelines.run(OWN.one)
    for _ in range(PREPARED_FROM + 1):  # also where a statement would have been prepared by what failed
        with pytest.raises(kind):
            await pipelines.run(fails)
        assert await count(pipelines) == 0
    assert await pipelines.run(OWN.one) == (own,)
    for number in range(PREPARED_FROM + 1):
        assert await pipelines.run(lambda connection, id_=number: ADD.run(connection, id=id_, text="c")) == 1


async def test_a_statement_whose_preparation_was_skipped_is_prepared_again(pipelines: Pipelines) -> None:
    late = Statement("SELECT text FROM notes WHERE id = :id")

    def fails_before_it(connection: Connection) -> None:
        fails_unread(connection)
        late.do(connection, id=1)

    for _ in range(PREPARED_FROM + 1):
        with pytest.raises(psycopg.errors.UniqueViolation):
            await pipelines.run(fails_before_it)
    assert await pipelines.run(lambda connection: late.rows(connection, id=1)) == []


async def test_what_was_committed_stays_and_what_follows_is_another_transaction(pipelines: Pipelines) -> None:
    def commits(connection: Connection) -> None:
        assert ADD.last(connection, id=1, text="a") == 1
        ADD.run(connection, id=2, text="b")
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await pipelines.run(commits)
    assert await count(pipelines) == 1


async def test_results_are_those_of_their_statements_in_whatever_order_they_are_read(pipelines: Pipelines) -> None:
    add = Insert("INSERT INTO notes (id, text) VALUES (:id, :text)")

    def mixed(connection: Connection) -> list[Any]:
        first = ECHO.rows_later(connection, text="a", number=1)
        ADD_ROWS.run(connection, [{"id": number, "text": None} for number in range(20)])
        second = ECHO.rows_later(connection, text=None, number=2**40)
        changed = add.one_later(connection, id=77, text="b")
        assert ECHO.rows(connection, text="c", number=None) == [("c", None)]
        return [changed(), second(), first(), COUNT.one(connection)]

    for _ in range(PREPARED_FROM + 1):
        assert await pipelines.run(mixed) == [77, [(None, 2**40)], [("a", 1)], (21,)]
        await pipelines.run(Statement("DELETE FROM notes").do)


async def test_more_functions_than_connections_wait_for_each_other(pipelines: Pipelines) -> None:
    own = await asyncio.gather(*(pipelines.run(lambda c: (SLEEP.rows(c), OWN.one(c))[1]) for _ in range(3 * MOST)))
    assert len(set(own)) == MOST


async def test_texts_of_any_size_go_both_ways(pipelines: Pipelines) -> None:
    def large(connection: Connection) -> list[int]:
        sent = [ECHO.rows_later(connection, text=LARGE, number=number) for number in range(4)]
        return [len(rows()[0][0]) for rows in sent]

    assert await pipelines.run(large) == [len(LARGE)] * 4


async def test_a_function_whose_caller_is_cancelled_is_done(pipelines: Pipelines) -> None:
    added = asyncio.create_task(pipelines.run(lambda c: (SLEEP.rows(c), ADD.do(c, id=1, text="a"))))
    waiting = [asyncio.create_task(pipelines.run(SLEEP.rows)) for _ in range(MOST - 1)]
    unbegun = asyncio.create_task(pipelines.run(lambda c: ADD.do(c, id=2, text="b")))
    await asyncio.sleep(0.1)
    for task in (added, unbegun):
        task.cancel()
    await asyncio.gather(added, unbegun, *waiting, return_exceptions=True)
    assert added.cancelled()
    assert unbegun.cancelled()
    await pipelines.close()  # which waits for it
    assert await count(pipelines) == 1


async def test_connections_that_end_are_replaced(pipelines: Pipelines) -> None:
    with pytest.raises(psycopg.OperationalError):
        await pipelines.run(lambda c: (ADD.do(c, id=1, text="a"), DIE.rows(c)))
    assert await count(pipelines) == 0
    (idle,) = await pipelines.run(OWN.one)
    with psycopg.connect(pipelines.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [idle])
    # Its end is seen when the loop looks at its sockets; until then it may be taken once.
    await asyncio.gather(pipelines.run(OWN.one), return_exceptions=True)
    (replaced,) = await pipelines.run(OWN.one)
    assert replaced != idle


@pytest.mark.parametrize("most", [1, MOST])
async def test_each_one_is_told_that_there_is_no_server(most: int) -> None:
    nowhere = Pipelines("postgresql://u:p@127.0.0.1:1/x", most)
    told = await asyncio.gather(*(nowhere.run(OWN.one) for _ in range(3 * MOST)), return_exceptions=True)
    assert {type(one) for one in told} == {psycopg.OperationalError}
    await nowhere.close()
