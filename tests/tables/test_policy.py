"""May this be answered, and how? Every combination of facts that matters, and how options of several checks add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.content.opting import opting_of
from runtime.content.parts import ButtonReply, Content, Image, Quoted, Reaction, Text
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.last_answers import LastAnswer
from runtime.store.records import BotRecord
from runtime.turns.policy import CHECKS, Decision, Facts, MayAnswer, Options, Say, Silent, decide, reaches_budget
from tests.runtime.dialogues import BOOKINGS, THANKS

ACTIVE = BotRecord("bot", "Bot", "+15550001")
PAUSED = replace(ACTIVE, state="paused")
ENOUGH = "Un momento, por favor."


NOW = "2026-11-22T12:00:00.000Z"
OURS = Conversation(1, "bot", "whatsapp:+569", None, None, "assistant", None, None, None, None)
TAKEN = OURS._replace(state="human", state_since="2026-11-22T11:00:00.000Z", state_by="ana", state_reason="asked")
RESUMED = TAKEN._replace(state_until=NOW)
STILL_TAKEN = TAKEN._replace(state_until="2026-11-22T12:00:00.001Z")
SET_BACK = STILL_TAKEN._replace(state_since="2026-11-22T12:01:00.000Z", state_until="2026-11-22T12:02:00.000Z")
LOOPING = OURS._replace(loop_since="2026-11-22T11:30:01.000Z")
NO_LONGER = OURS._replace(loop_since="2026-11-22T11:30:00.000Z")
LOOPED_LATER = OURS._replace(loop_since="2026-11-22T13:00:00.000Z")
"""The clock was set back by an hour since."""
CLOSED = OURS._replace(state="closed")
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


def newer(_facts: Facts) -> Options:
    return Options(model="new", line="Estás cerrado.")


def closed(_facts: Facts) -> Silent:
    return Silent("paused")


def test_options_add_up_and_of_two_models_the_first_counts() -> None:
    decision = decide(Facts(bot=ACTIVE), [*CHECKS, cheaper, newer])

    assert decision == MayAnswer(Options(model="cheap", line="Sé breve.\nEstás cerrado."))


def test_an_objection_after_options_is_an_objection_all_the_same() -> None:
    assert decide(Facts(bot=ACTIVE), [cheaper, closed, newer]) == Silent("paused")


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Options(), Options(), Options()),
        (Options(model="a", line="uno"), Options(model="b", line="dos"), Options("a", "uno\ndos")),
        (Options(line=None), Options(line="dos"), Options(line="dos")),
        (Options(), Options("b", "y"), Options("b", "y")),
        (Options(offers_no_reply=True), Options("b"), Options("b", offers_no_reply=True)),
        (Options(), Options(offers_no_reply=True), Options(offers_no_reply=True)),
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


LIKE = Content((Reaction("👍"),), quoted=Quoted("SM1"))
NOT_ASKED = Silent("reaction")


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (Facts(ACTIVE, OURS, NOW, contents=[LIKE, LIKE]), NOT_ASKED),
        (Facts(ACTIVE, OURS, NOW, contents=[LIKE, WORDS]), ANSWER),
        (Facts(ACTIVE, OURS, NOW, contents=[Content((Text("👍"),))]), ANSWER),
        (Facts(ACTIVE, OURS, NOW, contents=[LIKE], is_over_budget=True, budget_message="No."), NOT_ASKED),
        (Facts(ACTIVE, TAKEN, NOW, contents=[LIKE]), Silent("human")),
    ],
)
def test_a_reaction_alone_asks_nothing_and_costs_nothing(facts: Facts, decision: object) -> None:
    assert decide(facts) == decision
    assert not reaches_budget(facts) or decision == ANSWER


GONE = OURS._replace(opted_out_at=NOW)
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
    asked = [opting_of(content) for content in contents]
    facts = Facts(bot, conversation, NOW, contents=contents, opt_out_message="Listo.", opt_in_message="De vuelta.")
    assert decide(facts._replace(asked=asked, is_new=conversation is GONE)) == decision


def test_who_has_opted_out_already_gets_no_second_confirmation() -> None:
    facts = Facts(ACTIVE, GONE, NOW, contents=[BAJA], opt_out_message="Listo.", asked=["out"])
    assert decide(facts) == Silent("opt_out")


DAY = "2026-11-21T12:00:01.000Z"
LONG_AGO = "2026-11-21T12:00:00.000Z"
OFFERED = MayAnswer(Options(offers_no_reply=True))
SILENT = Silent("no_reply")


def after(
    said: str, *texts: str, at: str = NOW, bot: BotRecord = ACTIVE, conversation: Conversation = OURS, may: bool = True
) -> object:
    """What is decided about these texts after an answer."""
    contents = [Content((Text(text),)) for text in texts]
    facts = Facts(bot, conversation, NOW, contents=contents)
    return decide(facts._replace(last_answer=LastAnswer(said, at), may_stay_unanswered=may))


@pytest.mark.parametrize(("said", "text"), BOOKINGS)
def test_what_may_be_a_yes_is_for_the_model(said: str, text: str) -> None:
    assert isinstance(after(said, text), MayAnswer)


@pytest.mark.parametrize(("said", "text"), THANKS)
def test_thanks_for_an_answer_that_asked_nothing_need_no_answer(said: str, text: str) -> None:
    assert after(said, text) == SILENT


@pytest.mark.parametrize(
    ("said", "texts", "more", "expected"),
    [
        ("Listo.", ["gracias", "chao"], {}, SILENT),
        ("Listo.", ["gracias", "ok"], {}, OFFERED),
        ("Listo.", ["gracias", "ok"], {"may": False}, ANSWER),
        ("Listo.", ["gracias"], {"may": False}, ANSWER),
        ("Listo.", ["gracias"], {"at": DAY}, SILENT),
        ("Listo.", ["gracias"], {"at": LONG_AGO}, ANSWER),
        ("Listo.", ["gracias"], {"at": "2026-11-22T13:00:00.000Z"}, ANSWER),
        ("¿Algo más?", ["gracias"], {}, ANSWER),
        ("¿Algo más", ["ok"], {}, ANSWER),
        ("Listo.", ["x" * 40], {}, OFFERED),
        ("Listo.", ["x" * 41], {}, ANSWER),
        ("Listo.", ["x" * 20, "x" * 19], {}, OFFERED),
        ("Listo.", ["x" * 20, "x" * 20], {}, ANSWER),
        ("Listo.", ["¿ok"], {}, ANSWER),
        ("Listo.", ["gracias", "¿y?"], {}, ANSWER),
        ("Listo.", ["gracias"], {"bot": PAUSED}, Silent("paused")),
        ("Listo.", ["gracias"], {"conversation": TAKEN}, Silent("human")),
        ("Listo.", ["gracias"], {"conversation": LOOPING}, Silent("loop")),
    ],
)
def test_when_there_may_be_no_answer(said: str, texts: list[str], more: dict[str, Any], expected: object) -> None:
    assert after(said, *texts, **more) == expected


@pytest.mark.parametrize(
    "content",
    [
        Content((Text("gracias"),), quoted=Quoted("SM1")),
        Content((Text("gracias"), Image("u", "image/png"))),
        Content((ButtonReply("gracias"),)),
    ],
)
def test_more_than_words_is_answered_whatever_the_words(content: Content) -> None:
    facts = Facts(ACTIVE, OURS, NOW, contents=[content], may_stay_unanswered=True)
    assert decide(facts._replace(last_answer=LastAnswer("Listo.", NOW))) == ANSWER
    thanks = Content((Text("gracias"),))
    assert decide(facts._replace(last_answer=LastAnswer("Listo.", NOW), contents=[thanks, content])) == ANSWER


def test_without_an_answer_of_the_assistant_s_before_there_is_one_now() -> None:
    facts = Facts(ACTIVE, OURS, NOW, contents=[Content((Text("gracias"),))], may_stay_unanswered=True)
    assert decide(facts) == ANSWER


def test_a_notice_comes_before_silence() -> None:
    facts = Facts(ACTIVE, OURS, NOW, is_over_limit=True, limit_message=ENOUGH, may_stay_unanswered=True)
    contents = [Content((Text("gracias"),))]
    assert decide(facts._replace(last_answer=LastAnswer("Listo.", NOW), contents=contents)) == LIMITED


OVER = Facts(
    ACTIVE, OURS, NOW, is_over_budget=True, budget_message="Volvemos pronto.", opt_out_message="Listo.",
    opt_in_message="De vuelta.", not_understood_message="Solo texto.", limit_message=ENOUGH,
)  # fmt: skip
SILENCED = Say("budget", "Volvemos pronto.", once="day")
HELLO, STOP, START = ([Content((Text(word),))] for word in ("Hola", "STOP", "START"))
PHOTO = [PICTURE]


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (OVER._replace(contents=HELLO), SILENCED),
        (OVER._replace(contents=PHOTO), SILENCED),
        (OVER._replace(contents=START, asked=["in"]), SILENCED),
        (OVER._replace(contents=STOP, asked=["out"], is_new=True), Say("opt_out", "Listo.", once="minute")),
        (OVER._replace(contents=START, asked=["in"], is_new=True), Say("opt_in", "De vuelta.", once="minute")),
        (OVER._replace(contents=HELLO, is_over_budget=False), ANSWER),
        (OVER._replace(contents=HELLO, is_over_limit=True), LIMITED),
        (OVER._replace(contents=HELLO, conversation=TAKEN), Silent("human")),
        (OVER._replace(contents=HELLO, bot=PAUSED), Silent("paused")),
        (OVER._replace(contents=HELLO, cheaper_model="gpt-5.6-luna"), MayAnswer(Options(model="gpt-5.6-luna"))),
        (OVER._replace(contents=PHOTO, cheaper_model="gpt-5.6-luna"), Say("media", "Solo texto.", once="minute")),
    ],
    ids=[
        "a question", "a picture alone", "a greeting that is a word for opting in", "opting out", "opting in again",
        "something is left", "a flood", "a person has it", "the client is paused", "a cheaper model",
        "a picture for the cheaper model",
    ],
)  # fmt: skip
def test_a_budget_that_is_used_up(facts: Facts, decision: Decision) -> None:
    assert decide(facts) == decision


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        (OVER._replace(contents=HELLO), True),
        (OVER._replace(contents=PHOTO), True),
        (OVER._replace(contents=HELLO, is_over_limit=True), False),
        (OVER._replace(contents=HELLO, bot=None), False),
        (OVER._replace(contents=HELLO, conversation=TAKEN), False),
    ],
)
def test_a_budget_is_asked_only_where_nothing_before_it_objects(facts: Facts, asked: bool) -> None:
    assert reaches_budget(facts) is asked
