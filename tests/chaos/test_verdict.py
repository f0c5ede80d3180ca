"""The verdict finds what it looks for: each kind of violation, in a ledger made by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.scenario import OPERATOR
from tests.chaos.verdict import Claim, Held, Verdict, claimed_after_a_take, judge

US, OTHER, USER, STRANGER = "whatsapp:+15550000001", "whatsapp:+15550000002", "whatsapp:+56911", "whatsapp:+56922"
SPEAKERS = {US: "[kitchen] Eres la cocina.", OTHER: "[clinic] Eres la clínica."}
ONE, TWO = "q0001-aaaa hola", "q0002-bbbb gracias"

Json = dict[str, Any]


def at(second: float) -> str:
    return datetime.fromtimestamp(1_800_000_000 + second, UTC).isoformat(timespec="milliseconds")


def wrote(text: str, second: float, status: int | None = 200, to: str = US) -> list[Json]:
    """A message, and the one attempt to deliver it."""
    sid = f"SM{text[:5]}"
    told = {"message_sid": sid, "from": USER, "to": to, "body": text, "time": at(second)}
    attempt = {"message_sid": sid, "purpose": "inbound", "status": status, "seconds": 0.1, "time": at(second + 0.1)}
    return [{"kind": "inbound", **told}, {"kind": "webhook", **attempt}]


def answered(said: str, second: float, turn: int, origin: str = US, to: str = USER, speaker: str = "") -> Json:
    body = f"{speaker or SPEAKERS[origin]} · {said} · turn {turn}"
    return sent(body, second, origin, to)


def sent(body: str, second: float, origin: str = US, to: str = USER) -> Json:
    return {"kind": "outbound", "from": origin, "to": to, "body": body, "time": at(second)}


def asked(client: str, *said: str) -> Json:
    body = {"metadata": {"client": client}, "input": [{"role": "user", "content": text} for text in said]}
    return {"kind": "call", "n": 7, "path": "/v1/responses", "body": body}


def long(said: str, paragraphs: Sequence[int], *, opened: bool = True) -> str:
    opening = f"{SPEAKERS[US]} · {said} · turn 1\n\n" if opened else ""
    return opening + "\n\n".join(f"{number}. {'x' * 100}" for number in paragraphs)


def judged(*entries: Json | list[Json]) -> Verdict:
    flat = [entry for item in entries for entry in (item if isinstance(item, list) else [item])]
    return judge(flat, SPEAKERS)


def kinds(verdict: Verdict) -> list[str]:
    return [violation.kind for violation in verdict.violations]


def test_each_message_answered_in_order_is_no_violation() -> None:
    verdict = judged(wrote(ONE, 0), answered(ONE, 1, 1), wrote(TWO, 2), answered(TWO, 3, 2))
    assert kinds(verdict) == []
    assert (verdict.acknowledged, verdict.outbound) == (2, 2)


def test_one_answer_to_a_burst_is_no_violation() -> None:
    assert kinds(judged(wrote(ONE, 0), wrote(TWO, 0.2), answered(f"{ONE} / {TWO}", 1, 2))) == []


def test_messages_that_were_under_way_together_may_be_answered_in_any_order() -> None:
    assert kinds(judged(wrote(ONE, 0), wrote(TWO, 0.05), answered(TWO, 1, 1), answered(ONE, 2, 2))) == []


def test_acknowledged_and_never_answered_is_lost() -> None:
    assert kinds(judged(wrote(ONE, 0))) == ["lost"]


def test_never_acknowledged_is_lost_as_well_for_twilio_can_be_asked_for_it() -> None:
    verdict = judged(wrote(ONE, 0, None))
    assert (kinds(verdict), verdict.acknowledged, len(verdict.unacknowledged)) == (["lost"], 0, 1)


def test_answered_again_is_doubled() -> None:
    assert "doubled" in kinds(judged(wrote(ONE, 0), answered(ONE, 1, 1), answered(ONE, 2, 1)))


def test_answered_twice_in_one_answer_is_doubled() -> None:
    assert kinds(judged(wrote(ONE, 0), answered(f"{ONE} / {ONE}", 1, 1))) == ["doubled"]


def test_answered_before_what_was_acknowledged_earlier_is_out_of_order() -> None:
    verdict = judged(wrote(ONE, 0), wrote(TWO, 1), answered(TWO, 2, 1), answered(ONE, 3, 2))
    assert kinds(verdict) == ["out of order"]


def test_out_of_order_inside_one_answer_is_found() -> None:
    assert kinds(judged(wrote(ONE, 0), wrote(TWO, 1), answered(f"{TWO} / {ONE}", 2, 2))) == ["out of order"]


def test_said_by_another_assistant_is_found() -> None:
    assert kinds(judged(wrote(ONE, 0), answered(ONE, 1, 1, speaker=SPEAKERS[OTHER]))) == ["wrong assistant"]


@pytest.mark.parametrize(("origin", "to"), [(OTHER, USER), (US, STRANGER)], ids=["from", "to"])
def test_answered_between_others_is_found(origin: str, to: str) -> None:
    assert "wrong assistant" in kinds(judged(wrote(ONE, 0), answered(ONE, 1, 1, origin, to)))


def test_told_to_another_client_s_model_is_found() -> None:
    assert kinds(judged(wrote(ONE, 0), asked("clinic", ONE), answered(ONE, 1, 1))) == ["wrong assistant"]


def test_told_together_with_another_conversation_is_found() -> None:
    entries = [*wrote(ONE, 0), *wrote(TWO, 0, to=OTHER), asked("kitchen", ONE, TWO)]
    assert "wrong assistant" in kinds(judged(entries, answered(ONE, 1, 1), answered(TWO, 1, 1, OTHER)))


def test_a_forgotten_message_is_found() -> None:
    verdict = judged(wrote(ONE, 0), answered(ONE, 1, 1), wrote(TWO, 2), answered(TWO, 3, 1))
    assert kinds(verdict) == ["wrong memory"]


@pytest.mark.parametrize("body", [f"{SPEAKERS[US]} · hola · turn 1", "Tuvimos un problema técnico"])
def test_sent_without_a_question_is_found(body: str) -> None:
    assert "unasked" in kinds(judged(sent(body, 1)))


def test_a_long_answer_in_parts_is_no_violation() -> None:
    question = f"{ONE} escribe 400 letras"
    first = sent(long(question, [1, 2]), 1)
    assert kinds(judged(wrote(question, 0), first, sent(long("", [3, 4], opened=False), 2))) == []


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        pytest.param([], "lost", id="missing"),
        pytest.param([[3, 4], [3, 4]], "doubled", id="twice"),
        pytest.param([[4, 5], [3]], "out of order", id="out of order"),
    ],
)
def test_a_part_of_a_long_answer_is_found(parts: list[list[int]], found: str) -> None:
    question = f"{ONE} escribe 400 letras"
    rest = [sent(long("", paragraphs, opened=False), 2) for paragraphs in parts]
    assert found in kinds(judged(wrote(question, 0), sent(long(question, [1, 2]), 1), rest))


@pytest.mark.parametrize(("claimed", "found"), [(0.9, 0), (1.5, 1), (2.1, 0)])
def test_a_message_that_was_claimed_while_a_person_had_the_conversation_is_found(claimed: float, found: int) -> None:
    held = Held((US, USER), since=1.0, until=2.0)
    assert len(claimed_after_a_take([held], [Claim((US, USER), claimed, ""), Claim((OTHER, USER), 1.5, "")])) == found


def test_what_a_person_answered_and_what_was_withheld_is_not_lost() -> None:
    held, question = Held((US, USER), since=1.0, until=2.0), f"{ONE} escribe 400 letras"
    entries = [*wrote(question, 0), sent(long(question, [1, 2]), 0.5), *wrote(TWO, 1.2), sent(f"{OPERATOR} hola", 1.5)]
    assert kinds(judge(entries, SPEAKERS, {}, [held])) == []
    assert kinds(judge(entries, SPEAKERS)) == ["lost"]
