"""Bots and assistants for the message path: read once, cached until anything in the catalog changes.

Another process (the reconciler) may change the store at any time. Every turn compares the catalog's version with the
one it began with, so a change takes effect with the next turn; routing by number follows within POLL_SECONDS.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.records import AssistantRecord, BotRecord
from schemas.canary import Variant
from schemas.data_policy import seconds_of
from schemas.policy_document import PolicyDocument, read_document
from schemas.timezones import zone_of_number

POLL_SECONDS = 0.5

log = structlog.get_logger("runtime.catalog")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The bot and assistant that answer a turn: fixed when the turn begins."""

    bot: BotRecord
    assistant: AssistantRecord | None
    """None when the bot has its own instructions, or uses a live object at the provider."""
    policy: PolicyDocument
    """The bot's policy from its manifest, as far as this program knows its keys."""
    ignored: tuple[str, ...] = ()
    """Keys of that policy that this program does not know, or whose value does not fit."""
    timezone: str | None = None
    """The client's time zone; None where neither its manifest nor its number's country decides."""
    is_canary_stopped: bool = False
    """Whether the runtime has stopped the policy's canary."""
    variant: Variant | None = None
    """Which of the two answers this conversation, while there is a canary (`runtime.turns.canaries`)."""

    @property
    def waits_seconds(self) -> float | None:
        """How long a message waits for a person who was silent for too long; None where it is not sent at all."""
        window = self.policy.window
        return seconds_of(window.expires_after) if window is not None else None

    @property
    def memory_tokens(self) -> int | None:
        """How much of a conversation is sent to the engine; None where the manifest leaves it to the settings."""
        return self.policy.memory.tokens if self.policy.memory is not None else None


class Catalog:
    """A cache over the store's bots and assistants, and its user-hash salt."""

    def __init__(self, database: Database, salt: str) -> None:
        self._database = database
        self._version = -1
        self._by_number: dict[str, BotRecord] = {}
        self._configurations: dict[str, Configuration] = {}
        self._numbers: frozenset[str] | None = None
        self._told: dict[str, int] = {}
        """Bot → its version whose ignored keys were logged."""
        self.salt = salt

    @property
    def version(self) -> int:
        """The newest version of the store's catalog that this process knows of."""
        return self._version

    async def bot_of_number(self, number: str) -> BotRecord | None:
        """The bot that answers on a number. An unknown number is looked up in the store each time."""
        bot = self._by_number.get(number)
        if bot is None:
            version = self._version
            bot = await self._database.read(store.bot_of_number, number)
            if bot is not None and version == self._version:
                self._by_number[number] = bot
        return bot

    async def is_ours(self, number: str) -> bool:
        """Whether a bot has this number. The numbers are read once for each version of the catalog."""
        if self._numbers is None:
            version = self._version
            numbers = frozenset(await self._database.read(store.numbers))
            if version != self._version:
                return number in numbers
            self._numbers = numbers
        return number in self._numbers

    async def configuration(self, bot_id: str, at_least: int | None = None) -> Configuration | None:
        """The bot and its assistant, as of that version of the catalog or later; None when the bot was deleted."""
        if at_least is not None:
            self.notice(at_least)
        version = self._version
        configuration = self._configurations.get(bot_id)
        if configuration is None:
            found = await self._database.read(store.bot_and_assistant, bot_id)
            configuration = None if found is None else _configured(*found)
            if configuration is not None:
                self._tell_ignored(configuration)
                if version == self._version:
                    self._configurations[bot_id] = configuration
        return configuration

    def _tell_ignored(self, configuration: Configuration) -> None:
        bot = configuration.bot
        if configuration.ignored and self._told.get(bot.id) != bot.version:
            self._told[bot.id] = bot.version
            log.warning("policy_keys_ignored", client=bot.client or bot.id, keys=configuration.ignored)

    def notice(self, version: int) -> None:
        """Clears the cache when the store's version has changed."""
        if version != self._version:
            self._version = version
            self._by_number.clear()
            self._numbers = None
            self._configurations.clear()

    async def watch(self) -> None:
        """Polls for changes by other processes, until cancelled."""
        while True:
            try:
                self.notice(await self._database.read(store.catalog_version))
            except StoreError as error:
                log.warning("catalog_unavailable", error=str(error))
            except Exception:
                log.exception("catalog_failed")
            await asyncio.sleep(POLL_SECONDS)


async def open_catalog(database: Database) -> Catalog:
    """A catalog over an open store."""
    return Catalog(database, await database.read(store.user_salt))


def _configured(bot: BotRecord, assistant: AssistantRecord | None, is_canary_stopped: bool) -> Configuration:
    reading = read_document(bot.policy)
    zone = reading.policy.timezone or zone_of_number(bot.twilio_phone_number)
    return Configuration(bot, assistant, reading.policy, reading.ignored, zone, is_canary_stopped)
