"""What a turn leaves in the memory of its conversation: one rule, whatever its end.

    answered     the user's words · finished calls of functions with their results · the answer
    dead         the user's words · finished calls of functions with their results · the fallback message
    unanswered   the user's words · finished calls of functions with their results · the notice, if there was one
    limited      the user's words ·                                                · the notice, if there was one

So a user who is asked to write again need not repeat anything, and nothing is booked twice. One exception: words that
the provider refused for what they say are left as WITHHELD, since with them it would refuse every later request. A
server that is not OpenAI's does not say what it refuses: there a refused request is made once more without the words of
failed turns, and where that helps they are withheld from then on.

What built-in tools would have sent with an answer is not sent without one, so their calls are left out.

An engine makes the items of an answer, since it knows their order; the rest is here. Where the conversation is at the
provider (`assistants`), the memory has what the provider has not: everything but answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.content.parts import Content
from runtime.content.rendering import for_model
from runtime.engines.sending import without_sent
from runtime.errors import ProviderError, RequestRefused
from runtime.memory import finished_calls, remembered
from runtime.store.database.times import later
from runtime.store.messages.items import KeptItem
from runtime.store.messages.turns import HistoryItem, Turn
from runtime.turns.policy import Say, was_noticed

MINUTE_SECONDS = 60.0
"""A notice that is due once a minute is not repeated within this time."""
WITHHELD = "[a message that the model's provider refused to read]"
"""What stands for such words."""


@dataclass(frozen=True, slots=True)
class RedactedHistory:
    """A history in which the words of failed turns are withheld."""

    history: Sequence[HistoryItem]
    ids: Sequence[int]
    """Of the items that are changed in it."""


def redacted(kept: Sequence[KeptItem]) -> RedactedHistory:
    """The history of these items without the users' words of failed turns; all else of those stays."""
    ids = [one.id for one in kept if one.is_of_failed_turn and _is_word(one.item)]
    texts = [WITHHELD_ITEM if one.id in ids else (one.item, one.tokens) for one in kept]
    return RedactedHistory([HistoryItem(*text, one.at) for text, one in zip(texts, kept, strict=True)], ids)


def leavings(
    turn: Turn, notes: Iterable[Mapping[str, Any]], sent: Sequence[str], failure: ProviderError | None = None
) -> list[tuple[str, int]]:
    """The items of a turn without an answer: from its messages, its engine's notes, and the texts that were sent."""
    is_withheld = isinstance(failure, RequestRefused) and failure.is_for_words
    said = [WITHHELD] if is_withheld else [for_model(message.content) for message in turn.messages]
    items = [*_said(said), *finished_calls(without_sent(notes)), *_sent(sent)]
    return [remembered(item) for item in items]


def leavings_of_message(content: Content) -> list[tuple[str, int]]:
    """The items of a message that is stored without a turn."""
    return [remembered(item) for item in _said([for_model(content)])]


def leavings_of_notice(notice: str) -> list[tuple[str, int]]:
    """The items of the notice to its user."""
    return [remembered(item) for item in _sent([notice])]


def was_said(turn: Turn, notice: Say, now: str) -> bool:
    """Whether the user got this notice within its period, by `now`, text of `timestamp`: then a further picture of an
    album, or a further message of the day, does not bring it again.

    One that is due once a minute was the last thing sent to them; one that is due once a day or night is noted in the
    conversation, since a day's messages may be more than its memory.
    """
    if notice.once != "minute":
        return was_noticed(turn.conversation, notice.reason, now, notice.since)
    if not turn.history or now > later(turn.history[-1].at, MINUTE_SECONDS):
        return False
    said = (json.loads(kept.item) for kept in reversed(turn.history))
    return next((item["content"] for item in said if item.get("role") == "assistant"), None) == notice.text


def _is_word(item: str) -> bool:
    content: dict[str, Any] = json.loads(item)
    return content.get("role") == "user" and item != WITHHELD_ITEM[0]


def _said(texts: Iterable[str]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text} for text in texts]


def _sent(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": "\n".join(texts)}] if texts else []


WITHHELD_ITEM = remembered(_said([WITHHELD])[0])
