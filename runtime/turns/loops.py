"""Whether the other side of a conversation is a program: another bot, or a number that answers by itself.

Two programs that answer each other never stop. What tells them from a person, in the messages that a turn begins with:

    own_number       the message comes from a number of ours: only our own bots write from there
    same_words       quick replies, each to an answer of ours, in the same few words
    no_human_pace    long replies, each to an answer of ours, faster than a person writes

A person who writes many different texts is none of these: they are short, or are written before our answer is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from runtime.content.rendering import as_text
from runtime.store.messages.turns import Turn

LoopSign = Literal["own_number", "same_words", "no_human_pace"]
"""By what a loop was detected."""

QUICK_SECONDS = 20.0
"""A reply within this time after our answer is quick; a model's own time may be part of it."""
SAME_REPLIES = 6
"""Number of quick replies in a row, in at most SAME_TEXTS texts, which a person does not write."""
SAME_TEXTS = 2
SAME_LENGTH = 20
"""Shorter texts do not count: people repeat "hola" and "sí"."""
FAST_REPLIES = 12
"""Number of replies in a row at a pace at which no person writes."""
FAST_LENGTH = 40
"""Shorter texts do not count: a tap can send them."""
CHARACTERS_PER_SECOND = 15.0
"""People neither write nor dictate faster for long."""


def sign_of_loop(turn: Turn) -> LoopSign | None:
    """The sign by which a turn's messages and those before them are a loop; None when a person may have written them.

    The number of the sender is the caller's to compare with ours.
    """
    is_same = is_fast = True
    texts: set[str] = set()
    for count, (text, seconds) in enumerate(_replies(turn), 1):
        is_same = is_same and seconds <= QUICK_SECONDS and len(text) >= SAME_LENGTH
        is_fast = is_fast and seconds <= len(text) / CHARACTERS_PER_SECOND and len(text) >= FAST_LENGTH
        if is_same:
            texts.add(" ".join(text.casefold().split()))
            is_same = len(texts) <= SAME_TEXTS
        if seconds < 0 or not (is_same or is_fast):
            return None
        if is_same and count == SAME_REPLIES:
            return "same_words"
        if is_fast and count == FAST_REPLIES:
            return "no_human_pace"
    return None


def _replies(turn: Turn) -> Iterator[tuple[str, float]]:
    """What the other side wrote after each of our answers, the newest first, with the seconds since that answer: of
    earlier turns at most, since they include the model's; negative for a message that was written before it."""
    text, at = "\n".join(as_text(message.content) for message in turn.messages), turn.messages[0].received_at
    for earlier, answered_at in _exchanges(turn.recent):
        yield text, _seconds(at) - _seconds(answered_at)
        text, at = earlier, answered_at


def _exchanges(recent: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What the other side wrote and when it was answered, the newest first."""
    answered_at: str | None = None
    written: list[str] = []
    for text, at in reversed(recent):
        item = json.loads(text)
        if item.get("role") == "user":
            written.insert(0, str(item.get("content")))
        elif item.get("role") == "assistant":
            if written and answered_at is not None:
                yield "\n".join(written), answered_at
            if written or answered_at is None:
                written, answered_at = [], at
    if written and answered_at is not None:
        yield "\n".join(written), answered_at


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
