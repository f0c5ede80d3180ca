"""How much of a conversation is sent to the engine with a message, and the user's pseudonym at providers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json

CHARACTERS_PER_TOKEN = 4
KEPT_RESULT_CHARACTERS = 16_000
"""Maximum size of a function's result beyond its turn. The turn itself sees the whole answer of the endpoint."""
SHORTEST_RESULT_TOKENS = 30
"""A result is never shortened below this, so that it still shows that there was one and that it is shortened."""
HEAD_SHARE = 0.7
"""Share of a shortened result that is taken from its beginning; the rest is its end."""


def remembered(item: Mapping[str, Any]) -> tuple[str, int]:
    """An item as it is stored: JSON, and its estimated size in tokens. A long result of a function is shortened."""
    text = dump_json(_with_result_within(item, KEPT_RESULT_CHARACTERS))
    return text, len(text) // CHARACTERS_PER_TOKEN + 1


def recalled(history: Sequence[tuple[str, int]], max_tokens: int) -> list[dict[str, Any]]:
    """The newest part of a history that fits, beginning with a message of the user.

    A function call is thus never separated from its result, which the API would refuse. Results of functions take at
    most half of the budget, the newest first, and are shortened beyond that: messages are worth more.
    """
    kept: list[dict[str, Any]] = []
    spent = 0
    for_results = max_tokens // 2
    for text, tokens in reversed(history):
        item = json.loads(text)
        if item.get("type") == "function_call_output":
            room = max(for_results, SHORTEST_RESULT_TOKENS)
            if tokens > room:
                item = _with_result_within(item, room * CHARACTERS_PER_TOKEN)
                tokens = room
            for_results -= tokens
        spent += tokens
        if spent > max_tokens:
            break
        kept.append(item)
    kept.reverse()
    first = next((index for index, item in enumerate(kept) if item.get("role") == "user"), len(kept))
    return kept[first:]


def _with_result_within(item: Mapping[str, Any], characters: int) -> dict[str, Any]:
    """The item, its result with at most `characters`: the beginning and the end of a longer one, with a line between
    them that gives its full length."""
    output = item.get("output")
    if not isinstance(output, str) or len(output) <= characters:
        return dict(item)
    note = f"\n[… {len(output)} characters, shortened …]\n"
    room = max(characters - len(note), 0)
    head = int(room * HEAD_SHARE)
    tail = output[len(output) - (room - head) :]
    return {**item, "output": output[:head] + note + tail}


def user_hash(salt: str, bot_id: str, user_key: str) -> str:
    """The user's pseudonym at providers: the same for the same user of a bot, and it reveals nothing else."""
    return hmac.new(salt.encode(), f"{bot_id}\n{user_key}".encode(), "sha256").hexdigest()
