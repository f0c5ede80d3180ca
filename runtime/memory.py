"""How much of a conversation is sent along with a message, and how a user is named to others."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json

CHARACTERS_PER_TOKEN = 4
KEPT_RESULT_CHARACTERS = 16_000
"""Of a function's result, beyond its turn. The turn itself sees all that the endpoint may answer."""
SHORTEST_RESULT_TOKENS = 30
"""A result is never shortened below this, so that it still tells that it was there and is shortened."""
HEAD_SHARE = 0.7
"""Of a shortened result, the part that is its beginning; the rest is its end."""


def remembered(item: Mapping[str, Any]) -> tuple[str, int]:
    """An item as it is stored: JSON, and its estimated size in tokens. A long result of a function is shortened."""
    text = dump_json(_with_result_within(item, KEPT_RESULT_CHARACTERS))
    return text, len(text) // CHARACTERS_PER_TOKEN + 1


def recalled(history: Sequence[tuple[str, int]], max_tokens: int) -> list[dict[str, Any]]:
    """The newest part of a history that fits, beginning with a message of the user.

    A function call is thus never cut off from its result, which the API would refuse. Results of functions take up half
    of the room at the most, the newest first, and are shortened beyond that: what was said is worth more.
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
    """The item, its result with so many characters at the most: the beginning and the end of a longer one, with a line
    between them that says how much is left out."""
    output = item.get("output")
    if not isinstance(output, str) or len(output) <= characters:
        return dict(item)
    note = f"\n[… {len(output)} characters, shortened …]\n"
    room = max(characters - len(note), 0)
    head = int(room * HEAD_SHARE)
    tail = output[len(output) - (room - head) :]
    return {**item, "output": output[:head] + note + tail}


def user_hash(salt: str, bot_id: str, user_key: str) -> str:
    """The user as providers see them: the same for the same user of a bot, and nothing else can be told from it."""
    return hmac.new(salt.encode(), f"{bot_id}\n{user_key}".encode(), "sha256").hexdigest()
