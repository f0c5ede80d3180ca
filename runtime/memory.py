"""How much of a conversation is sent along with a message, and how a user is named to others."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.store.codec import dump_json

CHARACTERS_PER_TOKEN = 4


def remembered(item: Mapping[str, Any]) -> tuple[str, int]:
    """An item as it is stored: JSON, and its estimated size in tokens."""
    text = dump_json(item)
    return text, len(text) // CHARACTERS_PER_TOKEN + 1


def recalled(history: Sequence[tuple[str, int]], max_tokens: int) -> list[dict[str, Any]]:
    """The newest part of a history that fits, beginning with a message of the user.

    A function call is thus never cut off from its result, which the API would refuse.
    """
    kept: list[dict[str, Any]] = []
    spent = 0
    for text, tokens in reversed(history):
        spent += tokens
        if spent > max_tokens:
            break
        kept.append(json.loads(text))
    kept.reverse()
    first = next((index for index, item in enumerate(kept) if item.get("role") == "user"), len(kept))
    return kept[first:]


def user_hash(salt: str, bot_id: str, user_key: str) -> str:
    """The user as providers see them: the same for the same user of a bot, and nothing else can be told from it."""
    return hmac.new(salt.encode(), f"{bot_id}\n{user_key}".encode(), "sha256").hexdigest()
