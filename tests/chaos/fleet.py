"""The runtimes under test, behind a balancer: one on SQLite, three on PostgreSQL, each by a way of its own.

It ends only processes that it started, by their handle, and leaves no database behind.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from runtime.store.database.engine import open_engine
from tests.chaos.balancer import Balancer
from tests.chaos.relay import Relay
from tests.chaos.scenario import Kill, Silence
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox

REPLICAS = {"sqlite": 1, "postgresql": 3}
"""Processes on each store."""
SETTINGS = {
    "DEBOUNCE_SECONDS": "0.2",
    "REPLY_WITHIN_SECONDS": "0.8",
    "MODEL_TIMEOUT_SECONDS": "2.5",
    "SWEEP_SECONDS": "5",
    "TURN_DEADLINE_SECONDS": "600",
    "STOP_GRACE_SECONDS": "20",
}
"""Both ways of answering are used, and time-outs end within the run; no user gets the fallback message."""


def _locks() -> Sequence[Lock]:
    return [Lock() for _ in range(max(REPLICAS.values()))]


class NotStarted(Exception):
    """A runtime did not start, or not again; the text is its last word."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Runtimes that serve one store."""

    store: str
    url: str
    """What Twilio calls."""
    replicas: tuple[Runtime, ...]
    start_seconds: float
    """How long a start takes on this machine, as busy as it is."""
    database_url: str
    relays: tuple[Relay, ...] = ()
    """Of each replica, its way to PostgreSQL."""
    _signalled: Sequence[Lock] = field(default_factory=_locks)
    """Held while a replica gets a signal."""
    _starting: Sequence[Lock] = field(default_factory=_locks)
    """Held while a replica starts, which needs its store, and while it is cut off."""

    def kill(self, kill: Kill) -> None:
        """kill -9 of one replica, and its next start; returns when it serves again."""
        replica = self.replicas[kill.replica]
        with self._signalled[kill.replica]:
            replica.kill()
        with self._starting[kill.replica], self._signalled[kill.replica]:
            try:
                replica.start_again()
            except RuntimeError as error:
                raise _not_started(error) from error

    def freeze(self, freeze: Silence) -> None:
        """SIGSTOP to one replica, and SIGCONT after a while, unless it was killed meanwhile."""
        lock = self._signalled[freeze.replica]
        with lock:
            frozen = self.replicas[freeze.replica].process
            frozen.send_signal(signal.SIGSTOP)
        time.sleep(freeze.seconds)
        with lock:
            frozen.send_signal(signal.SIGCONT)

    def cut_off(self, cut: Silence) -> None:
        """Cuts one replica off from PostgreSQL for a while."""
        relay = self.relays[cut.replica]
        with self._starting[cut.replica]:
            relay.cut()
            time.sleep(cut.seconds)
            relay.restore()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the store has."""
        engine = open_engine(self.database_url)
        try:
            with engine.begin() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(sql)]
        finally:
            engine.dispose()

    def stop(self) -> list[int]:
        """SIGTERM to each; gives the exit codes."""
        return [replica.stop() for replica in self.replicas]


@contextmanager
def fleet(
    folder: Path, sandbox: Sandbox, store: str, seed: int, database_url: str | None = None, **changes: str
) -> Iterator[Fleet]:
    """Runtimes from entering to leaving, with `changes` to their settings. Their store is a new one; a database that is
    given is reached without relays."""
    with ExitStack() as cleanup:
        balancer = cleanup.enter_context(Balancer(seed))
        count = REPLICAS[store]
        relays: tuple[Relay, ...] = ()
        if database_url is None and store == "postgresql":
            database_url = make_database()
            cleanup.callback(drop_database, database_url)
            relays = tuple(cleanup.enter_context(Relay(database_url)) for _ in range(count))
        database_url = database_url or f"sqlite:///{folder}/runtime.db"
        ways = [relay.url for relay in relays] or [database_url] * count
        settings = SETTINGS | {"PUBLIC_URL": balancer.url} | changes
        began = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            # All at once, as in a deploy: they find an empty store together.
            starts = [
                pool.submit(_started, folder / f"replica-{number}", sandbox, cleanup, settings | {"DATABASE_URL": way})
                for number, way in enumerate(ways)
            ]
        replicas = tuple(start.result() for start in starts)
        start_seconds = (time.monotonic() - began) / len(replicas)
        balancer.ports = [replica.port for replica in replicas]
        yield Fleet(store, balancer.url, replicas, start_seconds, database_url, relays)


def _started(folder: Path, sandbox: Sandbox, cleanup: ExitStack, settings: dict[str, str]) -> Runtime:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        runtime = start_runtime(folder, sandbox, **settings)
    except RuntimeError as error:
        raise _not_started(error) from error
    cleanup.callback(_end, runtime)
    return runtime


def _end(runtime: Runtime) -> None:
    if runtime.process.poll() is None:
        runtime.kill()


def _not_started(error: RuntimeError) -> NotStarted:
    return NotStarted(str(error).strip().rpartition("\n")[2])
