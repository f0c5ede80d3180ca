"""How much of a conversation is sent along: the newest part that fits, from a message of the user on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.memory import UNKNOWN_RESULT, current, finished_calls, is_one_of, recalled, remembered, user_hash
from runtime.store.messages.turns import HistoryItem

USER, ANSWER = {"role": "user", "content": "hola"}, {"role": "assistant", "content": "buenas"}
CALL, RESULT = {"type": "function_call", "call_id": "1"}, {"type": "function_call_output", "call_id": "1"}


NOW = datetime(2026, 11, 28, 18, 52, tzinfo=ZoneInfo("America/Santiago"))
TODAY = "2026-11-28T20:00:00.000Z"
HOUR, DAY = 3600, 86_400


def history(*items: tuple[dict[str, str], int]) -> list[HistoryItem]:
    return [HistoryItem(json.dumps(item), tokens, TODAY) for item, tokens in items]


@pytest.mark.parametrize(
    ("item", "text", "tokens"),
    [
        ({}, "{}", 1),
        ({"a": ""}, '{"a":""}', 3),
        ({"a": "x"}, '{"a":"x"}', 3),
        ({"a": "xxxx"}, '{"a":"xxxx"}', 4),
        ({"content": "niño"}, '{"content":"niño"}', 5),
        ({"content": "x" * 386}, '{"content":"' + "x" * 386 + '"}', 101),
    ],
)
def test_an_item_is_stored_as_json_with_a_token_for_every_four_characters(item, text, tokens):
    assert remembered(item) == (text, tokens)


def sent_of(items: Sequence[HistoryItem], limit: int, now: datetime) -> list[dict[str, Any]]:
    """What is recalled, parsed."""
    return [json.loads(item) for item in recalled(items, limit, now)]


@pytest.mark.parametrize(
    ("items", "limit", "kept"),
    [
        ([], 100, []),
        ([(USER, 10), (ANSWER, 10)], 100, [USER, ANSWER]),
        ([(USER, 10), (ANSWER, 10)], 20, [USER, ANSWER]),
        ([(USER, 10), (ANSWER, 10)], 19, []),
        ([(USER, 10), (ANSWER, 10), (USER, 5), (ANSWER, 5)], 20, [USER, ANSWER]),
        ([(USER, 10), (ANSWER, 10), (USER, 5), (ANSWER, 5)], 10, [USER, ANSWER]),
        ([(USER, 10), (ANSWER, 10), (USER, 5), (ANSWER, 5)], 9, []),
        ([(USER, 10), (ANSWER, 10), (USER, 5), (ANSWER, 5)], 30, [USER, ANSWER, USER, ANSWER]),
        ([(ANSWER, 1), (USER, 1), (ANSWER, 1)], 100, [USER, ANSWER]),
        ([(CALL, 1), (RESULT, 1), (ANSWER, 1)], 100, []),
        ([(USER, 1), (CALL, 1), (RESULT, 1), (ANSWER, 1)], 4, [USER, CALL, RESULT, ANSWER]),
        ([(USER, 1), (CALL, 1), (RESULT, 1), (ANSWER, 1), (USER, 1)], 3, [USER]),
        ([(USER, 1), (USER, 50), (ANSWER, 1)], 20, []),
    ],
)
def test_what_is_recalled_is_the_newest_that_fits_from_a_message_of_the_user_on(items, limit, kept):
    assert sent_of(history(*items), limit, NOW) == kept


@given(
    st.lists(st.tuples(st.sampled_from([USER, ANSWER, CALL, RESULT]), st.integers(1, 30)), max_size=20),
    st.integers(0, 200),
)
def test_what_is_recalled_is_the_end_of_the_history_within_the_limit(items, limit):
    kept = sent_of(history(*items), limit, NOW)

    assert kept == [item for item, _ in items[len(items) - len(kept) :]]
    assert sum(tokens for _, tokens in items[len(items) - len(kept) :]) <= limit
    assert not kept or kept[0] == USER


def at(*items: tuple[dict[str, str], str]) -> list[HistoryItem]:
    return [HistoryItem(json.dumps(item), 1, f"2026-{time}:00.000Z") for item, time in items]


def date(day: str) -> dict[str, str]:
    return {"role": "developer", "content": f"On {day}:"}


def called(call_id: str, output: str) -> list[dict[str, str]]:
    """A call of a function and its result, as the history has them."""
    return [
        {"type": "function_call", "call_id": call_id, "name": "reservar", "arguments": "{}"},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


ONE, OTHER = called("1", "sí"), called("2", "no")


@pytest.mark.parametrize(
    ("notes", "items"),
    [
        ([], []),
        (ONE, ONE),
        ([ONE[0], OTHER[0], OTHER[1], ONE[1]], [*ONE, *OTHER]),
        ([ONE[0]], called("1", UNKNOWN_RESULT)),
        ([{**ONE[0], "type": "called", "output": "sí"}], ONE),
        ([{"type": "called", "call_id": "1", "output": "sí"}], []),
        ([{"type": "message", "name": "reservar"}, {"type": "sent"}, *ONE], ONE),
    ],
    ids=[
        *("none", "in two notes", "two at once", "interrupted", "in one note", "of an older program", "other notes"),
    ],
)
def test_the_calls_of_a_turn_are_remembered_each_with_its_result(notes, items):
    assert finished_calls(iter(notes)) == items


def result(characters: int) -> dict[str, str]:
    """A function's result with the numbers from 0 on, so that it shows which part was kept."""
    return called("1", "".join(f"{number:05} " for number in range(5_000))[:characters])[1]


def shortened(characters: int, head: int, tail: int) -> dict[str, str]:
    output = result(characters)["output"]
    return {
        **result(characters),
        "output": f"{output[:head]}\n[… {characters} characters, shortened …]\n{output[-tail:]}",
    }


@pytest.mark.parametrize(
    ("characters", "stored"), [(16_000, result(16_000)), (16_001, shortened(16_001, 11_175, 4_790))]
)
def test_of_a_result_that_is_too_long_the_beginning_and_the_end_are_stored(characters, stored):
    text, _ = remembered(result(characters))

    assert json.loads(text) == stored
    assert len(stored["output"]) == 16_000


@pytest.mark.parametrize(
    ("older", "newer", "kept"),
    [
        (10, 10, [result(10), result(10)]),
        (10, 400, [result(10), result(400)]),
        (10, 1_000, [result(10), shortened(1_000, 256, 110)]),
        (1_000, 10, [shortened(1_000, 208, 90), result(10)]),
        (1_000, 1_000, [shortened(1_000, 60, 26), shortened(1_000, 256, 110)]),
    ],
    ids=["short", "just half of the budget", "too long", "what the newer one left", "both too long"],
)
def test_results_take_half_of_the_budget_the_newest_first_and_are_shortened_beyond_it(older, newer, kept):
    items = [HistoryItem(*remembered(item), TODAY) for item in (USER, result(older), result(newer))]

    assert sent_of(items, 201, NOW) == [USER, *kept]


def test_a_long_message_is_not_shortened_as_a_result_is():
    assert sent_of(history((USER, 60), (USER, 150)), 201, NOW) == [USER]


SATURDAY, FRIDAY, SUNDAY = "Saturday 2026-11-28", "Friday 2026-11-27", "Sunday 2026-03-01"


@pytest.mark.parametrize(
    ("items", "sent"),
    [
        ([(USER, "11-28T03:00"), (ANSWER, "11-28T20:00")], [USER, ANSWER]),
        ([(USER, "11-28T02:59"), (ANSWER, "11-28T02:59")], [date(FRIDAY), USER, ANSWER]),
        (
            [(USER, "03-01T10:00"), (ANSWER, "03-01T10:00"), (USER, "11-28T20:00"), (ANSWER, "11-28T20:00")],
            [date(SUNDAY), USER, ANSWER, date(SATURDAY), USER, ANSWER],
        ),
        (
            [(USER, "11-28T02:59"), (CALL, "11-28T03:00"), (RESULT, "11-28T03:01"), (USER, "11-28T03:02")],
            [date(FRIDAY), USER, CALL, RESULT, date(SATURDAY), USER],
        ),
        ([(USER, "11-27T12:00"), (ANSWER, "11-27T12:00"), (USER, "11-27T12:01")], [date(FRIDAY), USER, ANSWER, USER]),
        ([(USER, "11-28T20:00"), (USER, "11-29T20:00")], [date(SATURDAY), USER, date("Sunday 2026-11-29"), USER]),
    ],
    ids=[
        *("today only", "before midnight in the zone", "an old talk and today", "a call at midnight"),
        *("twice on one day", "the clock was set back"),
    ],
)
def test_what_is_not_of_today_has_its_date(items, sent):
    assert sent_of(at(*items), 100, NOW) == sent


RESET = {"role": "user", "content": "¡Reiniciar!"}


@pytest.mark.parametrize(
    ("items", "expires", "words", "kept"),
    [
        ([], DAY, ["reiniciar"], 0),
        ([(USER, "03-01T10:00"), (ANSWER, "03-01T10:00")], None, [], 2),
        ([(USER, "03-01T10:00"), (ANSWER, "03-01T10:00")], 30 * DAY, [], 0),
        ([(USER, "03-01T10:00"), (USER, "11-28T20:00"), (ANSWER, "11-28T20:00")], 30 * DAY, [], 2),
        ([(USER, "11-28T20:51"), (ANSWER, "11-28T20:52")], HOUR, [], 2),
        ([(USER, "11-28T20:51"), (ANSWER, "11-28T20:51")], HOUR, [], 0),
        ([(USER, "11-28T20:51"), (RESET, "11-28T20:51"), (ANSWER, "11-28T20:51")], None, ["reiniciar"], 2),
        ([(RESET, "11-28T20:51"), (RESET, "11-28T20:51"), (USER, "11-28T20:51")], None, ["reiniciar"], 2),
        ([(USER, "11-28T20:51"), (RESET, "11-28T20:51")], None, ["/reset"], 2),
        ([(USER, "11-28T20:51"), ({**RESET, "role": "assistant"}, "11-28T20:51")], None, ["reiniciar"], 2),
    ],
    ids=[
        *(
            "nothing written",
            "nothing declared",
            "silent for long",
            "silent for long before today",
            "just within",
            "just beyond",
        ),
        *("reset", "reset twice", "another word", "the assistant's word"),
    ],
)
def test_a_conversation_begins_after_a_long_silence_or_with_a_word(items, expires, words, kept):
    found = current(at(*items), expires, words, NOW)
    assert found == at(*items)[len(items) - kept :]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("reiniciar", True), (" Reiníciar. ", True), ("/RESET", True), ("quiero reiniciar", False), ("", False)],
)
def test_a_word_is_a_whole_message(text, is_one):
    assert is_one_of(text, ["Reiniciar", "/reset"]) is is_one


def test_a_user_is_named_by_a_keyed_hash_that_tells_the_bots_apart():
    named = user_hash("salt", "la-cocina", "whatsapp:+56912345678")

    assert named == "8bef6d19f5d5bb3d131dfed58db39fe72b7991f9810a6d37c490edce082bdee4"
    assert named != user_hash("salt", "la-clinica", "whatsapp:+56912345678")
    assert named != user_hash("other", "la-cocina", "whatsapp:+56912345678")
