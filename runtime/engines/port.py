"""The port between a turn and whoever answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.store.messages.turns import Usage, WaitingMessage

CallFunction = Callable[[str, str, str], Awaitable[str]]
"""(function name, arguments as JSON, call id) → what the model is told, as JSON. Never raises for a failed endpoint."""

LateUsage = Callable[[], Awaitable["Late"]]
"""Waits until the provider has said what a turn used, for a bounded time. Never raises for what a provider does."""

MAX_ROUNDS = 5
"""Rounds of function calls in one turn; then the model has to answer with what it knows."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything an engine needs to answer one turn."""

    turn_id: int
    client: str
    """The client's id, the bot's id for one that was made through the API."""
    assistant_id: str
    assistant_name: str
    model: str | None
    """None: the assistant's own, which only a live object has."""
    instructions: str | None
    line: str | None
    """What the model is told besides, after all that was said before and ahead of `messages`; not remembered."""
    tools: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    messages: Sequence[WaitingMessage]
    """What the user wrote since the last answer, in order and prepared. Addresses are not for the provider."""
    user_hash: str
    """The user, recognisable to the provider only as the same one."""
    progress: Sequence[Mapping[str, Any]]
    """What the engine kept of an earlier attempt at this turn."""
    keep_progress: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
    """Keeps what an attempt did, so that the next one does not do it again."""
    call_function: CallFunction
    thread_id: str | None
    keep_thread: Callable[[str], Awaitable[None]]
    """Notes the provider's thread of the conversation before anything is said in it."""


@dataclass(frozen=True, slots=True)
class Late:
    """What became known of a turn's usage after its end."""

    usage: Usage
    is_all: bool
    """False when the provider has not said all of it, and nobody asks any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine came up with."""

    text: str
    items: Sequence[Mapping[str, Any]]
    """What is remembered of the turn, the user's messages included."""
    model: str | None
    usage: Usage
    """As far as it is known by now."""
    late_usage: LateUsage | None = None
    """The rest of it, where the provider says it later; to be asked for once."""


class Engine(Protocol):
    """Answers turns. Raises PermanentError or TemporaryError, and nothing else for what a provider does."""

    async def answer(self, request: Request) -> Answer:
        """The answer to a turn."""
