"""The model that answers a trial: its recorded answers, and where the run may call it, the provider itself.

    engine ──► RecordedModel.create(request) ──► recorded? ── yes ─► that answer
                                                   └─ no ──► ModelProvider: a slot, a budget ──► recorded
                                                        └─ none: NoRecording, so that the case is not judged

Requests that are equal at the same time are made once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from reconciler.trying.candidate import DOCUMENTS
from reconciler.trying.recordings import Recordings, key_of
from runtime.engines.responses import usage_of
from runtime.engines.responses_api import ModelApi
from runtime.errors import PermanentError
from runtime.store.usage.quantities import Spent
from runtime.turns.trial import PLACEHOLDER, Trials

NANOS: int = 1_000_000_000


class NoRecording(PermanentError):
    """There is no recorded answer, and the provider is not called."""


class OverBudget(PermanentError):
    """The run has spent what it may."""


class FindsStore(Protocol):
    """Finds vector stores."""

    async def store_of(self, documents: str) -> str:
        """The id of the one that a request names by its documents; made at the first call."""


@dataclass(slots=True)
class ModelProvider:
    """The provider, as one run may call it."""

    api: ModelApi
    trials: Trials
    stores: FindsStore
    secret: Callable[[str], str | None]
    """The value of a variable that a manifest names."""
    slots: asyncio.Semaphore
    budget: float
    """USD."""
    server: str | None = None
    """The host that is asked; None: OpenAI's own."""
    calls: int = 0
    nano_usd: int = 0
    """What was spent."""
    unpriced: int = 0
    """Number of calls whose price is not known."""

    async def call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The response to a request. Raises OverBudget, and what `ResponsesApi.create` does."""
        async with self.slots:
            if self.nano_usd >= self.budget * NANOS:
                raise OverBudget(f"The run has spent its budget of {self.budget:g} USD; --budget raises it.")
            self.calls += 1
            response = await self.api.create(await self._sent(body))
            await self._charge(Spent(response.get("model") or body["model"], usage_of(response)))
        return response

    async def _charge(self, spent: Spent) -> None:
        amounts = [line.amount for line in await self.trials.prices.lines([spent])]
        self.unpriced += None in amounts
        self.nano_usd += sum(amount for amount in amounts if amount is not None)

    async def _sent(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request with what only a call needs: the vector store itself, and the values of secrets."""
        tools = [await self._tool(tool) for tool in body.get("tools") or ()]
        return {**body, "tools": tools} if tools else body

    async def _tool(self, tool: Mapping[str, Any]) -> Mapping[str, Any]:
        [*stores] = tool.get("vector_store_ids") or ()
        if any(str(store).startswith(DOCUMENTS) for store in stores):
            return {**tool, "vector_store_ids": [await self.stores.store_of(str(store)) for store in stores]}
        if tool.get("headers"):
            return {**tool, "headers": {name: self._value(value) for name, value in tool["headers"].items()}}
        return tool

    def _value(self, value: str) -> str:
        found = PLACEHOLDER.fullmatch(value)
        if found is None:
            return value
        secret = self.secret(found[1])
        if secret is None:
            raise PermanentError(f"{found[1]} is not set; a server of tools needs it.")
        return secret


@dataclass(slots=True)
class RecordedModel:
    """The model for one run of one client's cases: a ModelApi."""

    client: str
    run: int
    recordings: Recordings
    provider: ModelProvider | None
    """None: only what is recorded is answered."""
    records: bool = False
    """Whether what the provider answers is recorded."""
    missing: list[str] = field(default_factory=list)
    """Why requests got no answer."""
    servers: set[str | None] = field(default_factory=set)
    """Which answered; None: OpenAI's own."""
    pending: dict[tuple[str, int], asyncio.Task[dict[str, Any]]] = field(default_factory=dict)
    """Calls that are under way; shared by the runs of a client."""

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """See ModelApi. Raises NoRecording and OverBudget besides."""
        key = await asyncio.to_thread(key_of, body) if _has_files(body) else key_of(body)
        found = self.recordings.answer(key, self.run)
        if found is not None:
            self.servers.add(self.recordings.server(key))
            return found
        if self.provider is None:
            self.missing.append(f"no answer is recorded ({self.recordings.folder.parent.name}/…/{key}.json)")
            raise NoRecording("There is no recorded answer to this request.")
        self.servers.add(self.provider.server)
        try:
            return await self._shared((key, self.run), lambda: self._called(key, body))
        except OverBudget as error:
            self.missing.append(str(error))
            raise

    async def transcribe(self, form: aiohttp.FormData) -> dict[str, Any]:
        """See ModelApi."""
        self.missing.append("a recording cannot be tried; write what is said instead")
        raise NoRecording("Voice notes are not transcribed in a trial.")

    async def close(self) -> None:
        """See ModelApi: the provider is closed by the run."""

    async def _called(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.provider is None:
            raise NoRecording("There is no recorded answer to this request.")
        response = await self.provider.call(body)
        if self.records:
            self.recordings.record(key, self.run, body, response, self.provider.server)
            return self.recordings.answer(key, self.run) or response
        return response

    async def _shared(self, key: tuple[str, int], call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """The result of the call that is under way for a key, or of one that begins now."""
        running = self.pending.get(key)
        if running is None:
            running = self.pending[key] = asyncio.ensure_future(call())
            running.add_done_callback(lambda _: self.pending.pop(key, None))
        return await asyncio.shield(running)


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The provider itself, with nothing recorded: a ModelApi."""

    provider: ModelProvider

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """See ModelApi. Raises OverBudget besides."""
        return await self.provider.call(body)

    async def transcribe(self, form: aiohttp.FormData) -> dict[str, Any]:
        """See ModelApi."""
        return await self.provider.api.transcribe(form)

    async def close(self) -> None:
        """See ModelApi: the provider is closed by the caller."""


def _has_files(body: Mapping[str, Any]) -> bool:
    return any(isinstance(item, Mapping) and isinstance(item.get("content"), list) for item in body.get("input") or ())
