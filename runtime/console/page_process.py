"""The process in which pages are read from the store and made, beside the service: what they take of a processor is not
taken from those who write messages. The service starts it with the first page (`runtime.console.page_store`), and it
ends with its standard input.

    service ─── number, job ───► reads in threads, pages one after the other ─── number, outcome ───► service

Both ways: the length of a pickle in LENGTH bytes, then the pickle. The first one is a StoreAccess.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from io import BytesIO
from operator import attrgetter
from signal import SIG_IGN, SIGINT, SIGTERM, signal
from traceback import format_exception
from typing import Any, BinaryIO, Final

from runtime.console.rendering import rendered
from runtime.store.database.database import Database, open_database
from runtime.store.database.traces import Trace, traced
from runtime.store.encryption import keyring
from runtime.store_keys import StoreKeys
from schemas.money import Language

CONNECTIONS: Final = 2
"""To PostgreSQL, one for pages and one for the brief look at what is new. PostgreSQL does not know who is in a hurry:
with ten consoles open on two cores, pages that were read several at a time made the p99 of answering four times as
long."""
NICENESS: Final = 10
"""Where processors are short, people who wait for an answer on WhatsApp go first."""
GIVES_WAY: Final = getattr(os, "SCHED_IDLE", None)
"""Linux's policy of a process that gives way at once to any other. By its niceness alone it has a processor for some
milliseconds more: with ten consoles open, p99 of answering was a fifth longer by that."""
LENGTH: Final = 4
BYTE_ORDER: Final = "big"


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """What the process reads the store with; the first thing that it is sent."""

    database_url: str
    keys: StoreKeys | None
    """That texts in the store are encrypted with."""
    gives_way: bool = True
    """Whether it has a processor only while no one else wants it; a process cannot take that back."""


@dataclass(frozen=True, slots=True)
class Read:
    """A function that reads from the store: its outcome is the result with the traces that it leaves, not written."""

    operation: Callable[..., Any]
    arguments: Sequence[Any]
    named: Mapping[str, Any]

    async def done(self, store: _Store) -> object:
        """Does it."""
        database = await store.database()
        return await database.read(traced, self.operation, *self.arguments, **self.named)


@dataclass(frozen=True, slots=True)
class Make:
    """A page from a template: its outcome is the text, None where there is nothing to show, with the traces of what was
    read for it, not written."""

    template: str
    language: Language
    values: Mapping[str, Any]
    operation: Callable[..., Any] | None
    """What is read for it."""
    shape: Callable[[Any], Mapping[str, Any]] | None
    """What was read → values."""

    async def done(self, store: _Store) -> tuple[str | None, Sequence[Trace]]:
        """Does it."""
        if self.operation is None or self.shape is None:
            return rendered(self.template, self.language, self.values), ()
        database = await store.database()
        found, traces = await database.read(traced, self.operation)
        if found is None:
            return None, traces
        return rendered(self.template, self.language, {**self.values, **self.shape(found)}), traces


Job = Read | Make


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that a job raised, as it is sent: exceptions are not pickled by what they are made from."""

    kind: type[Exception]
    args: Sequence[Any]
    state: Mapping[str, Any]

    @classmethod
    def of(cls, error: Exception) -> Raised:
        """An exception, with where it was raised as a note."""
        error.add_note("".join(format_exception(error)))
        return cls(type(error), error.args, vars(error))

    def again(self) -> Exception:
        """The same exception."""
        error = self.kind.__new__(self.kind)
        error.args = tuple(self.args)
        vars(error).update(self.state)
        return error


JobOutcome = tuple[int, Any]
"""The number of a job, and its result or what it Raised."""


def framed(value: object) -> bytes:
    """A value as it is sent."""
    data = BytesIO()
    _Pickler(data, pickle.HIGHEST_PROTOCOL).dump(value)
    return data.tell().to_bytes(LENGTH, BYTE_ORDER) + data.getbuffer()


class _Pickler(pickle.Pickler):
    """Data classes with slots as their class and values: what they are pickled as otherwise is put together field by
    field in Python, which was a third of what a page takes in the service."""

    def reducer_override(self, obj: Any) -> Any:
        """See pickle.Pickler."""
        kind: Any = type(obj)
        values = _values_of(kind)
        return NotImplemented if values is None else (kind, values(obj))


@cache
def _values_of(kind: Any) -> Callable[[Any], Sequence[Any]] | None:
    """What gives the values that a data class is made from; None for other classes, and for those that are made in
    another way."""
    if not is_dataclass(kind) or not hasattr(kind, "__slots__") or hasattr(kind, "__post_init__"):
        return None
    if not all(one.init and not one.kw_only for one in fields(kind)):
        return None
    names = [one.name for one in fields(kind)]
    return attrgetter(*names) if len(names) > 1 else lambda obj: tuple(getattr(obj, name) for name in names)


async def received(reader: asyncio.StreamReader) -> Any:
    """The next value. Raises asyncio.IncompleteReadError at the end."""
    length = int.from_bytes(await reader.readexactly(LENGTH), BYTE_ORDER)
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from the service itself, or its own process


def main() -> None:
    """Serves until standard input ends, which it does however the service ends; signals to both are the service's. What
    anything prints goes to standard error."""
    signal(SIGINT, SIG_IGN)
    signal(SIGTERM, SIG_IGN)
    os.nice(NICENESS)
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        asyncio.run(_serve(out))


async def _serve(out: BinaryIO) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    access: StoreAccess = await received(reader)
    if access.gives_way and GIVES_WAY is not None:
        os.sched_setscheduler(0, GIVES_WAY, os.sched_param(0))
    keyring.use(access.keys)
    store = _Store(access)
    async with asyncio.TaskGroup() as jobs:
        while True:
            try:
                number, job = await received(reader)
            except asyncio.IncompleteReadError:
                break
            jobs.create_task(_answer(out, number, job, store))
    await store.close()


class _Store:
    """The store, opened with the first job that needs it; where that fails, the job raises it and the next one tries
    again."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._database: Database | None = None
        self._opening = asyncio.Lock()

    async def database(self) -> Database:
        """The opened one. Raises StoreError."""
        async with self._opening:
            if self._database is None:
                self._database = await open_database(self._access.database_url, serving=False, connections=CONNECTIONS)
            return self._database

    async def close(self) -> None:
        """Closes what was opened."""
        if self._database is not None:
            await self._database.close()


async def _answer(out: BinaryIO, number: int, job: Job, store: _Store) -> None:
    try:
        frame = framed((number, await job.done(store)))
    except Exception as error:  # noqa: BLE001 - raised in the service
        frame = framed((number, Raised.of(error)))
    out.write(frame)
    out.flush()


if __name__ == "__main__":
    # As a module with its own name: what is sent is known by it.
    from runtime.console.page_process import main as named_main

    named_main()
