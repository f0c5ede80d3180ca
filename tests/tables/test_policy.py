"""May this be answered, and how? Every combination of facts that matters, and how options of several checks add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.store.records import BotRecord
from runtime.turns.policy import CHECKS, Facts, MayAnswer, Options, Say, Silent, decide

ACTIVE = BotRecord("bot", "Bot", "+15550001")
PAUSED = replace(ACTIVE, state="paused")
ENOUGH = "Un momento, por favor."


@pytest.mark.parametrize(
    ("bot", "is_over_limit", "decision"),
    [
        (None, False, Silent("unknown")),
        (None, True, Silent("unknown")),
        (PAUSED, False, Silent("paused")),
        (PAUSED, True, Silent("paused")),
        (ACTIVE, True, Say("limited", ENOUGH, once="minute")),
        (ACTIVE, False, MayAnswer(Options())),
    ],
)
def test_the_first_check_that_objects_decides(bot: BotRecord | None, is_over_limit: bool, decision: object) -> None:
    assert decide(Facts(bot=bot, is_over_limit=is_over_limit, limit_message=ENOUGH)) == decision


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
