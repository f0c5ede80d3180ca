"""Tokens of the management API. Functions over a connection.

Only a SHA-256 digest is stored. A slow password hash would add nothing: a token is 256 random bits, which cannot be
guessed, and it is checked on every request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.tables import tokens

Scope = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is listed: never the token itself."""

    name: str
    scope: str
    created_at: str
    revoked_at: str | None


def token_digest(token: str) -> str:
    """The stored digest of a token. One from a header may be any bytes, which Python holds as halves of surrogate
    pairs."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def create_token(connection: Connection, name: str, scope: Scope, show: Callable[[str], None]) -> None:
    """Creates a token and shows it, which is possible only once. Where that fails, it is not stored."""
    if connection.execute(select(tokens.c.name).where(tokens.c.name == name)).first() is not None:
        raise StoreError(f"There is already a token named {name!r}; revoke it, or choose another name.")
    token = f"hza_{secrets.token_urlsafe(32)}"
    show(token)
    connection.execute(
        insert(tokens).values(name=name, digest=token_digest(token), scope=scope, created_at=timestamp())
    )


def find_token(connection: Connection, token: str) -> TokenRecord | None:
    """The record of a token that is valid now.

    It is looked up by its digest, so the time of the look-up reveals nothing about a token.
    """
    row = connection.execute(
        select(tokens.c.name, tokens.c.scope, tokens.c.created_at, tokens.c.revoked_at).where(
            tokens.c.digest == token_digest(token), tokens.c.revoked_at.is_(None)
        )
    ).first()
    return None if row is None else TokenRecord(*row)


def list_tokens(connection: Connection) -> list[TokenRecord]:
    """All tokens ever created, by name."""
    query = select(tokens.c.name, tokens.c.scope, tokens.c.created_at, tokens.c.revoked_at).order_by(tokens.c.name)
    return [TokenRecord(*row) for row in connection.execute(query)]


def revoke_token(connection: Connection, name: str) -> None:
    """Revokes a token; raises StoreError when no valid one has that name."""
    ended = connection.execute(
        update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None)).values(revoked_at=timestamp())
    )
    if ended.rowcount == 0:
        raise StoreError(f"No valid token is named {name!r}; see `horizonai-whatsapp-bot token list`.")
