"""Operators of the console: people of the agency who sign in. Functions over a connection.

    invited ──accepts──► active ──disable──► disabled
       ▲                   │                    │
       └──────────────── reset ◄────────────────┘     another invitation; the password and all sessions end

An invitation is a link that is valid once and for INVITED_DAYS; only its digest is stored. Who has it chooses the
password and gets the secret of the second factor, which is made with the invitation. An operator is never deleted: the
audit names them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection

from runtime.store.console import sessions
from runtime.store.console.sessions import Session
from runtime.store.database.statement import Statement, pipelined
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.tokens import token_digest

Role = Literal["viewer", "operator", "privacy", "admin", "client"]
ROLES: Final[dict[Role, str]] = {
    "viewer": "reads",
    "operator": "also takes and answers conversations, and retries or drops messages without an answer",
    "privacy": "reads, and handles what people ask about their data",
    "admin": "all of it, and the audit, the tokens and the links to reports",
    "client": "of the client itself: reads its own conversations, waiting people and report, nothing else",
}
INVITED_DAYS: Final = 3
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who may sign in, as pages and lists see them: without password and second factor."""

    email: str
    """In lower case: the identity, and the name in the audit."""
    name: str
    role: Role
    clients: tuple[str, ...] | None
    """The only clients that they see; None: all."""
    created_at: str
    invited_until: str | None
    """Until when the invitation is valid; None once it was accepted."""
    disabled_at: str | None
    signed_in_at: str | None

    @property
    def is_active(self) -> bool:
        """Whether they may sign in."""
        return self.disabled_at is None and self.invited_until is None

    def sees(self, client: str) -> bool:
        """Whether a client is one of theirs."""
        return self.clients is None or client in self.clients


@dataclass(frozen=True, slots=True)
class SignInCredentials:
    """What a sign-in is checked against."""

    operator: Operator
    password: str
    """The hash, in argon2's own form."""
    totp_secret: str
    """In base 32."""


@dataclass(frozen=True, slots=True)
class NewOperator:
    """Who is invited."""

    email: str
    name: str
    role: Role
    clients: Collection[str] = ()
    """The only clients that they see; all without one."""


COLUMNS: Final = "email, name, role, clients, created_at, invited_until, disabled_at, signed_in_at"
ANY = Statement("SELECT 1 FROM operators LIMIT 1")
ALL = Statement(f"SELECT {COLUMNS} FROM operators ORDER BY email")  # noqa: S608 - our own names
NAMES = Statement("SELECT email, name FROM operators")
ONE = Statement(f"SELECT {COLUMNS} FROM operators WHERE email = :email")  # noqa: S608
SECRETS = Statement(f"SELECT {COLUMNS}, password, totp_secret FROM operators WHERE email = :email")  # noqa: S608
INVITED = Statement(
    f"SELECT {COLUMNS}, totp_secret FROM operators WHERE invitation = :digest AND invited_until > :now"  # noqa: S608
    " AND disabled_at IS NULL"
)
ADD = Statement(
    "INSERT INTO operators (email, name, role, clients, totp_secret, invitation, invited_until, created_at)"
    " VALUES (:email, :name, :role, :clients, :secret, :digest, :until, :now)"
)
INVITE_AGAIN = Statement(
    "UPDATE operators SET password = NULL, totp_secret = :secret, totp_used = NULL, invitation = :digest,"
    " invited_until = :until, disabled_at = NULL WHERE email = :email"
)
ACCEPT = Statement(
    "UPDATE operators SET password = :password, totp_used = :used, invitation = NULL, invited_until = NULL,"
    " signed_in_at = :now WHERE email = :email AND invitation = :digest"
)
DISABLE = Statement("UPDATE operators SET disabled_at = :now, invitation = NULL WHERE email = :email")
BOUND = Statement("SELECT email, clients FROM operators WHERE clients IS NOT NULL")
BIND = Statement("UPDATE operators SET clients = :clients WHERE email = :email")
USE_CODE = Statement(
    "UPDATE operators SET totp_used = :used, signed_in_at = :now WHERE email = :email AND disabled_at IS NULL"
    " AND (totp_used IS NULL OR totp_used < :used)"
)


class NoOperator(StoreError):
    """There is no operator with that address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"There is no operator {email!r}; see `horizonai-whatsapp-bot operator list`.")


def any_operator(connection: Connection) -> bool:
    """Whether anyone was ever invited: the console is served from then on."""
    return ANY.first(connection) is not None


def invite(connection: Connection, new: NewOperator, totp_secret: str) -> str:
    """Adds an operator; returns the invitation's token, which is not stored. Raises StoreError for one who is there."""
    if ONE.first(connection, email=new.email) is not None:
        raise StoreError(
            f"There is an operator {new.email!r} already; `operator reset {new.email}` invites them again."
        )
    token, until = _invitation()
    ADD.run(
        connection,
        email=new.email,
        name=new.name,
        role=new.role,
        clients=" ".join(sorted(set(new.clients))) or None,
        secret=totp_secret,
        digest=token_digest(token),
        until=until,
        now=timestamp(),
    )
    return token


def reset(connection: Connection, email: str, totp_secret: str) -> str:
    """Invites an operator again, also a disabled one; returns the invitation's token. Raises NoOperator."""
    token, until = _invitation()
    if not INVITE_AGAIN.run(connection, email=email, secret=totp_secret, digest=token_digest(token), until=until):
        raise NoOperator(email)
    sessions.end_all(connection, email)
    return token


def disable(connection: Connection, email: str) -> None:
    """Ends an operator's sessions, and lets them begin no other. Raises NoOperator."""
    if not DISABLE.run(connection, email=email, now=timestamp()):
        raise NoOperator(email)
    sessions.end_all(connection, email)


def list_operators(connection: Connection) -> list[Operator]:
    """All of them, by address."""
    return [operator_of(row) for row in ALL.rows(connection)]


def names(connection: Connection) -> dict[str, str]:
    """Address → name of every operator."""
    return dict(NAMES.rows(connection))


@pipelined
def visitor(connection: Connection, token: str) -> tuple[Operator, Session] | None:
    """Whose session it is, once both steps are done; None where there is none, or they may not sign in any more."""
    session = sessions.find(connection, token)
    if session is None or session.step != "open":
        return None
    row = ONE.first(connection, email=session.email)
    operator = None if row is None else operator_of(row)
    return None if operator is None or not operator.is_active else (operator, session)


def credentials(connection: Connection, email: str) -> SignInCredentials | None:
    """What a sign-in is checked against; None for an address that may not sign in."""
    row = SECRETS.first(connection, email=email)
    if row is None or row[-2] is None or not (operator := operator_of(row[:-2])).is_active:
        return None
    return SignInCredentials(operator, row[-2], row[-1])


def invited(connection: Connection, token: str) -> tuple[Operator, str] | None:
    """Whom an invitation is for, with the secret of the second factor; None for one that is not valid."""
    row = INVITED.first(connection, digest=token_digest(token), now=timestamp())
    return None if row is None else (operator_of(row[:-1]), row[-1])


def accept(connection: Connection, token: str, email: str, password: str, step: int) -> bool:
    """Stores the password's hash, and the time step of the code that came with it: who accepts has signed in. False
    where the invitation was used meanwhile."""
    digest, now = token_digest(token), timestamp()
    return bool(ACCEPT.run(connection, email=email, digest=digest, password=password, used=step, now=now))


def use_code(connection: Connection, email: str, step: int) -> bool:
    """Notes that a code of the second factor was used, by its time step; False where that one or a later one was: each
    is valid once."""
    return bool(USE_CODE.run(connection, email=email, used=step, now=timestamp()))


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Lets the operators who are bound to a client see it under its new id."""
    for email, clients in BOUND.rows(connection):
        if former in clients.split():
            bound = {client if name == former else name for name in clients.split()}
            BIND.run(connection, email=email, clients=" ".join(sorted(bound)))


def operator_of(row: Sequence[Any]) -> Operator:
    """A row of COLUMNS."""
    email, name, role, clients, created_at, invited_until, disabled_at, signed_in_at = row
    seen = None if clients is None else tuple(clients.split())
    return Operator(email, name, role, seen, created_at, invited_until, disabled_at, signed_in_at)


def _invitation() -> tuple[str, str]:
    return secrets.token_urlsafe(32), timestamp(time.time() + INVITED_DAYS * DAY_SECONDS)
