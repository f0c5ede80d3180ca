"""One run of one case: its exchanges in order, each answered by the runtime's code, then held against what is
expected."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.manifest.cases import DeclaredCase
from reconciler.trying.candidate import Candidate
from reconciler.trying.expectations import Answered, Unmet, failures
from reconciler.trying.fixtures import Fixtures, arguments_of
from reconciler.trying.judge import NoVerdict, Verdict, verdict
from reconciler.trying.model import RecordedModel
from reconciler.trying.results import CaseRun, TriedExchange
from runtime.turns.trial import TrialConversation, Trials, Tried
from schemas.cases import Exchange

MINUTE: int = 60
"""Seconds between the exchanges of a case."""


async def tried(candidate: Candidate, declared: DeclaredCase, model: RecordedModel, trials: Trials) -> CaseRun:
    """One run of a case, as the model's `run` says which."""
    return await _RunOfCase(candidate, declared, model, trials).result()


@dataclass(slots=True)
class _Stopped(Exception):
    """The case cannot go further; the text says why."""

    why: str


class _RunOfCase:
    def __init__(self, candidate: Candidate, declared: DeclaredCase, model: RecordedModel, trials: Trials) -> None:
        self._candidate = candidate
        self._declared = declared
        self._case = declared.case
        self._model = model
        self._fixtures = Fixtures(self._case.functions)
        person = self._case.person
        self._conversation = TrialConversation(
            trials,
            candidate.bot,
            candidate.assistant,
            model,
            self._fixtures,
            name=person.name if person else None,
            phone=person.phone if person else None,
            has_consented=person.consented if person else True,
        )
        self._said: list[tuple[str, str]] = []
        """What was said so far, by whom."""

    async def result(self) -> CaseRun:
        """All exchanges, as far as they could be tried."""
        began = time.monotonic()
        exchanges: list[TriedExchange] = []
        unjudged: list[str] = []
        start = self._case.time.replace(tzinfo=self._candidate.zone).timestamp()
        for index, exchange in enumerate(self._case.conversation):
            self._conversation.now = start + index * MINUTE
            try:
                exchanges.append(await self._exchange(exchange))
            except _Stopped as stopped:
                unjudged.append(f"conversation[{index}]: {stopped.why}")
                break
        unjudged += [f"no fixture answers {call}" for call in dict.fromkeys(self._fixtures.unanswered)]
        servers = frozenset(self._model.servers)
        return CaseRun(self._model.run, exchanges, unjudged, time.monotonic() - began, servers)

    async def _exchange(self, exchange: Exchange) -> TriedExchange:
        texts, names = exchange.say or [], exchange.files or []
        self._said += [("person", text) for text in texts] + [("person", f"[{name}]") for name in names]
        if exchange.answered is not None:
            self._conversation.given(texts, exchange.answered)
            self._said.append(("assistant", exchange.answered))
            return TriedExchange(texts, names, exchange.answered, is_given=True)
        known = len(self._model.missing)
        found = await self._conversation.say(texts, [self._declared.files[name] for name in names])
        if len(self._model.missing) > known:
            raise _Stopped(self._model.missing[known])
        if found.ending.state == "dead":
            raise _Stopped(f"no answer could be made: {found.ending.error}")
        failed, judged = await self._judged(exchange, found)
        self._said.append(("assistant", found.text))
        calls = list(_calls(found))
        return TriedExchange(texts, names, found.text, calls, failed, judged, found.nano_usd)

    async def _judged(self, exchange: Exchange, found: Tried) -> tuple[Sequence[Unmet], Verdict | None]:
        expect = exchange.expect
        if expect is None:
            return (), None
        answered = Answered(
            found.text, found.calls, found.ending.documents, found.ending.handoff is not None, found.nano_usd
        )
        failed = list(failures(expect, answered, self._candidate.documents))
        if expect.judge is None:
            return failed, None
        if not found.text:
            return failed, None  # that there is no answer is a failure already
        try:
            judged = await verdict(expect.judge, self._said, found.text, self._model)
        except NoVerdict as error:
            return [*failed, Unmet("judge", str(error), is_unjudged=True)], None
        if not judged.holds:
            failed.append(Unmet("judge", f"{judged.passed} of {judged.times}: {' · '.join(judged.reasons)}"))
        return failed, judged


def _calls(found: Tried) -> Iterator[str]:
    for call in found.calls:
        yield f"{call['name']} {json.dumps(arguments_of(str(call['arguments'])), ensure_ascii=False)}"
