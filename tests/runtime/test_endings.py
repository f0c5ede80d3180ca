"""How a turn ends: what is returned for delivery is what is on disk; webhooks that wait are used or released."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runtime.catalog import Configuration
from runtime.content.parts import Content, Text
from runtime.delivery.reply_window import ReplyWindows
from runtime.engines.port import Answer
from runtime.errors import PermanentError, ProviderError, RequestRefused
from runtime.memory import UNKNOWN_RESULT
from runtime.observability.metrics import Metrics
from runtime.settings import Settings
from runtime.store.database.database import Database, open_database
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.turn_start import store_and_begin
from runtime.store.messages.turns import Turn, TurnTakenOver, Usage, release
from runtime.store.records import BotRecord
from runtime.turns.leavings import WITHHELD
from runtime.turns.outcome import Endings
from runtime.turns.policy import Say, Silent
from schemas.policy import Policy

BOT = BotRecord("bot", "Bot", "+15550001", instructions="Atiende.", model="m", fallback_message="Disculpa.")
CONFIGURATION = Configuration(BOT, None, Policy())
HELLO = InboundMessage("AC1", "SM1", "bot", "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}")


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
            return store.execute(query).fetchall()


@pytest.fixture
async def begun(tmp_path: Path) -> AsyncIterator[Begun]:
    file = tmp_path / "store.db"
    database = await open_database(f"sqlite:///{file}")
    taken, turn = await database.write(store_and_begin, HELLO, 10)
    assert taken is not None
    assert turn is not None
    windows = ReplyWindows()
    endings = Endings(Settings(_env_file=None), database, windows, Metrics())
    yield Begun(endings, turn, taken, windows, database, file)
    await database.close()


def answer(text: str) -> Answer:
    return Answer(
        text, [{"role": "user", "content": "Hola"}, {"role": "assistant", "content": text}], "m", Usage(1, 0, 2)
    )


def remembered_by(begun: Begun) -> list[object]:
    """What the conversation's memory has of it: the texts, the results, and the names of functions."""
    items = [json.loads(str(item)) for (item,) in begun.rows("SELECT item FROM items ORDER BY id")]
    return [item.get("content") or item.get("output") or item["name"] for item in items]


SENT = "SELECT id, part, body, channel, state FROM outbox ORDER BY id"


async def test_a_long_answer_is_returned_as_rows_of_which_the_first_is_claimed(begun: Begun) -> None:
    rows = await begun.endings.answered(begun.turn, CONFIGURATION, answer("palabra " * 300))

    assert [(row.id, row.part, row.content.readable, row.channel, row.state) for row in rows] == begun.rows(SENT)
    assert [(row.part, row.channel, row.state) for row in rows] == [(0, "rest", "sending"), (1, "rest", "ready")]
    assert begun.rows("SELECT state FROM turns") == [("answered",)]


async def test_an_answer_of_one_part_goes_into_the_webhook_that_waits_for_it(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True) as window:
        (row,) = await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."))

        assert (row.content.readable, row.channel) == ("Hola.", "twiml")
        assert begun.windows.claimed_by(begun.turn.id) is window


async def test_an_answer_of_several_parts_releases_the_webhook(begun: Begun) -> None:
    with begun.windows.opened(begun.taken, lambda: True) as window:
        assert window is not None
        rows = await begun.endings.answered(begun.turn, CONFIGURATION, answer("palabra " * 300))

        assert {row.channel for row in rows} == {"rest"}
        assert await asyncio.wait_for(window.wait(5), 1) is None


async def test_a_turn_without_an_answer_tells_the_user_so(begun: Begun) -> None:
    (row,) = await begun.endings.dead(begun.turn, CONFIGURATION, PermanentError("The model is down."), ())

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


async def test_the_variant_that_answered_is_kept(begun: Begun) -> None:
    await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."), "canary")

    assert begun.rows("SELECT state, variant, reason FROM turns") == [("answered", "canary", None)]


async def test_a_turn_that_another_process_has_sends_nothing_and_releases_the_webhook(begun: Begun) -> None:
    await begun.database.write(release, begun.turn.hold)
    with begun.windows.opened(begun.taken, lambda: True) as window:
        assert window is not None
        with pytest.raises(TurnTakenOver):
            await begun.endings.answered(begun.turn, CONFIGURATION, answer("Hola."))

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
    await begun.endings.dead(begun.turn, CONFIGURATION, PermanentError("The model is down."), notes)

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
    await begun.endings.dead(begun.turn, CONFIGURATION, failure, ())

    assert remembered_by(begun) == [words, "Disculpa."]


async def test_a_turn_that_is_silenced_after_calls_were_made_leaves_them(begun: Begun) -> None:
    turn = replace(begun.turn, progress=json.dumps([CALL, RESULT]))

    await begun.endings.unanswered(turn, CONFIGURATION, Silent("paused"))

    assert remembered_by(begun) == ["Hola", "reservar", '{"ok": true}']
