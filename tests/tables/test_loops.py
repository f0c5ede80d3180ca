"""Which conversations are loops between programs, by their words and times, and which a person may have written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from runtime.content.parts import Content, Text
from runtime.store.database.times import timestamp
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.turns import Turn, WaitingMessage
from runtime.turns.loops import (
    CHARACTERS_PER_SECOND,
    FAST_LENGTH,
    FAST_REPLIES,
    QUICK_SECONDS,
    SAME_LENGTH,
    SAME_REPLIES,
    LoopSign,
    sign_of_loop,
)

SENDER = "whatsapp:+56912345678"
CONVERSATION = Conversation(1, "bot", SENDER, None, None, "assistant", None, None, None, None)
START = 1_780_000_000.0
BUSY = "Gracias por escribirnos. Le responderemos a la brevedad."


def different(count: int, length: int = 60) -> list[str]:
    """Texts that differ, of a length."""
    return [f"{number:03d} ".ljust(length, "x") for number in range(count)]


def turn(texts: Sequence[str], seconds: float, extra: Sequence[dict[str, object]] = ()) -> Turn:
    """A turn with the last text, each of the texts this long after the answer to the one before."""
    recent: list[tuple[str, str]] = []
    for number, text in enumerate(texts[:-1]):
        at = timestamp(START + number * seconds)
        items = [{"role": "user", "content": text}, *extra, {"role": "assistant", "content": "¿En qué le ayudo?"}]
        recent += [(json.dumps(item), at) for item in items]
    received_at = timestamp(START + (len(texts) - 1) * seconds)
    message = WaitingMessage(1, "AC1", "SM1", SENDER, received_at, Content((Text(texts[-1]),)), "{}")
    return Turn(1, CONVERSATION, 1, received_at, [message], [], None, 1, recent)


@pytest.mark.parametrize(
    ("texts", "seconds", "expected"),
    [
        ([BUSY] * (SAME_REPLIES + 1), 2.0, "same_words"),
        ([BUSY] * SAME_REPLIES, 2.0, None),
        ([BUSY, BUSY.upper() + " "] * SAME_REPLIES, 2.0, "same_words"),
        ([BUSY] * (SAME_REPLIES + 1), 0.0, "same_words"),
        ([BUSY] * (SAME_REPLIES + 1), QUICK_SECONDS, "same_words"),
        ([BUSY] * 30, QUICK_SECONDS + 1, None),
        (["hola"] * 30, 1.0, None),
        (["x" * SAME_LENGTH] * 30, 1.0, "same_words"),
        (["x" * (SAME_LENGTH - 1)] * 30, 1.0, None),
        ([BUSY, "Marque 1 para ventas o 2 para soporte.", "Opción no válida. Intente otra vez."] * 9, 3.0, None),
        (different(FAST_REPLIES + 1), 2.0, "no_human_pace"),
        (different(FAST_REPLIES), 2.0, None),
        (different(FAST_REPLIES + 1, int(4 * CHARACTERS_PER_SECOND)), 4.0, "no_human_pace"),
        (different(30), 5.0, None),
        (different(30, FAST_LENGTH), 0.1, "no_human_pace"),
        (different(30, FAST_LENGTH - 1), 0.1, None),
        (["quiero una mesa", "para dos", "hoy a las ocho", "¿se puede?"] * 8, 0.5, None),
        ([BUSY] * 8 + ["¿Hay alguien ahí? Necesito hablar con una persona."] + [BUSY] * 3, 6.0, "same_words"),
        ([*different(20), "no entiendo"], 1.0, None),
        ([BUSY], 1.0, None),
    ],
)
def test_a_conversation_is_a_loop(texts: list[str], seconds: float, expected: LoopSign | None) -> None:
    assert sign_of_loop(turn(texts, seconds)) == expected


def test_a_message_written_before_our_answer_is_no_reply_to_it() -> None:
    looping = turn([BUSY] * (SAME_REPLIES + 1), 2.0)
    (message,) = looping.messages
    early = replace(looping, messages=[message._replace(received_at=timestamp(START))])

    assert (sign_of_loop(looping), sign_of_loop(early)) == ("same_words", None)


def test_words_without_an_answer_are_left_out() -> None:
    looping = turn([BUSY] * (SAME_REPLIES + 1), 2.0)
    unanswered = (json.dumps({"role": "user", "content": "¿Aló?"}), looping.messages[0].received_at)

    assert sign_of_loop(replace(looping, recent=[*looping.recent, unanswered])) == "same_words"


def test_calls_of_functions_between_a_message_and_its_answer_change_nothing() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "{}"}

    assert sign_of_loop(turn([BUSY] * (SAME_REPLIES + 1), 2.0, [call, result])) == "same_words"


def test_an_answer_in_two_messages_is_one_answer() -> None:
    first = {"role": "assistant", "content": "Un momento, por favor."}

    assert sign_of_loop(turn([BUSY] * (SAME_REPLIES + 1), 2.0, [first])) == "same_words"


def test_a_reply_to_a_message_that_answers_nothing_does_not_count() -> None:
    few = turn([BUSY] * SAME_REPLIES, 2.0)
    notice = (json.dumps({"role": "assistant", "content": "Su pedido va en camino."}), timestamp(START - 2))

    assert sign_of_loop(replace(few, recent=[notice, *few.recent])) is None


def test_a_message_that_nobody_answered_yet_begins_no_loop() -> None:
    (first,) = turn([BUSY], 2.0).messages
    unanswered = (json.dumps({"role": "user", "content": BUSY}), first.received_at)

    assert sign_of_loop(replace(turn([BUSY], 2.0), recent=[unanswered])) is None


def in_two(words: str, looping: Turn) -> Turn:
    """The turn, each message that is `words` written as two, where they have a comma."""
    recent: list[tuple[str, str]] = []
    for text, at in looping.recent:
        item = json.loads(text)
        parts = words.split(", ") if item["content"] == words else [item["content"]]
        recent += [(json.dumps({**item, "content": part}), at) for part in parts]
    (message,) = looping.messages
    messages = [message._replace(content=Content((Text(part),))) for part in words.split(", ")]
    return replace(looping, recent=recent, messages=messages)


@pytest.mark.parametrize(
    ("words", "expected"), [("Gracias por escribir, ya le atendemos", "same_words"), ("x" * 9 + ", " + "x" * 9, None)]
)
def test_messages_that_are_answered_together_are_one_reply(words: str, expected: LoopSign | None) -> None:
    looping = turn([BUSY, words] * (SAME_REPLIES // 2) + [words], 2.0)

    assert sign_of_loop(in_two(words, looping)) == expected
