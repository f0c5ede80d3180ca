"""The runtimes that serve one store: one process on SQLite, two replicas on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Answer, Line, Runtime, inbound_fields, open_line, signed_webhook, start_runtime
from tests.sandbox_process import Sandbox, wait_until

USER = "+56912345678"
SETTINGS = {"REPLY_WITHIN_SECONDS": "0", "MODEL_TIMEOUT_SECONDS": "20", "SWEEP_SECONDS": "0", "DEBOUNCE_SECONDS": "0"}
PATIENCE = 40.0
"""Seconds within which everything is answered, also after a replica died, on a machine that is busy."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Runtimes on the same store."""

    replicas: list[Runtime]
    sandbox: Sandbox
    database_url: str

    def open_line(self, **fields: object) -> Line:
        """A bot that every replica answers for."""
        return open_line(self.replicas[0], self.sandbox, **fields)

    def deliver(self, line: Line, text: str, replica: int = 0, origin: str = USER, **fields: str) -> Answer:
        """A user's message, brought to that replica (counted round) by its webhook."""
        fields = inbound_fields(line.number, text, **{"From": f"whatsapp:{origin}", **fields})
        return signed_webhook(self.replicas[replica % len(self.replicas)], fields)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Runs a statement on the store and returns its rows."""
        if self.database_url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as store, store:
                return store.execute(query).fetchall()
        with psycopg.connect(self.database_url) as server:
            return server.execute(query).fetchall()

    def wait_for_turns(self, line: Line, count: int) -> None:
        """Waits until `count` turns of a bot have begun and not ended."""
        query = f"SELECT count(*) FROM turns WHERE state = 'running' AND bot_id = '{line.bot['id']}'"
        wait_until(lambda: self.rows(query) == [(count,)], PATIENCE, f"{count} turns in the making")

    def kill(self) -> None:
        """kill -9 of every replica."""
        for replica in self.replicas:
            replica.kill()

    def start_again(self) -> None:
        """Starts every replica that was ended."""
        for replica in self.replicas:
            replica.start_again()


@contextmanager
def fleet_on(store: str, folder: Path, sandbox: Sandbox, program: str = "runtime", **settings: str) -> Iterator[Fleet]:
    """Serves an empty store; ends what runs of it at the end."""
    with ExitStack() as cleanup:
        url = f"sqlite:///{folder}/store.db"
        if store == "postgresql":
            url = make_database()
            cleanup.callback(drop_database, url)
        replicas = []
        for number in range(2 if store == "postgresql" else 1):
            home = folder / f"replica-{number}"
            home.mkdir()
            replicas.append(start_runtime(home, sandbox, program, **{**SETTINGS, **settings, "DATABASE_URL": url}))
            cleanup.callback(_end, replicas[-1])
        yield Fleet(replicas, sandbox, url)


def answers(line: Line, count: int, origin: str = USER) -> list[str]:
    """What was sent to a user, once there are `count` messages; and no more than those."""
    wait_until(lambda: len(line.outbound(origin)) >= count, PATIENCE, f"{count} answers")
    return [entry["body"] for entry in line.outbound(origin)]


def _end(replica: Runtime) -> None:
    if replica.process.poll() is None:
        replica.kill()
