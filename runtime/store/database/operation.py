"""An operation on the store: a plain function over a connection, with its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


def bound(
    operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> Callable[[Connection], T]:
    def run(connection: Connection) -> T:
        return operation(connection, *args, **kwargs)

    return run
