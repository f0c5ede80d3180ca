"""The port between a turn and the engine that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runtime.store.messages.turns import WaitingMessage
from runtime.store.usage.quantities import Usage

CallFunction = Callable[[str, str, str], Awaitable[str]]
"""(function name, arguments as JSON, call id) → the result for the model, as JSON. Never raises for a failed
endpoint."""

LateUsage = Callable[[], Awaitable["Late"]]
"""Waits for a bounded time until the provider has reported a turn's usage. Never raises for a provider's failure."""

MAX_ROUNDS = 5
"""Maximum number of rounds of function calls in one turn; then the turn fails for good."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything an engine needs to answer one turn."""

    turn_id: int
    client: str
    """The client's id, or the bot's id for a bot that was created through the API."""
    assistant_id: str
    assistant_name: str
    model: str | None
    """None: the assistant's own, which only a live object has."""
    instructions: str | None
    note: str | None
    """What the model gets in this turn only, between the history and `messages`; not stored in the history."""
    tools: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    history: Sequence[str]
    """The JSON of its items, as the Responses API takes them."""
    messages: Sequence[WaitingMessage]
    """The user's messages since the last answer, in order and prepared. Addresses are not for the provider."""
    starts_over: bool
    """Whether what the provider knows of the conversation is not to be used: the user asked for that, or was silent for
    long. `history` has nothing of it either."""
    user_hash: str
    """A pseudonym of the user: the provider can only recognise the same user again."""
    progress: Sequence[Mapping[str, Any]]
    """Notes that the engine stored in earlier attempts at this turn."""
    keep_progress: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]
    """Stores a note of what an attempt did, so that the next one does not repeat it."""
    spend: Callable[[str, Usage], None]
    """Notes what a call of a model used, also where the turn gets no answer in the end."""
    call_function: CallFunction
    thread_id: str | None
    keep_thread: Callable[[str], Awaitable[None]]
    """Stores the provider's thread of the conversation before any input is submitted to it."""
    offers_no_reply: bool = False
    """Whether the model may choose not to answer. An engine that cannot offer it answers."""
    server_headers: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict, repr=False)
    """Headers of the MCP servers that a live agent has, by label; None for one that is not to be offered."""


@dataclass(frozen=True, slots=True)
class Late:
    """The usage of a turn that was reported after its end."""

    usage: Usage
    is_all: bool
    """False when the provider has not reported all of it and it is no longer requested."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's answer."""

    text: str
    items: Sequence[Mapping[str, Any]]
    """The turn's items for the history, the user's messages included."""
    model: str | None
    usage: Usage
    """As far as it is known when the answer is there."""
    incomplete: str | None = None
    """Why the model stopped before its end, in the provider's word; `text` then ends with an ellipsis."""
    late_usage: LateUsage | None = None
    """The rest of it, where the provider reports it later; to be called once."""
    is_none: bool = False
    """Whether the model chose not to answer: `text` and `items` are empty."""
    documents: Sequence[str] = ()
    """Names of the documents that it cites, each once, where the provider names them."""
    has_sent: bool = False
    """Whether built-in tools send something (`runtime.engines.sending`): `text` may be empty then."""


class Engine(Protocol):
    """Answers turns. Raises PermanentError or TemporaryError, and nothing else for a provider's failure."""

    async def answer(self, request: Request) -> Answer:
        """The answer to a turn."""
