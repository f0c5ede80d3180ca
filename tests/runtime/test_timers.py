"""Who may run a timer and who may end it, and when a process looks for the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from runtime.dispatch.timers import AT_ONCE, RunAgain, Timers
from runtime.observability.metrics import Metrics
from runtime.store import timers
from runtime.store.database.database import Database, open_database
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.timers import Timer, TimerTakenOver
from tests.runtime.stores import make_file, migrated_store
from tests.sandbox_process import PATIENCE

NEVER = 3600.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(["put", "cancel", "claim", "lapse", "finish", "end", "again", "fail"]),
    ),
    max_size=30,
)
"""What one of two processes does next with the one timer that there is."""


def at(seconds: float) -> datetime:
    """`seconds` from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine("sqlite:///:memory:")
    migrate(opened)
    yield opened
    opened.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with migrated_store(request.param, tmp_path) as opened, opened.begin() as connection:
        yield connection


@dataclass(slots=True)
class Model:
    """What is true of the one timer."""

    version: int | None = None
    """None while there is none."""
    holder: str | None = None
    is_free: bool = True
    """Whether it may be claimed."""
    runs: dict[str, Timer] = field(default_factory=dict)
    """What each process claimed last."""

    def is_ours(self, process: str) -> bool:
        """Whether a process's run is the one that may end the timer."""
        run = self.runs.get(process)
        return run is not None and (run.version, process) == (self.version, self.holder)


@given(STEPS)
@example([("A", "put"), ("A", "claim"), ("B", "put"), ("B", "claim"), ("A", "finish"), ("A", "end"), ("B", "claim")])
@example([("A", "put"), ("A", "claim"), ("B", "put"), ("A", "again"), ("B", "claim"), ("A", "fail"), ("B", "finish")])
# Steps are cheap to draw; how fast they come says how busy the machine is.
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_the_run_that_holds_the_newest_put_ends_a_timer(engine: Engine, steps: list[tuple[str, str]]) -> None:
    model, versions = Model(), 0
    with engine.connect() as connection:
        transaction = connection.begin()
        for process, step in steps:
            run = model.runs.get(process)
            if step == "put":
                timers.put(connection, "k", "x", at(-1), {"put": versions})
                model.version = 1 if model.version is None else model.version + 1
                model.is_free = model.is_free or model.holder is None
            elif step == "cancel":
                assert timers.cancel(connection, "k", "x") is (model.version is not None)
                model.version, model.holder, model.is_free = None, None, True
            elif step == "lapse":
                connection.execute(text("UPDATE timers SET held_until = '2000' WHERE holder IS NOT NULL"))
                model.is_free = model.is_free or model.holder is not None
            elif step == "claim":
                claimed = timers.claim(connection, ["k"], process, 9, may_take_over=True)
                assert bool(claimed) is (model.version is not None and model.is_free)
                for timer in claimed:
                    assert timer.version == model.version
                    model.runs[process], model.holder, model.is_free = timer, process, False
            elif run is None:
                continue
            elif step == "finish":
                if not model.is_ours(process):
                    with pytest.raises(TimerTakenOver):
                        timers.finish(connection, run)
                    continue
                timers.finish(connection, run)
                model.version, model.holder, model.is_free = None, None, True
            else:
                _ended(connection, model, process, step)
            rows = connection.execute(text("SELECT version, holder FROM timers")).all()
            assert [tuple(row) for row in rows] == ([] if model.version is None else [(model.version, model.holder)])
        transaction.rollback()


def _ended(connection: Connection, model: Model, process: str, step: str) -> None:
    """A run ends otherwise than by `finish`: what is no longer its own stays as it is, and a hold of its own ends."""
    run, is_ours = model.runs[process], model.is_ours(process)
    if step == "end":
        timers.end(connection, run)
        if is_ours:
            model.version, model.holder, model.is_free = None, None, True
            return
    elif step == "again":
        timers.rearm(connection, run, NEVER, {})
        if is_ours and model.version is not None:
            model.version, model.holder, model.is_free = model.version + 1, None, False
            return
    else:
        timers.fail(connection, run, "no", NEVER)
        if is_ours:
            model.holder, model.is_free = None, False
            return
    if model.version is not None and model.holder == process:
        model.holder, model.is_free = None, True


def test_what_another_process_holds_is_taken_over_only_once_its_hold_ran_out_and_holds_are_trusted(
    connection: Connection,
) -> None:
    timers.put(connection, "k", "x", at(-1), {})
    [first] = timers.claim(connection, ["k"], "A", 9, may_take_over=True)
    assert (first.attempt, timers.claim(connection, ["k"], "B", 9, may_take_over=True)) == (1, [])
    connection.execute(text("UPDATE timers SET held_until = '2000-01-01T00:00:00.000Z'"))
    assert timers.claim(connection, ["k"], "B", 9, may_take_over=False) == []
    assert not timers.look(connection, ["k"], may_take_over=False).are_any
    assert timers.look(connection, ["k"], may_take_over=True).are_any
    [second] = timers.claim(connection, ["k"], "B", 9, may_take_over=True)
    assert (second.attempt, second.version) == (2, first.version)
    timers.renew(connection, [first])
    with pytest.raises(TimerTakenOver):
        timers.finish(connection, first)
    timers.finish(connection, second)


def test_a_hold_is_renewed(connection: Connection) -> None:
    timers.put(connection, "k", "x", at(-1), {})
    claimed = timers.claim(connection, ["k"], "A", 9, may_take_over=True)
    connection.execute(text("UPDATE timers SET held_until = '2000-01-01T00:00:00.000Z'"))
    timers.renew(connection, claimed)
    assert timers.claim(connection, ["k"], "B", 9, may_take_over=True) == []


def test_the_oldest_are_claimed_first_up_to_a_limit_and_of_the_kinds_asked_for(connection: Connection) -> None:
    for kind, key, due in (("a", "2", -2.0), ("b", "3", -3.0), ("a", "1", -1.0), ("a", "9", 9.0), ("c", "4", -4.0)):
        timers.put(connection, kind, key, at(due), {"key": key})
    due = timers.look(connection, ["a", "b"], may_take_over=True)
    assert due.are_any
    assert due.following is not None
    assert 8 < (datetime.fromisoformat(due.following) - datetime.fromisoformat(due.now)).total_seconds() < 10
    claimed = timers.claim(connection, ["a", "b"], "A", 2, may_take_over=True)
    assert [timer.key for timer in claimed] == ["3", "2"]
    assert claimed[0].payload == {"key": "3"}
    assert [timer.key for timer in timers.claim(connection, ["a", "b"], "A", 9, may_take_over=True)] == ["1"]


def test_a_timer_that_crashes_its_processes_is_begun_less_and_less_often(connection: Connection) -> None:
    timers.put(connection, "k", "x", at(-1), {})
    pauses = []
    for _ in range(11):
        connection.execute(text("UPDATE timers SET held_until = NULL"))
        timers.claim(connection, ["k"], "A", 9, may_take_over=True)
        held_until = datetime.fromisoformat(str(connection.execute(text("SELECT held_until FROM timers")).scalar()))
        pauses.append(round((held_until - datetime.fromisoformat(timers.store_time(connection))).total_seconds()))
    assert pauses == [6, 6, 6, 8, 16, 32, 64, 128, 256, 300, 300]


def test_after_a_crash_the_one_process_of_sqlite_runs_again_at_once_what_is_no_suspect(connection: Connection) -> None:
    for key, attempts in (("fresh", 1), ("suspect", timers.FREE_CRASHES + 1)):
        timers.put(connection, "k", key, at(-1), {})
        for _ in range(attempts):
            connection.execute(text("UPDATE timers SET held_until = NULL WHERE key = :key"), {"key": key})
            timers.claim(connection, ["k"], "A", 9, may_take_over=True)
    timers.release_crashed(connection)
    claimed = timers.claim(connection, ["k"], "B", 9, may_take_over=True)
    assert [timer.key for timer in claimed] == (["fresh"] if connection.dialect.name == "sqlite" else [])


def test_a_time_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="the timer k 'x' is due has no time zone"):
        timers.put(connection, "k", "x", datetime(2026, 12, 15, 9), {})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    make_file(tmp_path / "store.db")
    opened = await open_database(f"sqlite:///{tmp_path}/store.db")
    yield opened
    await opened.close()


@asynccontextmanager
async def running(timers_of_process: Timers) -> AsyncIterator[None]:
    """Runs a process's timers meanwhile."""
    task = asyncio.create_task(timers_of_process.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("steps", range(8))
async def test_a_stop_that_comes_with_a_wake_is_no_wake(database: Database, steps: int) -> None:
    looking_seldom = Timers(database, Metrics(), look_seconds=NEVER)
    task = asyncio.create_task(looking_seldom.run())
    await asyncio.sleep(0.1)  # it waits for the next look
    looking_seldom.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE)
    assert task in done
    assert task.cancelled()


async def test_a_timer_that_this_process_puts_is_not_kept_for_the_next_look(database: Database) -> None:
    looking_seldom, done = Timers(database, Metrics(), look_seconds=NEVER), asyncio.Event()

    async def handle(_timer: Timer) -> None:
        done.set()

    looking_seldom.register("k", handle)
    async with running(looking_seldom):
        await looking_seldom.put("k", "far", at(NEVER * 2))
        await asyncio.sleep(0.3)  # it has looked, and goes by what it saw
        await looking_seldom.put("k", "near", at(0.2))
        await asyncio.wait_for(done.wait(), PATIENCE)


async def test_a_clock_that_is_set_back_while_timers_run_does_not_hold_them_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, done, real = Timers(database, Metrics(), look_seconds=0.1), asyncio.Event(), time.time

    async def handle(_timer: Timer) -> None:
        done.set()

    process.register("k", handle)
    monkeypatch.setattr(time, "time", lambda: real() + NEVER)
    async with running(process):
        await process.put("k", "x", datetime.fromtimestamp(time.time() + 1, UTC))
        await asyncio.sleep(0.5)
        assert not done.is_set()
        monkeypatch.setattr(time, "time", real)
        await asyncio.wait_for(done.wait(), PATIENCE)


async def test_so_many_run_at_once_and_the_next_follows_as_soon_as_one_has_ended(database: Database) -> None:
    process, go, ended = Timers(database, Metrics(), look_seconds=NEVER), asyncio.Event(), asyncio.Event()
    at_once, most, left = 0, 0, 3 * AT_ONCE

    async def handle(_timer: Timer) -> None:
        nonlocal at_once, most, left
        at_once, most = at_once + 1, max(most, at_once + 1)
        if at_once == AT_ONCE:
            asyncio.get_running_loop().call_later(0.2, go.set)
        await go.wait()
        at_once, left = at_once - 1, left - 1
        if not left:
            ended.set()

    process.register("k", handle)
    for number in range(left):
        await process.put("k", str(number), at(-1))
    async with running(process):
        await asyncio.wait_for(ended.wait(), PATIENCE)
    assert most == AT_ONCE


async def test_a_failure_is_counted_and_kept_with_its_timer(database: Database) -> None:
    metrics, ended = Metrics(), asyncio.Event()
    process, errors = Timers(database, metrics), list[object]()

    async def handle(timer: Timer) -> None:
        if timer.attempt == 1:
            raise ZeroDivisionError("x" * 1000)
        errors.extend(await database.read(_last_errors))
        ended.set()

    process.register("k", handle)
    await process.put("k", "x", at(-1))
    async with running(process):
        await asyncio.wait_for(ended.wait(), PATIENCE)
    assert errors == [f"ZeroDivisionError: {'x' * 1000}"[:500]]
    assert metrics.registry.get_sample_value("horizonai_timers_total", {"kind": "k", "result": "failed"}) == 1


def _last_errors(connection: Connection) -> list[object]:
    return list(connection.execute(text("SELECT last_error FROM timers")).scalars())


async def test_a_kind_has_one_handler_and_its_failures_are_counted_from_0(database: Database) -> None:
    metrics = Metrics()
    process = Timers(database, metrics)

    async def handle(_timer: Timer) -> RunAgain:
        return RunAgain(1)

    process.register("k", handle)
    with pytest.raises(ValueError, match="'k' have a handler already"):
        process.register("k", handle)
    assert metrics.registry.get_sample_value("horizonai_timers_total", {"kind": "k", "result": "failed"}) == 0
