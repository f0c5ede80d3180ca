"""Who may call the management API: a bearer token, for what its scopes and its clients allow.

401    no token, or none that is valid
429    too many of those from one address
403    a valid one whose scopes do not allow it, or that is bound to clients where it concerns the installation
404    what belongs to a client that the token is not bound to, as if it did not exist
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import structlog
from aiohttp import web
from pydantic import SecretStr

from runtime.api.callers import CallerAddresses
from runtime.api.errors import ApiError, TooManyTries
from runtime.api.failed_tries import FailedTries
from runtime.observability.tally import Tally
from runtime.store.audit import Actor
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
    address: str | None = None
    """Where the request came from."""

    @property
    def actor(self) -> Actor:
        """As the audit records it."""
        return Actor(self.name, "api", self.address)

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


class BearerAuth:
    """Identifies a request's caller, or raises 401, or 429 for one who has failed too often. What the caller may do is
    checked where it is done."""

    def __init__(
        self, database: Database, api_token: SecretStr | None, addresses: CallerAddresses, tries: FailedTries
    ) -> None:
        self._database = database
        self._addresses = addresses
        self._tries = tries
        self._own_digest = token_digest(api_token.get_secret_value()) if api_token else None
        self._formers: dict[str, Tally] = {}
        """Name of a token → the lines about its former one in use."""

    async def let_in(self, request: web.Request) -> None:
        """Sets the request's CALLER."""
        address = self._addresses.of(request)
        token = self._given_token(request, address)
        digest = token_digest(token)
        if self._own_digest is not None and hmac.compare_digest(digest, self._own_digest):
            request[CALLER] = Caller("API_TOKEN", included({"write"}), address=address)
            return
        seconds = self._tries.seconds_left(digest, address)
        if seconds:
            self._tries.note("limited", address)
            raise TooManyTries(seconds)
        request[CALLER] = await self._stored_caller(token, address)
        self._tries.note_valid(digest)

    def _given_token(self, request: web.Request, address: str | None) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            self._tries.note("no_token", address)
            raise ApiError(401, "unauthorized", "Send a token: Authorization: Bearer <token>.")
        return token.strip()

    async def _stored_caller(self, token: str, address: str | None) -> Caller:
        record = await self._database.read(find_token, token)
        if record is None:
            self._tries.note("unknown_token", address)
            raise ApiError(
                401,
                "unauthorized",
                "The token is not valid; make one with `horizonai-whatsapp-bot token create NAME`, or set API_TOKEN.",
            )
        if record.is_expired:
            self._tries.note("expired_token", address)
            message = (
                f"The token {record.name!r} expired at {record.expires_at}; make another one with "
                "`horizonai-whatsapp-bot token create NAME`."
            )
            raise ApiError(401, "unauthorized", message)
        if record.is_former:
            tally = self._formers.setdefault(record.name, Tally("former_token_used", token=record.name))
            tally.note(address=address, until=record.former_until)
        if record.is_use_outdated:
            await self._note_use(record)
        clients = None if record.clients is None else frozenset(record.clients)
        return Caller(record.name, included(record.scopes), clients, address)

    async def _note_use(self, record: TokenRecord) -> None:
        """Records the use of a token. A store that cannot be written to can be read all the same."""
        try:
            await self._database.write(record_use, record.name)
        except StoreError as error:
            log.warning("token_use_not_stored", token=record.name, error=str(error))
