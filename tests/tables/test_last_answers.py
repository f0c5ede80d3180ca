"""Whether the newest row of an outbox is an answer to which thanks may refer, and what that answer says."""

from __future__ import annotations

import json

import pytest

from runtime.store.messages.last_answers import LastAnswer, SentLast, last_answer

AT, BEFORE, LATER = "2026-11-22T12:00:00.000Z", "2026-11-22T11:00:00.000Z", "2026-11-22T12:00:00.001Z"
ONE = SentLast(7, 0, "Abrimos a las 9.", AT)
SECOND_PART = SentLast(7, 1, "y cerramos a las 18.", AT)
Item = tuple[str, int, str, int | None]


def item(turn: int | None, at: str = AT, **content: str) -> Item:
    return json.dumps(content or {"role": "user", "content": "Hola"}), 1, at, turn


def said(turn: int | None, text: str, at: str = AT) -> Item:
    return item(turn, at, role="assistant", content=text)


@pytest.mark.parametrize(
    ("sent", "history", "expected"),
    [
        (ONE, [], "Abrimos a las 9."),
        (ONE, [said(7, "**Abrimos** a las 9."), item(7)], "**Abrimos** a las 9.\nAbrimos a las 9."),
        (ONE, [item(8, LATER), said(7, "Abrimos."), said(6, "¿Y?", BEFORE)], "Abrimos.\nAbrimos a las 9."),
        (ONE, [item(None, BEFORE)], "Abrimos a las 9."),
        (SECOND_PART, [said(7, "¿Reservo?")], "¿Reservo?\ny cerramos a las 18."),
        (SECOND_PART, [], None),
        (SECOND_PART, [said(6, "¿Reservo?", BEFORE)], None),
        (SECOND_PART, [item(7, type="function_call_output", output="{}")], None),
        (ONE, [item(None, LATER), said(7, "Abrimos.")], None),
        (ONE, [item(None, AT), said(7, "Abrimos.")], None),
        (SentLast(None, None, None, None), [said(7, "Abrimos.")], None),
    ],
    ids=[
        *("kept at the provider", "remembered", "after a further message", "after an earlier limited message"),
        *("in parts", "parts kept at the provider", "parts of a forgotten turn", "parts without words"),
        *("before a limited message", "beside a limited message", "none"),
    ],
)
def test_the_last_answer(sent: SentLast, history: list[Item], expected: str | None) -> None:
    assert last_answer(sent, history) == (None if expected is None else LastAnswer(expected, AT))
