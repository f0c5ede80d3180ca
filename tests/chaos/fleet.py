"""The runtimes under test, behind a balancer: one on SQLite, three on PostgreSQL.

It ends only processes that it started, by their handle, and leaves no database behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.balancer import Balancer
from tests.chaos.scenario import Kill
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

    def kill(self, kill: Kill) -> None:
        """kill -9 of one replica, and its next start; returns when it serves again."""
        replica = self.replicas[kill.replica]
        replica.kill()
        try:
            replica.start_again()
        except RuntimeError as error:
            raise _not_started(error) from error

    def stop(self) -> list[int]:
        """SIGTERM to each; gives the exit codes."""
        return [replica.stop() for replica in self.replicas]


@contextmanager
def fleet(folder: Path, sandbox: Sandbox, store: str, seed: int) -> Iterator[Fleet]:
    """Runtimes with an empty store, from entering to leaving."""
    with ExitStack() as cleanup:
        balancer = cleanup.enter_context(Balancer(seed))
        database = f"sqlite:///{folder}/runtime.db"
        if store == "postgresql":
            database = make_database()
            cleanup.callback(drop_database, database)
        settings = SETTINGS | {"DATABASE_URL": database, "PUBLIC_URL": balancer.url}
        began = time.monotonic()
        with ThreadPoolExecutor(REPLICAS[store]) as pool:
            # All at once, as in a deploy: they find an empty store together.
            starts = [
                pool.submit(_started, folder / f"replica-{number}", sandbox, cleanup, settings)
                for number in range(REPLICAS[store])
            ]
        replicas = tuple(start.result() for start in starts)
        start_seconds = (time.monotonic() - began) / len(replicas)
        balancer.ports = [replica.port for replica in replicas]
        yield Fleet(store, balancer.url, replicas, start_seconds)


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
