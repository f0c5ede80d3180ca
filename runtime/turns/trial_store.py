"""The store of one conversation that is tried: what a turn reads and writes, in memory.

It answers the operations of the real store by their names, and refuses any other, so that a turn which needs more of
its store is noticed at once. What a turn leaves (`Ending`) becomes the conversation's next state by the rules of
`runtime.store.messages.turns.end_turn`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Concatenate, Final, cast

from runtime.content.parts import Content
from runtime.store import catalog, files, tariffs, timers
from runtime.store.database.operation import P, T
from runtime.store.database.times import timestamp
from runtime.store.messages import consented_turns, handover, items, quotes, turn_start, turns
from runtime.store.messages.consents import REASON, Consent, stated_as
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.last_answers import LastAnswer
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.turns import Ending, HistoryItem, Turn, WaitingMessage
from runtime.store.records import AssistantRecord, BotRecord
from runtime.store.usage import prices
from runtime.turns.ports import Clock
from schemas.tariffs import Tariffs

CONVERSATION: Final = 1
"""The id of the only one."""
_KEPT: Final = ("state", "state_since", "notices", "loop_since", "consent")
"""What turns change of a conversation."""


class TrialStore:
    """A Database with one bot, one assistant and one conversation."""

    def __init__(
        self,
        bot: BotRecord,
        assistant: AssistantRecord | None,
        conversation: Conversation,
        stored_tariffs: Tariffs,
        file_sizes: Mapping[str, int],
        memory_items: int,
        clock: Clock,
    ) -> None:
        """`file_sizes`: bytes of the files that may be sent, by hash. `memory_items`: with how many a turn begins."""
        self._memory_items = memory_items
        self.bot = bot
        self.assistant = assistant
        self.conversation = conversation
        self.history: list[HistoryItem] = []
        self.ending: Ending | None = None
        """Of the newest turn."""
        self._clock = clock
        self._turn: Turn | None = None
        self._last_answer: LastAnswer | None = None
        self._waiting: list[WaitingMessage] = []
        """For a yes to a model reading them."""
        self._turns = 0
        self._operations: Mapping[object, Callable[..., Any]] = {
            catalog.bot_and_assistant: lambda _: (self.bot, self.assistant, False),
            catalog.numbers: list,
            consented_turns.give: self._consented,
            files.size_of: file_sizes.get,
            handover.hand_over: lambda _: False,
            items.newest_items: lambda *_: [],
            items.replace_items: lambda *_: None,
            prices.put_prices: lambda _: None,
            quotes.quoted_text: lambda *_: None,
            tariffs.stored_tariffs: lambda: stored_tariffs,
            timers.put: lambda *_: None,
            turn_start.begin_turn: lambda *_: self._turn,
            turns.add_discarded: lambda *_: None,
            turns.end_turn: self._end,
            turns.failures_in_a_row: lambda _: 0,
            turns.keep_progress: self._keep_progress,
            turns.keep_thread: lambda *_: None,
        }

    async def write(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return self._answer(operation, *args)

    async def write_unhurried(
        self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        return self._answer(operation, *args)

    async def read(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return self._answer(operation, *args)

    async def read_traced(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return self._answer(operation, *args)

    @property
    def keeps_deleted(self) -> str | None:
        """See Database: there are no files."""
        return None

    async def expunge(self) -> None:
        """See Database."""

    async def close(self) -> None:
        """See Database."""

    def _answer(self, operation: Callable[Concatenate[Any, P], T], *args: object) -> T:
        found = self._operations.get(operation)
        if found is None:
            raise LookupError(f"A trial's store has no {getattr(operation, '__name__', operation)}; add it here.")
        return cast(T, found(*args))

    def begin(self, contents: Sequence[Content], account_sid: str, sender: str, progress: str | None = None) -> Turn:
        """The turn that answers these messages. `progress`: of one that was left, which continues."""
        now = timestamp(self._clock())
        self._turns += 1
        messages = [
            WaitingMessage(number, account_sid, f"SM{number:032x}", sender, now, content, "{}")
            for number, content in enumerate(contents, 100 * self._turns)
        ]
        self._turn = Turn(
            id=self._turns,
            conversation=self.conversation,
            starts=1,
            started_at=now,
            messages=messages,
            history=self.history[-self._memory_items :],
            progress=progress,
            catalog_version=self._turns,
            recent=[(kept.item, kept.at) for kept in self.history],
            last_answer=self._last_answer,
        )
        self.ending = None
        return self._turn

    @property
    def progress(self) -> str | None:
        """The notes of the newest turn, as JSON."""
        return self._turn.progress if self._turn is not None else None

    def state(self) -> Mapping[str, Any]:
        """What a later conversation continues from, as JSON values."""
        return {
            "history": self.history,
            "last_answer": self._last_answer,
            "turns": self._turns,
            **{key: getattr(self.conversation, key) for key in _KEPT},
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` returned."""
        self.history = [HistoryItem(*item) for item in state["history"]]
        self._last_answer = LastAnswer(*state["last_answer"]) if state["last_answer"] else None
        self._turns = state["turns"]
        self.conversation = self.conversation._replace(**{key: state[key] for key in _KEPT})

    def given(self, kept: Sequence[tuple[str, int]], answer: str) -> None:
        """Adds an exchange that took place before: its items, the last of which is the assistant's answer."""
        self.remember(kept)
        self._last_answer = LastAnswer(answer, timestamp(self._clock()))

    def remember(self, kept: Sequence[tuple[str, int]]) -> None:
        """Adds items to the memory."""
        now = timestamp(self._clock())
        self.history += [HistoryItem(item, tokens, now) for item, tokens in kept]

    def _keep_progress(self, _hold: object, progress: str) -> None:
        if self._turn is not None:
            self._turn = replace(self._turn, progress=progress)

    def _consented(self, turn: Turn, consent: Consent) -> tuple[str, Sequence[WaitingMessage]]:
        """Records a yes; the turn that it came with answers what waited for it."""
        stated = stated_as(consent.state, consent.version, timestamp(self._clock()))
        self.conversation = self.conversation._replace(consent=stated)
        messages, self._waiting = [*self._waiting, *turn.messages], []
        return stated, messages

    def _end(self, turn: Turn, ending: Ending) -> list[Any]:
        """The state after a turn. Nothing is to be delivered."""
        now = timestamp(self._clock())
        contents = [message.content for message in ending.outbound]
        is_answer = ending.state == "answered" and bool(contents) and isinstance(contents[-1], OutboundText)
        if ending.reason != "no_reply":
            self._last_answer = LastAnswer("\n".join(said.readable for said in contents), now) if is_answer else None
        self.remember(ending.items)
        noted = json.loads(self.conversation.notices or "{}") | dict.fromkeys(ending.notices, now)
        self.conversation = self.conversation._replace(
            notices=json.dumps(noted),
            loop_since=now if ending.is_loop else self.conversation.loop_since,
        )
        if ending.consent is not None:
            said = stated_as(ending.consent.state, ending.consent.version, now)
            self.conversation = self.conversation._replace(consent=said)
        if ending.reason == REASON:
            self._waiting += turn.messages
        if ending.handoff is not None:
            self.conversation = self.conversation._replace(state="human", state_since=now)
        self.ending = ending
        return []
