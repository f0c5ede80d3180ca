"""Sessions of the console. Functions over a connection.

    password ──► `code` for CODE_SECONDS ──second factor──► `open` until OPEN_SECONDS have passed, or IDLE_SECONDS
                                                            without a request; ended by signing out, `reset`, `disable`

A session is a random token in a cookie; its digest is stored. It is another one after each step, so that one which was
known before the step is worth nothing after it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.tokens import token_digest

Step = Literal["code", "open"]
CODE_SECONDS: Final = 300
OPEN_SECONDS: Final = 12 * 3600
IDLE_SECONDS: Final = 2 * 3600
SEEN_SECONDS: Final = 300
"""How exactly the last request is known: a row is written at most once in this time."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is valid."""

    email: str
    step: Step
    seen_at: str

    @property
    def is_seen_outdated(self) -> bool:
        """Whether its last request is to be recorded again."""
        return self.seen_at <= timestamp(time.time() - SEEN_SECONDS)


ADD = Statement(
    "INSERT INTO console_sessions (digest, email, step, created_at, seen_at, expires_at, address)"
    " VALUES (:digest, :email, :step, :now, :now, :until, :address)"
)
FIND = Statement(
    "SELECT email, step, seen_at FROM console_sessions WHERE digest = :digest AND expires_at > :now"
    " AND seen_at > :idle_since"
)
SEEN = Statement("UPDATE console_sessions SET seen_at = :now WHERE digest = :digest")
END = Statement("DELETE FROM console_sessions WHERE digest = :digest")
END_ALL = Statement("DELETE FROM console_sessions WHERE email = :email")
EXPIRED = Statement("DELETE FROM console_sessions WHERE expires_at <= :now")


def begin(connection: Connection, email: str, step: Step, address: str | None, former: str | None = None) -> str:
    """Begins a session in place of the one of the step before; returns its token. Those that have expired are
    deleted."""
    if former is not None:
        end(connection, former)
    now = time.time()
    EXPIRED.run(connection, now=timestamp(now))
    token = secrets.token_urlsafe(32)
    until = timestamp(now + (CODE_SECONDS if step == "code" else OPEN_SECONDS))
    ADD.run(
        connection,
        digest=token_digest(token),
        email=email,
        step=step,
        now=timestamp(now),
        until=until,
        address=address,
    )
    return token


def find(connection: Connection, token: str) -> Session | None:
    """The session of a token; None for one that has ended."""
    now = time.time()
    row = FIND.first(
        connection, digest=token_digest(token), now=timestamp(now), idle_since=timestamp(now - IDLE_SECONDS)
    )
    return None if row is None else Session(*row)


def note_request(connection: Connection, token: str) -> None:
    """Records that a session is used now."""
    SEEN.run(connection, digest=token_digest(token), now=timestamp())


def end(connection: Connection, token: str) -> None:
    """Ends a session."""
    END.run(connection, digest=token_digest(token))


def end_all(connection: Connection, email: str) -> None:
    """Ends all sessions of an operator."""
    END_ALL.run(connection, email=email)
