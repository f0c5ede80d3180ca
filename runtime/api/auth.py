"""Who may call the management API: a bearer token, for what its scopes and its clients allow.

401    no token, or none that is valid
403    a valid one whose scopes do not allow it, or that is bound to clients where it concerns the installation
404    what belongs to a client that the token is not bound to, as if it did not exist
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web
from pydantic import SecretStr

from runtime.api.errors import ApiError
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.tokens import Scope, TokenRecord, find_token, included, record_use, token_digest

log = structlog.get_logger("runtime.api")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a request carries, and what it allows."""

    name: str
    scopes: frozenset[Scope]
    clients: frozenset[str] | None = None
    """The only clients that it reaches; None: all."""

    def require(self, scope: Scope) -> None:
        """Raises 403 without that scope."""
        if scope not in self.scopes:
            message = f"The token {self.name!r} does not have the scope {scope}, which this needs."
            raise ApiError(403, "forbidden", message)

    def require_all_clients(self) -> None:
        """Raises 403 for a token that is bound to clients."""
        if self.clients is not None:
            bound = ", ".join(sorted(self.clients))
            message = f"The token {self.name!r} is bound to {bound}, and this concerns the whole installation."
            raise ApiError(403, "forbidden", message)


CALLER = web.RequestKey("caller", Caller)


def bearer_auth(database: Database, api_token: SecretStr | None) -> Callable[[web.Request], Awaitable[None]]:
    """What identifies a request's caller, or raises 401. What the caller may do is checked where it is done."""
    own_digest = token_digest(api_token.get_secret_value()) if api_token else None

    async def let_in(request: web.Request) -> None:
        given = _given_token(request)
        if own_digest is not None and hmac.compare_digest(token_digest(given), own_digest):
            request[CALLER] = Caller("API_TOKEN", included({"write"}))
        else:
            request[CALLER] = await _stored_caller(database, given)

    return let_in


def _given_token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "unauthorized", "Send a token: Authorization: Bearer <token>.")
    return token.strip()


async def _stored_caller(database: Database, token: str) -> Caller:
    record = await database.read(find_token, token)
    if record is None:
        raise ApiError(
            401,
            "unauthorized",
            "The token is not valid; make one with `horizonai-whatsapp-bot token create NAME`, or set API_TOKEN.",
        )
    if record.is_expired:
        message = (
            f"The token {record.name!r} expired at {record.expires_at}; make another one with "
            "`horizonai-whatsapp-bot token create NAME`."
        )
        raise ApiError(401, "unauthorized", message)
    if record.is_use_outdated:
        await _note_use(database, record)
    clients = None if record.clients is None else frozenset(record.clients)
    return Caller(record.name, included(record.scopes), clients)


async def _note_use(database: Database, record: TokenRecord) -> None:
    """Records the use of a token. A store that cannot be written to can be read all the same."""
    try:
        await database.write(record_use, record.name)
    except StoreError as error:
        log.warning("token_use_not_stored", token=record.name, error=str(error))
