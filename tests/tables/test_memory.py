"""How much of a conversation is sent along: the newest part that fits, from a message of the user on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.memory import recalled, remembered, user_hash

USER, ANSWER = {"role": "user", "content": "hola"}, {"role": "assistant", "content": "buenas"}
CALL, RESULT = {"type": "function_call", "call_id": "1"}, {"type": "function_call_output", "call_id": "1"}


def history(*items: tuple[dict[str, str], int]) -> list[tuple[str, int]]:
    return [(json.dumps(item), tokens) for item, tokens in items]


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
    assert recalled(history(*items), limit) == kept


@given(
    st.lists(st.tuples(st.sampled_from([USER, ANSWER, CALL, RESULT]), st.integers(1, 30)), max_size=20),
    st.integers(0, 200),
)
def test_what_is_recalled_is_the_end_of_the_history_within_the_limit(items, limit):
    kept = recalled(history(*items), limit)

    assert kept == [item for item, _ in items[len(items) - len(kept) :]]
    assert sum(tokens for _, tokens in items[len(items) - len(kept) :]) <= limit
    assert not kept or kept[0] == USER


def test_a_user_is_named_by_a_keyed_hash_that_tells_the_bots_apart():
    named = user_hash("salt", "la-cocina", "whatsapp:+56912345678")

    assert named == "8bef6d19f5d5bb3d131dfed58db39fe72b7991f9810a6d37c490edce082bdee4"
    assert named != user_hash("salt", "la-clinica", "whatsapp:+56912345678")
    assert named != user_hash("other", "la-cocina", "whatsapp:+56912345678")
