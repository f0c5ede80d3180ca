"""What a person reads outside of the hours, how often, and what the first answer to them begins with."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from runtime.content.parts import Content, Text
from runtime.store.database.times import timestamp
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.outbound_content import OutboundLocation, OutboundTemplate
from runtime.store.messages.turns import HistoryItem, Turn
from runtime.store.records import BotRecord
from runtime.turns.beginnings import begun_with, disclosure_for, offer_begun_with
from runtime.turns.leavings import was_said
from runtime.turns.outside_hours import Outside, outside_of
from runtime.turns.policy import Beginning, Facts, MayAnswer, Options, Say, Silent, decide
from schemas import Policy

ZONE = "America/Santiago"
SUNDAY = "2026-12-06T13:00:00.000Z"  # 10:00 in Santiago
CLOSED_AT = "2026-12-05T05:00:00.000Z"  # Saturday 02:00
OPENS, AFTER = "2026-12-07T12:00:00.000Z", "2026-12-09T12:00:00.000Z"


def policy(outside: str | None = "away", **more: object) -> Policy:
    hours = {"lun-vie": ["09:00-02:00"], "holidays": "CL", **({"outside": outside} if outside else {}), **more}
    return Policy.model_validate({"hours": hours})


@pytest.mark.parametrize(
    ("declared", "now", "outside"),
    [
        (policy(), "2026-12-04T13:00:00.000Z", None),
        (policy("answer"), SUNDAY, None),
        (policy(None), SUNDAY, None),
        (Policy(), SUNDAY, None),
        (
            policy(),
            SUNDAY,
            Outside("away", "Ahora estamos fuera de horario; atendemos mañana desde las 9:00.", CLOSED_AT, OPENS),
        ),
        (
            policy("say", message="Cerrado. Volvemos {opening}."),
            "2026-12-08T13:00:00.000Z",  # a holiday
            Outside("say", "Cerrado. Volvemos mañana desde las 9:00.", "2026-12-08T05:00:00.000Z", AFTER),
        ),
    ],
)
def test_what_is_said_outside_of_the_hours(declared: Policy, now: str, outside: Outside | None) -> None:
    assert outside_of(declared, ZONE, now) == outside


def test_it_is_said_in_the_client_s_language() -> None:
    spoken = Policy.model_validate(
        {"hours": {"lun": ["09:00-10:00"], "outside": "say"}, "media": {"voice": {"languages": ["pt"]}}}
    )
    outside = outside_of(spoken, ZONE, SUNDAY)
    assert outside is not None
    assert outside.text == "Agora estamos fora do horário; atendemos amanhã a partir das 9:00."


BOT = BotRecord("bot", "Bot", "+15550001")
OURS = Conversation(1, "bot", "whatsapp:+569", None, None, "assistant", None, None, None, None)
HELLO = [Content((Text("Hola"),))]
AWAY, SAY = Outside("away", "Cerrado.", CLOSED_AT, OPENS), Outside("say", "Cerrado.", CLOSED_AT)
NOTICE = Say("hours", "Cerrado.", once="night", since=CLOSED_AT, answered_at=OPENS)
SAID = MayAnswer(Options(begins_with=(Beginning("hours", "Cerrado."),)))


def noticed(at: str) -> Conversation:
    return OURS._replace(notices=json.dumps({"hours": at}))


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (Facts(BOT, OURS, SUNDAY, contents=HELLO, outside=AWAY), NOTICE),
        (Facts(BOT, OURS, SUNDAY, contents=HELLO, outside=SAY), SAID),
        (Facts(BOT, noticed("2026-12-05T23:00:00.000Z"), SUNDAY, contents=HELLO, outside=SAY), MayAnswer()),
        (Facts(BOT, noticed("2026-12-05T04:00:00.000Z"), SUNDAY, contents=HELLO, outside=SAY), SAID),
        (Facts(BOT, OURS, SUNDAY, contents=HELLO), MayAnswer()),
        (Facts(BOT, OURS._replace(state="human"), SUNDAY, contents=HELLO, outside=AWAY), Silent("human")),
        (
            Facts(BOT, OURS, SUNDAY, contents=HELLO, outside=AWAY, is_over_budget=True, budget_message="No."),
            Say("budget", "No.", once="day"),
        ),
        (
            Facts(BOT, OURS, SUNDAY, contents=HELLO, outside=AWAY, asked=["out"], is_new=True, opt_out_message="Ya."),
            Say("opt_out", "Ya.", once="minute"),
        ),
        (
            Facts(BOT, OURS, SUNDAY, contents=HELLO, outside=SAY, disclosure="Soy un bot."),
            MayAnswer(Options(begins_with=(Beginning("disclosure", "Soy un bot."), Beginning("hours", "Cerrado.")))),
        ),
    ],
)
def test_hours_are_asked_after_people_and_budget_and_never_of_a_word_that_opts_out(
    facts: Facts, decision: object
) -> None:
    assert decide(facts) == decision


def turn(conversation: Conversation = OURS, *said: tuple[str, str]) -> Turn:
    history = [HistoryItem(json.dumps({"role": role, "content": text}), 1, SUNDAY) for role, text in said]
    rest: dict[str, Any] = {"messages": (), "progress": None, "catalog_version": 1}
    return Turn(id=1, conversation=conversation, starts=1, started_at=SUNDAY, history=history, **rest)


@pytest.mark.parametrize(
    ("at", "since", "is_said"),
    [
        (None, CLOSED_AT, False),
        (-3600, None, True),
        (-25 * 3600, None, False),
        (-3600, -7200, True),
        (-7200, -3600, False),  # before this night began
    ],
)
def test_an_away_message_is_said_once_a_night(at: int | None, since: str | int | None, is_said: bool) -> None:
    conversation = OURS if at is None else noticed(timestamp(time.time() + at))
    began = timestamp(time.time() + since) if isinstance(since, int) else since
    notice = Say("hours", "Cerrado.", once="night", since=began)
    assert was_said(turn(conversation), notice, timestamp()) is is_said


ASKED, ANSWERED = ("user", "Hola"), ("assistant", "Hola, ¿en qué te ayudo?")
FALLEN_BACK = OURS._replace(fallback_at=SUNDAY)
DISCLOSED = OURS._replace(notices='{"disclosure": "2026-12-01T00:00:00.000Z"}')
OPEN = Policy.model_validate({"replies": {"disclosure": "Soy un bot."}})


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (turn(), "Soy un bot."),
        (turn(OURS, ("assistant", "Promo")), "Soy un bot."),
        (turn(OURS, ASKED), "Soy un bot."),
        (turn(OURS, ASKED, ANSWERED), ""),
        (turn(FALLEN_BACK, ASKED, ("assistant", "Lo sentimos.")), "Soy un bot."),
        (turn(DISCLOSED), ""),
    ],
)
def test_who_was_never_answered_reads_that_an_assistant_writes(begun: Turn, said: str) -> None:
    assert disclosure_for(begun, OPEN) == said
    assert disclosure_for(begun, Policy()) == ""


def test_beginnings_stand_in_the_answer_s_first_message() -> None:
    first = (Beginning("disclosure", "Soy un bot."), Beginning("hours", "Cerrado."))
    assert begun_with("Hola", first) == "Soy un bot.\n\nCerrado.\n\nHola"
    assert begun_with(" ", first) == " "
    assert begun_with("Hola", ()) == "Hola"
    offer = OutboundTemplate("HX1", "¿Cuál?", {"1": "¿Cuál?", "2": "A"}, ("A",))
    assert offer_begun_with(offer, first[:1]) == OutboundTemplate(
        "HX1", "Soy un bot.\n\n¿Cuál?", {"1": "Soy un bot.\n\n¿Cuál?", "2": "A"}, ("A",)
    )
    place = OutboundLocation(1, 2, "Local")
    long = OutboundTemplate("HX1", "x" * 1020, {"1": "x" * 1020}, ("A",))
    for unchanged, beginnings in ((place, first), (long, first), (offer, ())):
        assert offer_begun_with(unchanged, beginnings) is unchanged
