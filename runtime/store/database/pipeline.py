"""Connections to PostgreSQL on the event loop, for `pipelined` functions: statements are sent one after the other, and
a function that needs a result is set aside until it has come (a greenlet), while the loop does other work. No thread
takes part.

    function ── send, send, rows ──► set aside ── the result has come ──► continues ── returns ──► sync ──► its caller

The statements up to a sync are one transaction, which the server begins and commits by itself (PostgreSQL, Message
Flow, Pipelining): neither takes a statement. psycopg connects, and turns values into parameters and results into rows.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

from greenlet import getcurrent, greenlet
from psycopg import AsyncConnection, OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from runtime.store.encryption.keyring import connection_name

CONNECT_SECONDS = 10
PREPARED_FROM = 2
"""A statement is prepared when it is sent for this time; many are sent once."""
PREPARED_MOST = 300
"""Prepared statements of a connection; further ones are sent whole."""
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.PIPELINE_SYNC)

T = TypeVar("T")
Key = tuple[bytes, Sequence[int]]
"""A statement, and the types of its parameters."""


class Sent:
    """What was sent, and its result once that has come."""

    __slots__ = ("_pipeline", "prepares", "result")

    def __init__(self, pipeline: Pipeline, prepares: Key | None = None) -> None:
        self._pipeline = pipeline
        self.prepares = prepares
        """The statement that it prepares; None for one that is executed."""
        self.result: PGresult | None = None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Its rows. Raises psycopg's errors: its own, or that of an earlier statement, after which it was not done."""
        return self._pipeline.rows_of(self._done())

    def count(self) -> int:
        """Number of rows that it has changed. Raises as `fetchall`."""
        return self._done().command_tuples or 0

    def _done(self) -> PGresult:
        result = self.result or self._pipeline.wait_for(self)
        if result.status not in _DONE:
            raise self._pipeline.failure
        return result


class QueuedFunction(NamedTuple):
    """A function that is to be done, and where its outcome goes."""

    operation: Callable[[Any], Any]
    outcome: asyncio.Future[Any]
    context: Context


class Pipeline:
    """One connection, and the function that has it. To the function it is what SQLAlchemy's connection is to others, as
    far as `statement` asks for that."""

    dialect = SimpleNamespace(name="postgresql")

    def __init__(self, connection: AsyncConnection[Any], over: Callable[[Pipeline], None]) -> None:
        self.connection = self.driver_connection = self
        self.lost: Exception | None = None
        """Why the connection is of no use any more."""
        self._loop = asyncio.get_running_loop()
        self._raw = connection.pgconn
        self._socket = self._raw.socket
        self._over = over
        self._adapting = Transformer(connection)
        self._times: Counter[Key] = Counter()
        self._prepared: dict[Key, bytes] = {}
        self._names = 0
        self._expected: deque[Sent] = deque()
        self._is_between = True
        """Whether the result that comes next is the first of its statement: a statement's results end with None."""
        self._wanted: Sent | None = None
        self._worker: greenlet | None = None
        self._is_begun = False
        """Whether anything was sent since the last sync."""
        self._is_writing = False
        """Whether the socket takes no more for now."""
        self._failure: Exception | None = None
        self._raw.nonblocking = 1
        self._raw.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._readable)

    def begin(self, work: QueuedFunction) -> None:
        """Does a function, up to where it waits for a result. `over` is called after its end."""
        self._worker = greenlet(self._do)
        self._worker.gr_context = work.context
        self._go_on(work)

    def send(self, statement: bytes, values: Sequence[Any]) -> Sent:
        """Sends a statement, with `$1` for the first value. Raises psycopg's errors where a value cannot be one."""
        adapting = self._adapting
        parameters = adapting.dump_sequence(values, [PyFormat.AUTO] * len(values))
        types, formats = adapting.types or (), adapting.formats
        self._is_begun = True
        name = self._name_of((statement, types))
        if name is None:
            self._raw.send_query_params(statement, parameters, types, formats)
        else:
            self._raw.send_query_prepared(name, parameters, formats)
        sent = Sent(self)
        self._expected.append(sent)
        return sent

    def wait_for(self, sent: Sent) -> PGresult:
        """What comes for something sent. Raises OperationalError where the connection is lost before."""
        if sent.result is None and self.lost is None:
            self._raw.send_flush_request()
            self._set_aside(sent)
        if sent.result is None:
            raise self.lost or OperationalError("the connection is closed")
        return sent.result

    def commit(self) -> None:
        """Ends the transaction; what is sent afterwards is in another one. Raises psycopg's errors."""
        self._end(is_kept=True)

    def rows_of(self, result: PGresult) -> list[tuple[Any, ...]]:
        """The rows of a result."""
        self._adapting.set_pgresult(result)
        return self._adapting.load_rows(0, result.ntuples, tuple)

    @property
    def failure(self) -> Exception:
        """What has ended the transaction."""
        return self._failure or OperationalError("the transaction was ended")

    def close(self) -> None:
        """Closes the connection."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._raw.finish()

    def _go_on(self, *work: QueuedFunction) -> None:
        worker = self._worker
        assert worker is not None
        worker.switch(*work)
        if worker.dead:
            self._worker = None
            self._over(self)

    def _do(self, work: QueuedFunction) -> None:
        result, error = None, None
        try:
            result = work.operation(self)
        except Exception as raised:  # noqa: BLE001 - its caller's
            error = raised
        try:
            self._end(is_kept=error is None)
        except Exception as raised:  # noqa: BLE001 - its caller's
            error = error or raised
            if self._is_begun:  # it has not come to an end
                self._lose(raised)
        if work.outcome.done():  # its caller was cancelled
            return
        if error is None:
            work.outcome.set_result(result)
        else:
            work.outcome.set_exception(error)

    def _end(self, *, is_kept: bool) -> None:
        """Commits what was sent, or not. Raises psycopg's errors, also those of statements that were not waited for."""
        if not self._is_begun:
            return
        if not is_kept and self._failure is None:
            self.send(b"ROLLBACK", ())
        sync = Sent(self)
        self._raw.pipeline_sync()
        self._expected.append(sync)
        self._set_aside(sync)
        if sync.result is None:
            raise self.lost or OperationalError("the connection is closed")
        self._is_begun = False
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _set_aside(self, sent: Sent) -> None:
        """Until it has come, or the connection is lost."""
        self._flush()
        self._wanted = sent
        main = getcurrent().parent
        assert main is not None, "a function is done in a greenlet"
        while sent.result is None and self.lost is None:
            main.switch()
        self._wanted = None

    def _name_of(self, key: Key) -> bytes | None:
        """The name of a prepared statement; None for one that is sent whole."""
        name = self._prepared.get(key)
        if name is not None:
            return name
        self._times[key] += 1
        if self._times[key] < PREPARED_FROM or len(self._prepared) >= PREPARED_MOST:
            return None
        self._names += 1
        name = self._prepared[key] = f"prepared_{self._names}".encode()
        self._raw.send_prepare(name, *key)
        self._expected.append(Sent(self, prepares=key))
        return name

    def _flush(self) -> None:
        try:
            is_left = self._raw.flush()
        except OperationalError as error:
            self._lose(error)
            return
        if is_left and not self._is_writing:
            self._loop.add_writer(self._socket, self._writable)
        elif self._is_writing and not is_left:
            self._loop.remove_writer(self._socket)
        self._is_writing = bool(is_left)

    def _readable(self) -> None:
        try:
            self._receive()
        except OperationalError as error:
            self._lose(error)
        self._wake()

    def _writable(self) -> None:
        self._flush()
        self._wake()

    def _wake(self) -> None:
        """Continues the function where what it waits for has come."""
        wanted = self._wanted
        if wanted is not None and (wanted.result is not None or self.lost is not None):
            self._go_on()
        elif self._worker is None and self.lost is not None:
            self._over(self)

    def _receive(self) -> None:
        self._raw.consume_input()
        while not self._raw.is_busy():
            result = self._raw.get_result()
            if result is not None:
                self._is_between = result.status == ExecStatus.PIPELINE_SYNC
                self._take(result)
            elif self._is_between:
                return
            else:
                self._is_between = True

    def _take(self, result: PGresult) -> None:
        if not self._expected:  # what a server says that ends an idle connection
            return
        if result.status == ExecStatus.FATAL_ERROR and self._failure is None:
            self._failure = error_from_result(result)
        sent = self._expected.popleft()
        sent.result = result
        if sent.prepares is not None and result.status != ExecStatus.COMMAND_OK:
            del self._prepared[sent.prepares]

    def _lose(self, error: Exception) -> None:
        if self.lost is None:
            self.lost = self._failure or error
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)


class Pipelines:
    """Functions, each on one of a few connections, which are opened when they are needed."""

    def __init__(self, url: str, most: int) -> None:
        self.url = url
        self._most = most
        self._open: set[Pipeline] = set()
        self._idle: list[Pipeline] = []
        self._waiting: deque[QueuedFunction] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        """Something has ended: what was done on a connection, or opening one."""

    async def run(self, operation: Callable[[Any], T]) -> T:
        """Does a function, in a transaction. Raises psycopg's errors. It is done also where its caller is cancelled
        after it has begun."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        work = QueuedFunction(operation, outcome, copy_context())
        if self._idle:
            self._idle.pop().begin(work)
        else:
            self._waiting.append(work)
            self._open_another()
        return await outcome

    async def close(self) -> None:
        """Waits for what was begun, and closes the connections."""
        while self._opening or len(self._idle) < len(self._open):
            self._changed.clear()
            await self._changed.wait()
        for pipeline in self._open:
            pipeline.close()
        self._open.clear()
        self._idle.clear()

    def _open_another(self) -> None:
        """Where there may be another one."""
        if len(self._open) + len(self._opening) < self._most:
            opening = asyncio.create_task(self._opened())
            self._opening.add(opening)
            opening.add_done_callback(self._end_opening)

    async def _opened(self) -> None:
        try:
            connection = await AsyncConnection.connect(
                self.url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name=connection_name(),
            )
        except Exception as error:  # noqa: BLE001 - raised for one who waits
            self._fail(error)
            return
        pipeline = Pipeline(connection, self._over)
        self._open.add(pipeline)
        self._over(pipeline)

    def _fail(self, error: Exception) -> None:
        """It is raised for the first one that waits; for the next one it is tried again."""
        work = self._next()
        if work is not None:
            work.outcome.set_exception(error)

    def _end_opening(self, opening: asyncio.Task[None]) -> None:
        self._opening.discard(opening)
        if self._waiting:
            self._open_another()
        self._changed.set()

    def _over(self, pipeline: Pipeline) -> None:
        """A connection has nothing to do, or is lost."""
        if pipeline.lost is not None:
            pipeline.close()
            self._open.discard(pipeline)
            if pipeline in self._idle:
                self._idle.remove(pipeline)
            if self._waiting:
                self._open_another()
        elif (work := self._next()) is not None:
            pipeline.begin(work)
            return
        else:
            self._idle.append(pipeline)
        self._changed.set()

    def _next(self) -> QueuedFunction | None:
        while self._waiting:
            work = self._waiting.popleft()
            if not work.outcome.done():
                return work
        return None
