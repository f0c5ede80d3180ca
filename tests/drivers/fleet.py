"""The runtimes that serve one store: one process on SQLite, two replicas on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from runtime.store.database.times import timestamp
from tests.runtime.stores import drop_database, make_database, make_file, readable
from tests.runtime_process import Answer, Line, Runtime, inbound_fields, open_line, signed_webhook, start_runtime
from tests.sandbox_process import Sandbox, wait_until

USER = "+56912345678"
SETTINGS = {"REPLY_WITHIN_SECONDS": "0", "MODEL_TIMEOUT_SECONDS": "20", "SWEEP_SECONDS": "0", "DEBOUNCE_SECONDS": "0"}


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

    def heard(self, shop: Line, user: str = USER) -> None:
        """A message of a user that was answered long ago, as far as the store knows: WhatsApp delivers free text."""
        address, bot = f"whatsapp:{user}", shop.bot["id"]
        now = timestamp()
        [(key,)] = self.rows(
            "INSERT INTO conversations (bot_id, user_key, created_at)"
            f" VALUES ('{bot}', '{address}', '{now}') RETURNING id"
        )
        self.rows(
            "INSERT INTO conversation_aliases (bot_id, alias, conversation_id)"
            f" VALUES ('{bot}', '{address}', {key}) RETURNING 1"
        )
        self.rows(
            "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
            " received_at)"
            f" VALUES ('AC1', 'SM-{bot}-{user}', '{bot}', {key}, '{address}', 'Hola', '{{}}', 'answered', '{now}')"
            " RETURNING 1"
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Runs a statement on the store and returns its rows."""
        if self.database_url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as store, store:
                return readable(store.execute(query))
        with psycopg.connect(self.database_url) as server:
            return readable(server.execute(query))

    def wait_for_turns(self, line: Line, count: int) -> None:
        """Waits until `count` turns of a bot have begun and not ended, and no stored message waits for one: an answer
        arrives before its turn has ended."""
        bot = f"bot_id = '{line.bot['id']}'"
        running = f"SELECT count(*) FROM turns WHERE state = 'running' AND {bot}"
        waiting = f"SELECT count(*) FROM inbox WHERE state = 'open' AND turn_id IS NULL AND {bot}"
        query = f"SELECT ({running}), ({waiting})"
        wait_until(lambda: self.rows(query) == [(count, 0)], what=f"{count} turns in the making")

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
        if store == "postgresql":
            url = make_database()
            cleanup.callback(drop_database, url)
        else:
            url = f"sqlite:///{folder}/store.db"
            make_file(folder / "store.db")
        replicas = []
        for number in range(2 if store == "postgresql" else 1):
            home = folder / f"replica-{number}"
            home.mkdir()
            replicas.append(start_runtime(home, sandbox, program, **{**SETTINGS, **settings, "DATABASE_URL": url}))
            cleanup.callback(_end, replicas[-1])
        yield Fleet(replicas, sandbox, url)


def answers(line: Line, count: int, origin: str = USER) -> list[str]:
    """What was sent to a user, once there are `count` messages; and no more than those."""
    wait_until(lambda: len(line.outbound(origin)) >= count, what=f"{count} answers")
    return [entry["body"] for entry in line.outbound(origin)]


def _end(replica: Runtime) -> None:
    if replica.process.poll() is None:
        replica.kill()
