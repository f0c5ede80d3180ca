"""Failed sign-ins: after too many within PERIOD_SECONDS an account, or an address, has to wait. Functions over a
connection, so that all replicas count together.

An address of mail under which no one was invited is counted like any other: what is refused does not show who is an
operator.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

PERIOD_SECONDS: Final = 900
"""From the first failure on."""
ACCOUNT_LIMIT: Final = 10
ADDRESS_LIMIT: Final = 30

UNTIL = Statement("SELECT until FROM sign_in_failures WHERE key = :key AND until > :now AND count >= :most")
ADD = Statement(
    "INSERT INTO sign_in_failures (key, count, until) VALUES (:key, 1, :until) ON CONFLICT (key) DO UPDATE"
    " SET count = CASE WHEN sign_in_failures.until > :now THEN sign_in_failures.count + 1 ELSE 1 END,"
    " until = CASE WHEN sign_in_failures.until > :now THEN sign_in_failures.until ELSE excluded.until END"
)
OVER = Statement("DELETE FROM sign_in_failures WHERE until <= :now")
CLEAR = Statement("DELETE FROM sign_in_failures WHERE key = :key")


def locked_until(connection: Connection, email: str, address: str | None) -> str | None:
    """Until when a sign-in with this address of mail, or from there, is refused; None: it is not."""
    now = timestamp()
    rows = [UNTIL.first(connection, key=key, now=now, most=most) for key, most in _limits(email, address).items()]
    return max((str(row[0]) for row in rows if row is not None), default=None)


def note(connection: Connection, email: str, address: str | None) -> None:
    """Counts a failure, and deletes those that count no more."""
    now = time.time()
    OVER.run(connection, now=timestamp(now))
    for key in _limits(email, address):
        ADD.run(connection, key=key, now=timestamp(now), until=timestamp(now + PERIOD_SECONDS))


def clear(connection: Connection, email: str) -> None:
    """Forgets the failures of an account that has signed in."""
    CLEAR.run(connection, key=_account(email))


def _limits(email: str, address: str | None) -> Mapping[str, int]:
    limits = {_account(email): ACCOUNT_LIMIT}
    return limits if address is None else limits | {f"address {address}": ADDRESS_LIMIT}


def _account(email: str) -> str:
    return f"account {sha256(email.encode('utf-8', 'surrogatepass')).hexdigest()}"
