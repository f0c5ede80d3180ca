"""May this be answered, and how? Every combination of facts that matters, and how options of several checks add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.content.parts import Content, Image, Text
from runtime.store.messages.conversations import Conversation
from runtime.store.records import BotRecord
from runtime.turns.policy import CHECKS, Facts, MayAnswer, Options, Say, Silent, decide

ACTIVE = BotRecord("bot", "Bot", "+15550001")
PAUSED = replace(ACTIVE, state="paused")
ENOUGH = "Un momento, por favor."


NOW = "2026-11-22T12:00:00.000Z"
OURS = Conversation(1, "bot", "whatsapp:+569", None, None, "assistant", None, None, None, None)
TAKEN = replace(OURS, state="human", state_since="2026-11-22T11:00:00.000Z", state_by="ana", state_reason="asked")
RESUMED = replace(TAKEN, state_until=NOW)
STILL_TAKEN = replace(TAKEN, state_until="2026-11-22T12:00:00.001Z")
SET_BACK = replace(STILL_TAKEN, state_since="2026-11-22T12:01:00.000Z", state_until="2026-11-22T12:02:00.000Z")
LOOPING = replace(OURS, loop_since="2026-11-22T11:30:01.000Z")
NO_LONGER = replace(OURS, loop_since="2026-11-22T11:30:00.000Z")
LOOPED_LATER = replace(OURS, loop_since="2026-11-22T13:00:00.000Z")
"""The clock was set back by an hour since."""
CLOSED = replace(OURS, state="closed")
LIMITED = Say("limited", ENOUGH, once="minute")
ANSWER = MayAnswer(Options())


@pytest.mark.parametrize(
    ("bot", "conversation", "is_over_limit", "decision"),
    [
        # when a message comes in, of whose conversation nothing is known
        (None, None, False, Silent("unknown")),
        (None, None, True, Silent("unknown")),
        (PAUSED, None, False, Silent("paused")),
        (PAUSED, None, True, Silent("paused")),
        (ACTIVE, None, True, LIMITED),
        (ACTIVE, None, False, ANSWER),
        # when its turn begins
        (None, OURS, False, Silent("unknown")),
        (None, TAKEN, True, Silent("unknown")),
        (PAUSED, OURS, False, Silent("paused")),
        (PAUSED, TAKEN, False, Silent("human")),
        (PAUSED, RESUMED, False, Silent("paused")),
        (PAUSED, CLOSED, False, Silent("paused")),
        (ACTIVE, OURS, False, ANSWER),
        (ACTIVE, OURS, True, LIMITED),
        (ACTIVE, TAKEN, False, Silent("human")),
        (ACTIVE, TAKEN, True, Silent("human")),
        (ACTIVE, STILL_TAKEN, False, Silent("human")),
        (ACTIVE, RESUMED, False, ANSWER),
        (ACTIVE, SET_BACK, False, ANSWER),
        (ACTIVE, RESUMED, True, LIMITED),
        (ACTIVE, CLOSED, False, ANSWER),
        (ACTIVE, LOOPING, False, Silent("loop")),
        (ACTIVE, LOOPING, True, Silent("loop")),
        (PAUSED, LOOPING, False, Silent("paused")),
        (ACTIVE, NO_LONGER, False, ANSWER),
        (ACTIVE, LOOPED_LATER, False, ANSWER),
    ],
)
def test_the_first_check_that_objects_decides(
    bot: BotRecord | None, conversation: Conversation | None, is_over_limit: bool, decision: object
) -> None:
    assert decide(Facts(bot, conversation, NOW, is_over_limit, ENOUGH)) == decision


def test_messages_of_a_program_are_not_answered() -> None:
    assert decide(Facts(ACTIVE, OURS, NOW, is_loop=True)) == Silent("loop")


def cheaper(_facts: Facts) -> Options:
    return Options(model="cheap", line="Sé breve.")


def canary(_facts: Facts) -> Options:
    return Options(model="new", variant="canary", line="Estás cerrado.")


def closed(_facts: Facts) -> Silent:
    return Silent("paused")


def test_options_add_up_and_of_two_models_the_first_counts() -> None:
    decision = decide(Facts(bot=ACTIVE), [*CHECKS, cheaper, canary])

    assert decision == MayAnswer(Options(model="cheap", variant="canary", line="Sé breve.\nEstás cerrado."))


def test_an_objection_after_options_is_an_objection_all_the_same() -> None:
    assert decide(Facts(bot=ACTIVE), [cheaper, closed, canary]) == Silent("paused")


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Options(), Options(), Options()),
        (Options(variant="canary"), Options(variant="stable"), Options(variant="canary")),
        (Options(model="a", variant="x", line="uno"), Options(model="b", line="dos"), Options("a", "x", "uno\ndos")),
        (Options(line=None), Options(line="dos"), Options(line="dos")),
        (Options(), Options("b", "y"), Options("b", "y")),
    ],
)
def test_of_what_two_checks_say_of_how_the_first_wins_and_lines_are_joined(
    first: Options, second: Options, both: Options
) -> None:
    assert decide(Facts(ACTIVE), [lambda _: first, lambda _: second]) == MayAnswer(both)


PICTURE = Content((Image("u", "image/png"),))
WORDS = Content((Text("Hola"),))


@pytest.mark.parametrize(
    ("bot", "contents", "decision"),
    [
        (ACTIVE, [PICTURE, PICTURE], Say("media", "Solo texto.", once="minute")),
        (ACTIVE, [PICTURE, WORDS], ANSWER),
        (ACTIVE, [WORDS], ANSWER),
        (PAUSED, [PICTURE], Silent("paused")),
    ],
)
def test_files_without_a_word_get_a_notice_after_every_other_objection(
    bot: BotRecord, contents: list[Content], decision: object
) -> None:
    facts = Facts(bot, OURS, NOW, contents=contents, not_understood_message="Solo texto.")
    assert decide(facts) == decision


GONE = replace(OURS, opted_out_at=NOW)
BAJA, ALTA = Content((Text("¡Baja!"),)), Content((Text("ALTA"),))
OUT, IN = Say("opt_out", "Listo.", once="minute"), Say("opt_in", "De vuelta.", once="minute")


@pytest.mark.parametrize(
    ("bot", "conversation", "contents", "decision"),
    [
        (ACTIVE, GONE, [BAJA], OUT),
        (ACTIVE, GONE, [ALTA], IN),
        (ACTIVE, GONE, [BAJA, ALTA], IN),
        (ACTIVE, GONE, [ALTA, BAJA], OUT),
        (ACTIVE, OURS, [ALTA], ANSWER),
        (ACTIVE, GONE, [BAJA, WORDS], ANSWER),
        (ACTIVE, GONE, [WORDS], ANSWER),
        (PAUSED, GONE, [BAJA], Silent("paused")),
    ],
)
def test_a_word_alone_that_opts_out_or_in_is_confirmed_and_no_other_message_is_silenced(
    bot: BotRecord, conversation: Conversation, contents: list[Content], decision: object
) -> None:
    facts = Facts(bot, conversation, NOW, contents=contents, opt_out_message="Listo.", opt_in_message="De vuelta.")
    assert decide(facts) == decision
