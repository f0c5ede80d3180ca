"""When a notice is not repeated: right after itself, within a minute."""

from __future__ import annotations

import json
import time

import pytest

from runtime.store.database.times import timestamp
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.turns import HistoryItem, Turn
from runtime.turns.leavings import was_said
from runtime.turns.policy import Say

NOTICE = "Solo texto, por favor."
OURS = Conversation(1, "bot", "whatsapp:+569", None, None, "assistant", None, None, None, None)
PICTURE = ("user", "[picture, which cannot be seen here]")


@pytest.mark.parametrize(
    ("said", "seconds_ago", "is_repeated"),
    [
        ([], 0, False),
        ([PICTURE, ("assistant", NOTICE)], 1, True),
        ([PICTURE, ("assistant", NOTICE), PICTURE], 59, True),
        ([PICTURE, ("assistant", NOTICE)], 61, False),
        ([("assistant", NOTICE), ("user", "Hola"), ("assistant", "Hola.")], 1, False),
        ([PICTURE], 1, False),
    ],
)
def test_a_notice_is_not_repeated_right_after_itself(
    said: list[tuple[str, str]], seconds_ago: int, is_repeated: bool
) -> None:
    at = timestamp(time.time() - seconds_ago)
    history = [HistoryItem(json.dumps({"role": role, "content": text}), 1, at) for role, text in said]
    turn = Turn(1, OURS, 1, "", [], history, None, 1)

    assert was_said(turn, Say("media", NOTICE, once="minute"), timestamp()) is is_repeated


@pytest.mark.parametrize(
    ("seconds_ago", "reason", "is_repeated"),
    [
        (1, "budget", True),
        (86_399, "budget", True),
        (86_401, "budget", False),
        (1, "other", False),
        (-3600, "budget", False),
    ],
    ids=["just now", "within a day", "a day ago", "another notice", "the clock was set back since"],
)
def test_a_notice_of_the_day_is_not_repeated_whatever_was_said_since(
    seconds_ago: float, reason: str, is_repeated: bool
) -> None:
    sent = json.dumps({reason: timestamp(time.time() - seconds_ago)})
    said = [HistoryItem(json.dumps({"role": "user", "content": "Hola"}), 1, timestamp())]
    turn = Turn(1, OURS._replace(notices=sent), 1, "", [], said, None, 1)

    assert was_said(turn, Say("budget", NOTICE, once="day"), timestamp()) is is_repeated
