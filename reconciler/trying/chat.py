"""A conversation with an assistant as its manifest declares it: every message is answered with the manifest as it is
then, so that an edit of the prompt takes effect with the next one.

The session knows no terminal: it is given what the person sends, and a way to ask what a function answers.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.manifest import Manifest
from reconciler.settings import Settings
from reconciler.trying.candidate import Candidate, candidate
from reconciler.trying.documents import TemporaryStores
from reconciler.trying.fixtures import Fixtures, arguments_of
from reconciler.trying.model import LiveModel, ModelProvider
from reconciler.trying.run import silence
from runtime.engines.functions import FunctionCall
from runtime.turns.ports import CallsFunctions
from runtime.turns.trial import PlaceholderSecrets, TrialConversation, Trials, endpoints
from runtime.turns.trial import Tried as Tried
from schemas.cases import FunctionFixture
from schemas.tariffs import Tariffs

AskFunction = Callable[[str, str], str]
"""(function name, arguments as JSON) → what the person says that it answers; empty for a plain success."""
SUCCESS: Final = {"result": "ok"}


@dataclass(frozen=True, slots=True)
class ChatExchange:
    """One exchange of a chat."""

    texts: Sequence[str]
    files: Sequence[Path]
    answer: Tried


@dataclass(slots=True)
class _PersonAnswers:
    """Functions that a fixture or the person answers: a CallsFunctions."""

    fixtures: Fixtures
    ask: AskFunction
    secrets: PlaceholderSecrets = field(default_factory=PlaceholderSecrets)

    async def call(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        """See CallsFunctions."""
        known = len(self.fixtures.unanswered)
        answer = await self.fixtures.call(endpoint, call)
        if len(self.fixtures.unanswered) == known:
            return answer
        typed = self.ask(call.name, call.arguments)
        return json.dumps(arguments_of(typed) if typed.strip() else SUCCESS, ensure_ascii=False)


class Chat:
    """A chat with one client's assistant: a context manager, which removes what it made at OpenAI."""

    def __init__(
        self,
        settings: Settings,
        tariffs: Tariffs,
        reload: Callable[[], Manifest],
        ask: AskFunction,
        *,
        fixtures: Sequence[FunctionFixture] = (),
        calls_functions: bool = False,
        model: str | None = None,
        name: str | None = None,
    ) -> None:
        """`reload` reads the manifest; `calls_functions`: whether endpoints are called."""
        self._settings = settings
        self._reload = reload
        self._model = model
        self._name = name
        self._trials = Trials(tariffs, base_url=settings.openai_base_url, api_key=settings.openai_api_key)
        self._stores = TemporaryStores(settings)
        self._calls_functions = calls_functions
        self._answering = _PersonAnswers(Fixtures(fixtures), ask)
        self.said: list[ChatExchange] = []
        """Since it began, or began over."""

    async def __aenter__(self) -> Chat:
        silence()
        slots = asyncio.Semaphore(1)
        self._provider = ModelProvider(
            self._trials.server(), self._trials, self._stores, self._settings.secret, slots, float("inf")
        )
        self._endpoints = (
            endpoints(allow_private=self._settings.allow_private_endpoints) if self._calls_functions else None
        )
        self._candidate = self._read()
        self._conversation = self._begun()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stores.close()
        await self._provider.api.close()
        if self._endpoints is not None:
            await self._endpoints.close()
        self._trials.close()

    @property
    def candidate(self) -> Candidate:
        """The assistant that answers."""
        return self._candidate

    @property
    def nano_usd(self) -> int:
        """What all of it has cost so far."""
        return self._provider.nano_usd

    async def say(self, texts: Sequence[str], files: Sequence[Path] = ()) -> Tried:
        """The answer to these messages. Raises ManifestErrors where the manifest is wrong now."""
        found = self._read()
        if found != self._candidate:
            self._candidate = found
            self._conversation.replace(found.bot, found.assistant)
        self._conversation.now = time.time()
        answer = await self._conversation.say(texts, files)
        self.said.append(ChatExchange(texts, files, answer))
        return answer

    def reset(self) -> None:
        """Begins over: nothing said before is known."""
        self.said.clear()
        self._conversation = self._begun()

    def _read(self) -> Candidate:
        found = candidate(self._reload(), self._settings, self._model)
        self._stores.add(found)
        return found

    def _begun(self) -> TrialConversation:
        functions: CallsFunctions = self._endpoints or self._answering
        model = LiveModel(self._provider)
        bot, assistant = self._candidate.bot, self._candidate.assistant
        return TrialConversation(self._trials, bot, assistant, model, functions, name=self._name)
