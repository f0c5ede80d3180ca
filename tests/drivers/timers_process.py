"""A process that runs timers whose handlers note in a file what they do. Arguments: the store's URL, the file.

Kinds: `note` takes payload["takes"] seconds, `once` has its effect in the store (a row of the table `effects`), `flaky`
fails payload["times"] times.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import Connection

from runtime.dispatch.timers import RunAgain, Timers
from runtime.observability.metrics import Metrics
from runtime.store import timers as store
from runtime.store.database.database import Database, open_database
from runtime.store.database.statement import Statement
from runtime.store.timers import Timer

EFFECT = Statement("INSERT INTO effects (key) VALUES (:key)")


class Handlers:
    """What the kinds do."""

    def __init__(self, database: Database, file: Path) -> None:
        self._database = database
        self._file = file

    def say(self, *words: object) -> None:
        """Notes a line, whole also when the process is killed."""
        with self._file.open("ab", buffering=0) as file:
            file.write(" ".join(map(str, (*words, os.getpid()))).encode() + b"\n")

    async def note(self, timer: Timer) -> RunAgain | None:
        """Takes its time."""
        self.say("begin", timer.key)
        await asyncio.sleep(timer.payload.get("takes", 0))
        self.say("end", timer.key)
        left = timer.payload.get("again", 0)
        return RunAgain(0.05, {**timer.payload, "again": left - 1}) if left else None

    async def once(self, timer: Timer) -> None:
        """Its effect and its end are one commit; afterwards it takes its time."""
        await self._database.write(_effect, timer)
        self.say("effect", timer.key)
        await asyncio.sleep(timer.payload.get("takes", 0))
        self.say("end", timer.key)

    async def flaky(self, timer: Timer) -> None:
        """Fails some times."""
        self.say("begin", timer.key)
        if timer.attempt <= timer.payload["times"]:
            raise ZeroDivisionError("not this time")
        self.say("end", timer.key)


def _effect(connection: Connection, timer: Timer) -> None:
    EFFECT.run(connection, key=timer.key)
    store.finish(connection, timer)


async def main(url: str, file: Path) -> None:
    """Runs until SIGTERM."""
    database = await open_database(url)
    try:
        handlers = Handlers(database, file)
        timers = Timers(database, Metrics())
        for kind, handler in (("note", handlers.note), ("once", handlers.once), ("flaky", handlers.flaky)):
            timers.register(kind, handler)
        running = asyncio.create_task(timers.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        handlers.say("up")
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
