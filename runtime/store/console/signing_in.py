"""The steps of a sign-in, each in one transaction with its entry in the audit. Functions over a connection."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.console import accounts, failures, sessions
from runtime.store.console.accounts import Operator

KIND: Final = "operator"
"""Of the audit's rows."""


def fail(connection: Connection, email: str, address: str | None) -> str | None:
    """Counts a failed try; returns until when further ones are refused, None while they are not. What locks an account
    is in the audit."""
    before = failures.locked_until(connection, email, address)
    failures.note(connection, email, address)
    until = failures.locked_until(connection, email, address)
    if until is not None and before is None and accounts.credentials(connection, email) is not None:
        _audit(connection, _self(email, address), "locked", email)
    return until


def pass_code(
    connection: Connection, operator: Operator, step: int, address: str | None, former: str | None
) -> str | None:
    """Begins a session after the second factor, in place of that of the first; None where the code was used before."""
    if not accounts.use_code(connection, operator.email, step):
        return None
    failures.clear(connection, operator.email)
    _audit(connection, _self(operator.email, address), "signed_in", operator.email)
    return sessions.begin(connection, operator.email, "open", address, former)


def accept(
    connection: Connection, invitation: str, operator: Operator, password: str, step: int, address: str | None
) -> str | None:
    """Accepts an invitation and begins a session; None where it was used meanwhile."""
    if not accounts.accept(connection, invitation, operator.email, password, step):
        return None
    _audit(connection, _self(operator.email, address), "accepted", operator.email)
    return sessions.begin(connection, operator.email, "open", address)


def sign_out(connection: Connection, actor: Actor, token: str) -> None:
    """Ends a session."""
    sessions.end(connection, token)
    _audit(connection, actor, "signed_out", actor.name)


def invite(connection: Connection, actor: Actor, new: accounts.NewOperator, totp_secret: str) -> str:
    """As `accounts.invite`."""
    token = accounts.invite(connection, new, totp_secret)
    _audit(connection, actor, "invited", new.email, f"role {new.role}", *new.clients)
    return token


def reset(connection: Connection, actor: Actor, email: str, totp_secret: str) -> str:
    """As `accounts.reset`."""
    token = accounts.reset(connection, email, totp_secret)
    _audit(connection, actor, "reset", email)
    return token


def disable(connection: Connection, actor: Actor, email: str) -> None:
    """As `accounts.disable`."""
    accounts.disable(connection, email)
    _audit(connection, actor, "disabled", email)


def _self(email: str, address: str | None) -> Actor:
    return Actor(email, "console", address)


def _audit(connection: Connection, actor: Actor, action: str, email: str, *fields: str) -> None:
    record(connection, actor, Entry(action, KIND, email, fields=fields))
