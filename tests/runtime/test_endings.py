"""How a turn ends: what is returned for delivery is what is on disk; webhooks that wait are used or released."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runtime.budgets.budgets import Budgets
from runtime.catalog import Configuration, open_catalog
from runtime.content.parts import Content, Text
from runtime.delivery.reply_window import ReplyWindows
from runtime.engines.port import Answer
from runtime.errors import PermanentError, ProviderError, RequestRefused
from runtime.memory import UNKNOWN_RESULT
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.settings import Settings
from runtime.store.database.database import Database, open_database
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.turn_start import store_and_begin
from runtime.store.messages.turns import Turn, TurnTakenOver, release
from runtime.store.records import BotRecord
from runtime.store.usage.quantities import Spent, Usage
from runtime.turns.leavings import WITHHELD
from runtime.turns.outcome import Endings
from runtime.turns.policy import HandOver, Say, Silent
from runtime.turns.progress import Progress
from schemas.policy_document import PolicyDocument
from tests.runtime.stores import readable

BOT = BotRecord("bot", "Bot", "+15550001", instructions="Atiende.", model="m", fallback_message="Disculpa.")
CONFIGURATION = Configuration(BOT, None, PolicyDocument())
HELLO = InboundMessage("AC1", "SM1", "bot", "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}")
SPENT = [Spent("gpt-6-luna", Usage(1000, 0, 200))]


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that has begun, on a store of its own."""

    endings: Endings
    turn: Turn
    taken: StoredMessage
    windows: ReplyWindows
    database: Database
    file: Path

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.file)) as store:
            return readable(store.execute(query))


@pytest.fixture
async def begun(tmp_path: Path) -> AsyncIterator[Begun]:
    file = tmp_path / "store.db"
    database = await open_database(f"sqlite:///{file}")
    taken, turn = await database.write(store_and_begin, HELLO, 10)
    assert taken is not None
    assert turn is not None
    windows = ReplyWindows()
    prices = PriceList(database, await open_catalog(database))
    endings = Endings(Settings(_env_file=None), database, windows, prices, Budgets(database, prices), Metrics())
    yield Begun(endings, turn, taken, windows, database, file)
    await database.close()


def answer(text: str) -> Answer:
    return Answer(
        text, [{"role": "user", "content": "Hola"}, {"role": "assistant", "content": text}], "m", Usage(1, 0, 2)
    )


async def discard(_progress: str) -> None:
    """Keeps nothing."""


def progress(notes: Sequence[Mapping[str, str]] = (), *spent: Spent) -> Progress:
    """The progress of an attempt, in memory."""
    made = Progress(json.dumps(notes), discard)
    for call in spent:
        made.spend(call.model, call.usage)
    return made


def remembered_by(begun: Begun) -> list[object]:
    """What the conversation's memory has of it: the texts, the results, and the names of functions."""
    items = [json.loads(str(item)) for (item,) in begun.rows("SELECT item FROM items ORDER BY id")]
    return [item.get("content") or item.get("output") or item["name"] for item in items]


SENT = "SELECT id, part, body, channel, state FROM outbox ORDER BY id"


async def test_a_long_answer_is_returned_as_rows_of_which_the_first_is_claimed(begun: Begun) -> None:
    rows = await begun.endings.answered(begun.turn, CONFIGURATION, answer("palabra " * 300), progress((), *SPENT))

    assert [(row.id, row.part, row.content.readable, row.channel, row.state) for row in rows] == begun.rows(SENT)
    assert [(row.part, row.channel, row.state) for row in rows] == [(0, "rest", "sending"), (1, "rest", "ready")]
    assert begun.rows("SELECT state FROM turns") == [("answered",)]


async def test_an_answer_of_one_part_goes_into_the_webhook_that_waits_for_it(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True) as window:
        (row,) = await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."), progress((), *SPENT))

        assert (row.content.readable, row.channel) == ("Hola.", "twiml")
        assert begun.windows.claimed_by(begun.turn.id) is window


async def test_an_answer_of_several_parts_releases_the_webhook(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True) as window:
        assert window is not None
        rows = await begun.endings.answered(begun.turn, CONFIGURATION, answer("palabra " * 300), progress((), *SPENT))

        assert {row.channel for row in rows} == {"rest"}
        assert await asyncio.wait_for(window.wait(5), 1) is None


async def test_a_turn_without_an_answer_tells_the_user_so(begun: Begun) -> None:
    (row,) = await begun.endings.dead(begun.turn, CONFIGURATION, PermanentError("The model is down."), progress())

    assert (row.content.readable, row.sender, row.recipient) == ("Disculpa.", "whatsapp:+15550001", "whatsapp:+569")
    assert begun.rows("SELECT state, error FROM turns") == [("dead", "The model is down.")]


async def test_a_turn_that_nobody_answers_says_why_and_releases_the_webhook(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True) as window:
        assert window is not None
        assert await begun.endings.unanswered(begun.turn, None, Silent("unknown")) == []

        assert await asyncio.wait_for(window.wait(5), 1) is None
    assert begun.rows("SELECT state, reason FROM turns") == [("unanswered", "unknown")]
    assert begun.rows("SELECT state FROM inbox") == [("unanswered",)]


async def test_a_turn_that_nobody_answers_may_tell_the_user_so_in_the_webhook(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True):
        (row,) = await begun.endings.unanswered(begun.turn, CONFIGURATION, Say("limited", "Un momento.", "minute"))

        assert (row.content.readable, row.channel) == ("Un momento.", "twiml")
    assert begun.rows("SELECT state, reason FROM turns") == [("unanswered", "limited")]
    assert remembered_by(begun) == ["Hola", "Un momento."]


CANARY = replace(CONFIGURATION, variant="canary")


async def test_the_variant_that_answered_is_kept(begun: Begun) -> None:
    await begun.endings.answered(begun.turn, CANARY, answer("Hola."), progress((), *SPENT))

    assert begun.rows("SELECT state, variant, reason FROM turns") == [("answered", "canary", None)]


ENDINGS: Mapping[str, tuple[Callable[[Endings, Turn], Awaitable[object]], str | None]] = {
    "failed": (lambda endings, turn: endings.dead(turn, CANARY, PermanentError("No."), progress()), "canary"),
    "asked for a person": (lambda endings, turn: endings.given_to_people(turn, CANARY, HandOver("asked")), "canary"),
    "thanked": (lambda endings, turn: endings.unanswered(turn, CANARY, Silent("no_reply")), "canary"),
    "no budget": (lambda endings, turn: endings.given_to_people(turn, CANARY, HandOver("budget")), None),
    "people have it": (lambda endings, turn: endings.unanswered(turn, CANARY, Silent("human")), None),
    "away": (lambda endings, turn: endings.unanswered(turn, CANARY, Say("hours", "Cerrado.", "night")), None),
}
"""By what happens, and whose work that is."""


@pytest.mark.parametrize("what", ENDINGS)
async def test_only_what_depends_on_who_answers_is_the_variants(begun: Begun, what: str) -> None:
    end, variant = ENDINGS[what]
    await end(begun.endings, begun.turn)

    assert begun.rows("SELECT variant, bot_version FROM turns") == [(variant, 1)]


async def test_a_turn_that_another_process_has_sends_nothing_and_releases_the_webhook(begun: Begun) -> None:
    await begun.database.write(release, begun.turn.hold)
    with begun.windows.opened(begun.taken, lambda: True) as window:
        assert window is not None
        with pytest.raises(TurnTakenOver):
            await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."), progress((), *SPENT))

        assert await asyncio.wait_for(window.wait(5), 1) is None
    assert begun.rows(SENT) == []


CALL = {"type": "function_call", "call_id": "call_1", "name": "reservar", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": '{"ok": true}'}
CALLED = {"type": "called", **{key: value for key, value in (CALL | RESULT).items() if key != "type"}}


@pytest.mark.parametrize(
    ("notes", "calls"),
    [
        ([], []),
        ([CALL, RESULT], ["reservar", '{"ok": true}']),
        ([CALLED], ["reservar", '{"ok": true}']),
        ([{"type": "reasoning"}, CALL], ["reservar", UNKNOWN_RESULT]),
    ],
)
async def test_a_dead_turn_leaves_words_calls_and_fallback(
    begun: Begun, notes: list[dict[str, str]], calls: list[str]
) -> None:
    await begun.endings.dead(begun.turn, CONFIGURATION, PermanentError("The model is down."), progress(notes))

    assert remembered_by(begun) == ["Hola", *calls, "Disculpa."]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (RequestRefused("refused", is_for_words=True), WITHHELD),
        (RequestRefused("refused", is_for_words=False), "Hola"),
    ],
)
async def test_words_that_the_provider_refused_for_what_they_say_are_withheld(
    begun: Begun, failure: ProviderError, words: str
) -> None:
    await begun.endings.dead(begun.turn, CONFIGURATION, failure, progress())

    assert remembered_by(begun) == [words, "Disculpa."]


async def test_a_turn_that_is_silenced_after_calls_were_made_leaves_them(begun: Begun) -> None:
    turn = replace(begun.turn, progress=json.dumps([CALL, RESULT]))

    await begun.endings.unanswered(turn, CONFIGURATION, Silent("paused"))

    assert remembered_by(begun) == ["Hola", "reservar", '{"ok": true}']


async def test_what_an_answer_was_made_with_is_kept(begun: Begun) -> None:
    called = progress(
        [{"type": "function_call", "name": "reservar", "call_id": "1"}, {"type": "called", "call_id": "2"}]
    )
    cited = replace(answer("Hola."), documents=["carta.pdf"])
    await begun.endings.answered(begun.turn, CONFIGURATION, cited, called)

    ((used,),) = begun.rows("SELECT used FROM turns")
    assert json.loads(str(used)) == {"documents": ["carta.pdf"], "functions": ["reservar"]}


async def test_an_answer_from_nothing_else_keeps_no_list(begun: Begun) -> None:
    await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."), progress())

    assert begun.rows("SELECT used FROM turns") == [(None,)]


LEDGER = "SELECT client, kind, quantity, amount FROM usage ORDER BY kind"
CHARGED = [("bot", "model_input", 1000, 100_000), ("bot", "model_output", 200, 100_000)]
"""Of SPENT, at the list price of gpt-6-luna."""


async def test_an_answer_s_cost_is_in_the_ledger(begun: Begun) -> None:
    spent = progress((), *SPENT, Spent("gpt-9", Usage(7, 0, 0)))
    await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."), spent)

    assert begun.rows(LEDGER) == [CHARGED[0], ("bot", "model_input", 7, None), CHARGED[1]]


async def test_a_turn_without_an_answer_costs_what_was_spent_and_its_retry_no_second_time(begun: Begun) -> None:
    failure = PermanentError("The model is down.")
    await begun.endings.dead(begun.turn, CONFIGURATION, failure, progress([CALL, RESULT], *SPENT))

    assert begun.rows(LEDGER) == CHARGED
    ((kept,),) = begun.rows("SELECT progress FROM turns")
    assert json.loads(str(kept)) == [CALL, RESULT]


async def test_a_turn_that_is_silenced_costs_what_earlier_attempts_spent(begun: Begun) -> None:
    kept: list[str] = []

    async def keep(notes: str) -> None:
        kept.append(notes)

    attempt = Progress(None, keep)
    attempt.spend(SPENT[0].model, SPENT[0].usage)
    await attempt.keep_spent()
    await attempt.keep_spent()
    assert len(kept) == 1

    await begun.endings.unanswered(replace(begun.turn, progress=kept[0]), CONFIGURATION, Silent("paused"))

    assert begun.rows(LEDGER) == CHARGED
