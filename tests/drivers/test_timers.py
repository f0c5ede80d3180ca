"""Timers on both stores: each is run once, at its time, whatever happens to the processes and to the clock."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from runtime.store import timers
from runtime.store.database.engine import open_engine
from tests.forked import Program, programs
from tests.runtime.stores import drop_database, make_database, new_store
from tests.sandbox_process import PATIENCE, ROOT, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
"""SQLite is the short form: the statements are the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and the processes that run its timers; what they did stands in one file."""

    url: str
    file: Path
    cleanup: ExitStack
    processes: list[Program] = field(default_factory=list)

    @property
    def replicas(self) -> int:
        """How many processes may serve the store."""
        return 1 if self.url.startswith("sqlite") else 2

    def start(self) -> Program:
        """One process more, running already when this returns."""
        module, arguments = "tests.drivers.timers_process", [self.url, str(self.file)]
        with self.file.with_suffix(".log").open("ab") as log:
            process = programs().start(module, arguments, ROOT, os.environ, log.fileno(), log.fileno())
        self.processes.append(process)
        self.cleanup.callback(_end, process)
        self.wait_for(("up",), process.pid)
        return process

    def start_all(self) -> None:
        """As many as may."""
        for _ in range(self.replicas):
            self.start()

    def process(self, pid: int) -> Program:
        """The process of that number."""
        return next(process for process in self.processes if process.pid == pid)

    def put(self, kind: str, key: str, due: float = 0.0, **payload: object) -> None:
        """Puts a timer from outside of all processes, due in `due` seconds."""
        with self.connection() as connection:
            timers.put(connection, kind, key, datetime.now(UTC) + timedelta(seconds=due), payload)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A transaction on the store."""
        engine = open_engine(self.url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with self.connection() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def lines(self) -> list[tuple[tuple[str, ...], int]]:
        """What the processes noted, each with the process that did."""
        if not self.file.exists():
            return []
        return [(tuple(words), int(pid)) for *words, pid in map(str.split, self.file.read_text().splitlines())]

    def count(self, *words: str) -> int:
        """How often something was noted."""
        return sum(noted == words for noted, _ in self.lines())

    def wait_for(self, words: tuple[str, ...], pid: int | None = None, seconds: float = PATIENCE) -> int:
        """Waits until something was noted, by one process or by any; gives which did so last."""

        def found() -> list[int]:
            return [by for noted, by in self.lines() if noted == words and pid in (None, by)]

        wait_until(lambda: found() != [], seconds, " ".join(words))
        return found()[-1]

    def wait_until_done(self, left: int = 0) -> None:
        """Waits until that many timers are left. A timer's row goes after its handler has noted the end."""
        wait_until(lambda: self.rows("SELECT count(*) FROM timers") == [(left,)], what="the last timer")


def _end(process: Program) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as cleanup:
        url = cleanup.enter_context(new_store(request.param, tmp_path))
        engine = open_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE effects (key TEXT NOT NULL)"))
        engine.dispose()
        yield Place(url, tmp_path / "noted", cleanup)


def test_what_is_due_is_done_once_by_whichever_process(place: Place) -> None:
    keys = [f"k{number}" for number in range(40)]
    for number, key in enumerate(keys):
        place.put("note", key, number % 3 * 0.5, takes=0.05)
    place.start_all()
    place.wait_until_done()
    assert sorted(noted for noted, _ in place.lines() if noted != ("up",)) == sorted(
        (word, key) for key in keys for word in ("begin", "end")
    )


def test_what_was_put_while_no_process_ran_is_done_in_its_order(place: Place) -> None:
    for key, due in (("third", -1.0), ("first", -3.0), ("second", -2.0)):
        place.put("note", key, due)
    place.start()
    place.wait_until_done()
    assert [noted[1] for noted, _ in place.lines() if noted[0] == "begin"] == ["first", "second", "third"]


def test_a_timer_whose_process_is_killed_is_run_again(place: Place) -> None:
    place.start_all()
    place.put("note", "k", takes=3)
    victim = place.wait_for(("begin", "k"))
    place.process(victim).kill()
    if place.replicas == 1:
        place.process(victim).wait()
        place.start()
    place.wait_until_done()
    assert (place.count("begin", "k"), place.count("end", "k")) == (2, 1)


def test_what_was_done_in_the_transaction_of_its_effect_is_not_done_again_after_a_kill(place: Place) -> None:
    place.start_all()
    place.put("once", "k", takes=30)
    victim = place.wait_for(("effect", "k"))
    place.process(victim).kill()
    place.process(victim).wait()
    # It comes after everything that is due: had the other one been due again, it would have been begun by then.
    place.put("note", "later", timers.HOLD_SECONDS + 1)
    if place.replicas == 1:
        place.start()
    place.wait_for(("end", "later"))
    assert place.rows("SELECT key FROM effects") == [("k",)]
    assert place.count("effect", "k") == 1


def test_a_stop_cuts_a_handler_off_and_leaves_its_timer_to_the_next(place: Place) -> None:
    first = place.start()
    place.put("note", "k", takes=2)
    place.wait_for(("begin", "k"))
    first.terminate()
    assert first.wait(10) == 0
    assert place.rows("SELECT attempts, holder, held_until FROM timers") == [(0, None, None)]
    place.start()
    place.wait_until_done()
    assert (place.count("begin", "k"), place.count("end", "k")) == (2, 1)


def test_a_timer_that_fails_is_run_again_after_a_pause_and_holds_up_no_other(place: Place) -> None:
    place.start()
    place.put("flaky", "bad", times=2)
    place.put("note", "good", 0.1)
    place.wait_for(("end", "good"))
    wait_until(
        lambda: place.rows("SELECT kind, last_error FROM timers") == [("flaky", "ZeroDivisionError: not this time")],
        what="the failure to be recorded",
    )
    place.wait_until_done()
    assert (place.count("begin", "bad"), place.count("end", "bad")) == (3, 1)


def test_a_timer_that_is_not_done_is_run_again_until_it_is(place: Place) -> None:
    place.start_all()
    place.put("note", "k", again=3)
    place.wait_until_done()
    assert place.count("end", "k") == 4


def test_what_is_put_again_while_it_runs_is_run_once_more_and_not_beside_it(place: Place) -> None:
    place.start_all()
    place.put("note", "k", takes=2)
    place.wait_for(("begin", "k"))
    place.put("note", "k")
    place.wait_until_done()
    assert [noted[0] for noted, _ in place.lines() if noted != ("up",)] == ["begin", "end"] * 2


def test_what_is_put_again_is_moved_and_what_is_cancelled_is_not_run(place: Place) -> None:
    place.put("note", "moved", 0.0)
    place.put("note", "moved", 3600)
    place.put("note", "cancelled")
    with place.connection() as connection:
        assert timers.cancel(connection, "note", "cancelled") is True
        assert timers.cancel(connection, "note", "cancelled") is False
    place.start()
    place.put("note", "last")
    place.wait_for(("end", "last"))
    assert {noted for noted, _ in place.lines()} == {("up",), ("begin", "last"), ("end", "last")}


def test_a_kind_that_no_process_knows_waits(place: Place) -> None:
    place.put("newer", "k", -5)
    place.put("note", "k")
    place.start()
    place.wait_for(("end", "k"))
    place.wait_until_done(left=1)
    assert place.rows("SELECT kind, attempts FROM timers") == [("newer", 0)]


SET_BACK = timedelta(hours=3)


def set_back(place: Place) -> None:
    """The clock is set back: a timer that was just put was put in the future."""

    def later(moment: str | None) -> str | None:
        return None if moment is None else timers.later(moment, SET_BACK.total_seconds())

    with place.connection() as connection:
        for kind, key, due_at, put_at, held_until in connection.execute(
            text("SELECT kind, key, due_at, put_at, held_until FROM timers")
        ).all():
            connection.execute(
                text(
                    "UPDATE timers SET due_at = :due_at, put_at = :put_at, held_until = :held_until"
                    " WHERE kind = :kind AND key = :key"
                ),
                {
                    "kind": kind,
                    "key": key,
                    "due_at": later(due_at),
                    "put_at": later(put_at),
                    "held_until": later(held_until),
                },
            )


def test_a_clock_that_was_set_back_holds_no_timer_up_for_the_size_of_the_step(place: Place) -> None:
    place.put("note", "soon", 1)
    place.put("note", "overdue", -1)
    place.put("note", "far", 3600)
    set_back(place)
    place.start()
    place.wait_for(("end", "overdue"))
    place.wait_for(("end", "soon"))
    place.wait_until_done(left=1)
    [(due_at,)] = place.rows("SELECT due_at FROM timers")
    assert datetime.fromisoformat(due_at) - datetime.now(UTC) < timedelta(seconds=3601)


@pytest.mark.long
@pytest.mark.postgres
def test_a_process_that_was_silent_is_taken_for_crashed_and_ends_nothing_that_another_has_taken(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with ExitStack() as cleanup:
        url = make_database()
        cleanup.callback(drop_database, url)
        place = Place(url, tmp_path / "noted", cleanup)
        place.start_all()
        place.put("note", "k", takes=timers.HOLD_SECONDS + 4)
        silent = place.wait_for(("begin", "k"))
        os.kill(silent, signal.SIGSTOP)
        wait_until(lambda: place.count("begin", "k") == 2, what="another process to take it over")
        # The one that took it over is still at it when the silent one comes back, and ends.
        os.kill(silent, signal.SIGCONT)
        place.wait_for(("end", "k"), silent)
        assert place.rows("SELECT attempts FROM timers") == [(2,)]
        place.wait_until_done()
        assert place.count("end", "k") == 2
        assert {by for noted, by in place.lines() if noted == ("end", "k")} == {p.pid for p in place.processes}
