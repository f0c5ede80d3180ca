"""Clients' secrets that are not set where this process runs: named before a customer meets them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.settings import Secrets
from runtime.store.catalog import catalog_version, list_all
from runtime.store.database.database import Database
from runtime.store.records import AssistantRecord, BotRecord
from schemas.handoff import references_of
from schemas.policy_document import read_document


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """A variable that a bot names and that is not set."""

    client: str
    """The client's id; the bot's for a bot that was made by hand."""
    variable: str
    use: str
    """What fails without it."""


class ClientSecrets:
    """The missing secrets of all bots and assistants."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        self._version: int | None = None
        self._missing: Sequence[MissingSecret] = ()

    async def missing(self) -> Sequence[MissingSecret]:
        """Bots are read again when a bot or an assistant has changed. Raises StoreError."""
        version = await self._database.read(catalog_version)
        if version != self._version:
            found = await self._database.read(list_all, BotRecord)
            bots = (bot for bot in found if isinstance(bot, BotRecord))
            others = await self._database.read(list_all, AssistantRecord)
            assistants = (record for record in others if isinstance(record, AssistantRecord))
            self._missing = [
                *missing_secrets(bots, self._secrets),
                *(
                    MissingSecret(record.label, variable, use)
                    for record in assistants
                    for variable, use in _named_by_servers(record)
                    if self._secrets.get(variable) is None
                ),
            ]
            self._version = version
        return self._missing


def missing_secrets(bots: Iterable[BotRecord], secrets: Secrets) -> list[MissingSecret]:
    """Those of these bots, paused ones included."""
    return [
        MissingSecret(bot.label, variable, use)
        for bot in bots
        for variable, use in _named_by(bot)
        if secrets.get(variable) is None
    ]


def _named_by_servers(record: AssistantRecord) -> Iterator[tuple[str, str]]:
    for tool in record.tools:
        for variable in (tool.get("headers_env") or {}).values() if tool.get("type") == "mcp" else ():
            yield str(variable), f"the MCP server {tool.get('server_label')}: it is not offered"


def _named_by(bot: BotRecord) -> Iterator[tuple[str, str]]:
    if bot.auth_token_env is not None:
        yield bot.auth_token_env, "its Twilio account: nothing is received or sent"
    for label, headers in (read_document(bot.policy).policy.server_headers or {}).items():
        yield from ((variable, f"the MCP server {label}: it is not offered") for variable in headers.values())
    for name, endpoint in bot.functions.items():
        for key in ("secret_env", "authorization_env"):
            if endpoint.get(key):
                yield str(endpoint[key]), f"the function {name}: each call fails"
    yield from references_of(bot.policy.get("handoff"))
