"""Who may call the management API: a bearer token, with the scope `read` or `write`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import SecretStr

from runtime.api.errors import ApiError
from runtime.store.database.database import Database
from runtime.store.tokens import find_token, token_digest

READING_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a request carries."""

    name: str
    scope: str


CALLER = web.RequestKey("caller", Caller)


def bearer_auth(database: Database, api_token: SecretStr | None) -> Callable[[web.Request], Awaitable[None]]:
    """What lets a request in, or raises ApiError: 401 without a valid token, 403 when its scope is too small."""
    own_digest = token_digest(api_token.get_secret_value()) if api_token else None

    async def let_in(request: web.Request) -> None:
        caller = await _caller(request, database, own_digest)
        if request.method not in READING_METHODS and caller.scope != "write":
            raise ApiError(403, "forbidden", f"The token {caller.name!r} may only read; use one with the scope write.")
        request[CALLER] = caller

    return let_in


async def _caller(request: web.Request, database: Database, own_digest: str | None) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, "unauthorized", "Send a token: Authorization: Bearer <token>.")
    given = token.strip()
    if own_digest is not None and hmac.compare_digest(token_digest(given), own_digest):
        return Caller("API_TOKEN", "write")
    record = await database.read(find_token, given)
    if record is None:
        raise ApiError(
            401,
            "unauthorized",
            "The token is not valid; make one with `horizonai-whatsapp-bot token create NAME`, or set API_TOKEN.",
        )
    return Caller(record.name, record.scope)
