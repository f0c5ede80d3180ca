"""Tokens of the management API. Functions over a connection.

Only a SHA-256 digest is stored. A slow password hash would add nothing: a token is 256 random bits, which cannot be
guessed, and it is checked on every request.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, and_, insert, or_, select, update

from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.tables import bots, tokens

Scope = Literal["read", "write", "messages", "campaigns", "privacy", "metrics"]
SCOPES: Final[Mapping[Scope, str]] = {
    "read": "lists and plans, without what people wrote",
    "write": "also changes",
    "messages": "what `read` may, and what people wrote",
    "campaigns": "sends to lists of people; with `write`, marketing templates one by one",
    "privacy": "finds, exports, blocks and erases a person, and keeps the register of what people ask for",
    "metrics": "/metrics only",
}
INCLUDED: Final[Mapping[Scope, frozenset[Scope]]] = {
    "metrics": frozenset({"metrics"}),
    "read": frozenset({"read", "metrics"}),
    "write": frozenset({"write", "read", "metrics"}),
    "messages": frozenset({"messages", "read", "metrics"}),
    "campaigns": frozenset({"campaigns"}),
    "privacy": frozenset({"privacy"}),
}
"""Every scope that a token has through one of its own."""
DAY_SECONDS = 86_400
USE_SECONDS = 600
"""How exactly the last use is known. A row is written at most once in this time, not with each request."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is listed: never the token itself."""

    name: str
    scopes: tuple[str, ...]
    """As it was created; see INCLUDED."""
    created_at: str
    revoked_at: str | None
    clients: tuple[str, ...] | None
    """The only clients that it reaches; None: all, and the installation's own records."""
    expires_at: str | None
    last_used_at: str | None
    former_until: str | None = None
    """Until when the token before the last exchange is valid too."""
    is_former: bool = False
    """Whether it was found by the token before the last exchange."""

    @property
    def is_expired(self) -> bool:
        """Whether it was valid only until a time that has passed."""
        return self.expires_at is not None and self.expires_at <= timestamp()

    @property
    def has_former(self) -> bool:
        """Whether the token before the last exchange is valid too."""
        return self.former_until is not None and self.former_until > timestamp()

    @property
    def is_use_outdated(self) -> bool:
        """Whether its last use is to be recorded again."""
        return self.last_used_at is None or self.last_used_at <= timestamp(time.time() - USE_SECONDS)


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is to be."""

    name: str
    scopes: Collection[Scope]
    clients: Collection[str] = ()
    """The only clients that it reaches; all without one."""
    days: int | None = None
    """How long it is valid; until it is revoked without a number."""


_COLUMNS = (
    tokens.c.name,
    tokens.c.scope,
    tokens.c.created_at,
    tokens.c.revoked_at,
    tokens.c.clients,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.former_until,
)


def included(scopes: Collection[str]) -> frozenset[Scope]:
    """All that a token's scopes allow. One that this program does not know, of a newer one, allows nothing."""
    return frozenset(scope for name in get_args(Scope) if name in scopes for scope in INCLUDED[name])


def token_digest(token: str) -> str:
    """The stored digest of a token. One from a header may be any bytes, which Python holds as halves of surrogate
    pairs."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def create_token(connection: Connection, new: NewToken, show: Callable[[str], None]) -> Sequence[str]:
    """Creates a token and shows it, which is possible only once. Where that fails, it is not stored.

    Returns those of its clients that no bot belongs to so far.
    """
    if connection.execute(select(tokens.c.name).where(tokens.c.name == new.name)).first() is not None:
        raise StoreError(f"There is already a token named {new.name!r}; revoke it, or choose another name.")
    token = _new_token()
    show(token)
    connection.execute(
        insert(tokens).values(
            name=new.name,
            digest=token_digest(token),
            scope=" ".join(sorted(set(new.scopes))),
            created_at=timestamp(),
            clients=" ".join(sorted(set(new.clients))) or None,
            expires_at=None if new.days is None else timestamp(time.time() + new.days * DAY_SECONDS),
        )
    )
    known = {client or bot_id for client, bot_id in connection.execute(select(bots.c.client, bots.c.id))}
    return sorted(set(new.clients) - known)


def rotate_token(connection: Connection, name: str, overlap_seconds: float, show: Callable[[str], None]) -> str | None:
    """Exchanges a token for a new one of the same name, scopes, clients and end, and shows it, which is possible only
    once. Where that fails, nothing is changed.

    The former one is valid for `overlap_seconds` more; one that was exchanged before it ends now. Returns until when;
    None: not any more. Raises StoreError when no valid token has that name.
    """
    row = connection.execute(
        select(*_COLUMNS, tokens.c.digest).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
    ).first()
    if row is None:
        raise StoreError(f"No valid token is named {name!r}; see `horizonai-whatsapp-bot token list`.")
    *columns, digest = row
    record = _record(columns)
    if record.is_expired:
        raise StoreError(f"The token {name!r} expired at {record.expires_at}; create another one.")
    token = _new_token()
    show(token)
    until = timestamp(time.time() + overlap_seconds) if overlap_seconds > 0 else None
    former = None if until is None else digest
    exchange = update(tokens).where(tokens.c.name == name)
    connection.execute(exchange.values(digest=token_digest(token), former_digest=former, former_until=until))
    return until


def find_token(connection: Connection, token: str) -> TokenRecord | None:
    """The record of a token that was not revoked; it may be expired, or the one before an exchange whose time is not
    over.

    It is looked up by its digest, so the time of the look-up reveals nothing about a token.
    """
    digest = token_digest(token)
    is_former = and_(tokens.c.former_digest == digest, tokens.c.former_until > timestamp())
    row = connection.execute(
        select(*_COLUMNS, tokens.c.digest).where(
            or_(tokens.c.digest == digest, is_former), tokens.c.revoked_at.is_(None)
        )
    ).first()
    if row is None:
        return None
    *columns, current = row
    return replace(_record(columns), is_former=current != digest)


def record_use(connection: Connection, name: str) -> None:
    """Records that a token is used now."""
    connection.execute(update(tokens).where(tokens.c.name == name).values(last_used_at=timestamp()))


def list_tokens(connection: Connection) -> list[TokenRecord]:
    """All tokens ever created, by name."""
    return [_record(tuple(row)) for row in connection.execute(select(*_COLUMNS).order_by(tokens.c.name))]


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Lets the tokens that are bound to a client reach it under its new id."""
    for token in list_tokens(connection):
        if token.clients is not None and former in token.clients:
            bound = sorted({client if name == former else name for name in token.clients})
            connection.execute(update(tokens).where(tokens.c.name == token.name).values(clients=" ".join(bound)))


def revoke_token(connection: Connection, name: str) -> None:
    """Revokes a token; raises StoreError when no valid one has that name."""
    ended = connection.execute(
        update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None)).values(revoked_at=timestamp())
    )
    if ended.rowcount == 0:
        raise StoreError(f"No valid token is named {name!r}; see `horizonai-whatsapp-bot token list`.")


def _new_token() -> str:
    return f"hza_{secrets.token_urlsafe(32)}"


def _record(row: Sequence[Any]) -> TokenRecord:
    name, scope, created_at, revoked_at, clients, expires_at, last_used_at, former_until = row
    bound = None if clients is None else tuple(clients.split())
    scopes = tuple(scope.split())
    return TokenRecord(name, scopes, created_at, revoked_at, bound, expires_at, last_used_at, former_until)
