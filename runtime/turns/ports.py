"""What a turn needs of the way out, as far as it needs it: the service has it at Twilio and at clients' endpoints, a
trial has it in memory (`trial`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from runtime.engines.functions import FunctionCall
from runtime.settings import Secrets
from runtime.store.messages.outbox import OutboxRow
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Account

Clock: TypeAlias = Callable[[], float]
"""Seconds since 1970."""
SYSTEM_CLOCK: Clock = time.time


class CallsFunctions(Protocol):
    """Calls the functions of clients; see `runtime.engines.functions`."""

    @property
    def secrets(self) -> Secrets:
        """What is set where this process runs."""

    async def call(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        """The result that the model receives, as JSON."""


class Delivers(Protocol):
    """Sends the messages of an answer; see `runtime.delivery.delivery`."""

    async def deliver(self, rows: Sequence[OutboxRow], bot: BotRecord | None) -> None:
        """Sends the rows of one answer, in order."""


class FetchesFiles(Protocol):
    """Fetches what people send; see `runtime.media.fetching`."""

    async def fetch(self, url: str, account: Account, path: Path, limit: int, deadline: float | None = None) -> int:
        """Writes a file; returns its size in bytes."""


class ShowsTyping(Protocol):
    """Shows that an answer is being written; see `runtime.delivery.typing_indicator`."""

    def while_answering(self, bot: BotRecord, message_sid: str) -> AbstractContextManager[None]:
        """Context manager around the making of an answer to a message."""
