"""What reading leaves in the store: who read, and up to where. It is written once the read is done and before its
result is given, in a transaction of its own that has nothing else to do: a long read keeps no one who writes waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Concatenate

from sqlalchemy import Connection

from runtime.store.database.operation import P, T
from runtime.store.database.statement import pipelined

Trace = Callable[[Connection], Any]
"""A module's function, or a `partial` of one: it may have to be written by another process than the one that read."""

_later: ContextVar[list[Trace] | None] = ContextVar("traces", default=None)


def leave(connection: Connection, trace: Trace) -> None:
    """Leaves a trace: at once, or after the read where it is `traced`."""
    later = _later.get()
    if later is None:
        trace(connection)
    else:
        later.append(trace)


def traced(
    connection: Connection, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
) -> tuple[T, Sequence[Trace]]:
    """Runs a function on a connection that only reads: its result, and what is to be `left` before that is given."""
    traces: list[Trace] = []
    token = _later.set(traces)
    try:
        return operation(connection, *args, **kwargs), traces
    finally:
        _later.reset(token)


@pipelined
def left(connection: Connection, traces: Sequence[Trace]) -> None:
    """Writes traces."""
    for trace in traces:
        trace(connection)
