"""How much of a conversation is sent to the engine with a message, and the user's pseudonym at providers.

history ──► current: since it began, or began over ──► recalled: the newest that fits, with its dates
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from runtime.store.codec import dump_json
from runtime.store.messages.turns import HistoryItem

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTE = len("2026-11-28T18:52")
CHARACTERS_PER_TOKEN = 4
KEPT_RESULT_CHARACTERS = 16_000
"""Maximum size of a function's result beyond its turn. The turn itself sees the whole answer of the endpoint."""
SHORTEST_RESULT_TOKENS = 30
"""A result is never shortened below this, so that it still shows that there was one and that it is shortened."""
HEAD_SHARE = 0.7
"""Share of a shortened result that is taken from its beginning; the rest is its end."""


UNKNOWN_RESULT = '{"error": "interrupted: whether the call was carried out is not known"}'
"""The result of a call that was begun and not noted to have ended. The API refuses a call without a result."""


def finished_calls(notes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The calls of functions in an engine's notes as items of the history, each followed by its result.

    A call and its result are two notes (`function_call`, `function_call_output`) where the engine keeps the history
    itself, else one (`called`). Other notes are none of the history; nor are results that an older program noted
    without the function's name.
    """
    notes = [*notes]
    results = {
        note["call_id"]: note["output"] for note in notes if note.get("type") in ("function_call_output", "called")
    }
    items: list[dict[str, Any]] = []
    for note in notes:
        if note.get("type") in ("function_call", "called") and "name" in note:
            call_id = note["call_id"]
            call = {"type": "function_call", "call_id": call_id, "name": note["name"], "arguments": note["arguments"]}
            result = results.get(call_id, UNKNOWN_RESULT)
            items += [call, {"type": "function_call_output", "call_id": call_id, "output": result}]
    return items


def remembered(item: Mapping[str, Any]) -> tuple[str, int]:
    """An item as it is stored: JSON, and its estimated size in tokens. A long result of a function is shortened."""
    text = dump_json(_with_result_within(item, KEPT_RESULT_CHARACTERS))
    return text, len(text) // CHARACTERS_PER_TOKEN + 1


def current(
    history: Sequence[HistoryItem], expires_seconds: float | None, reset_words: Collection[str], now: datetime
) -> Sequence[HistoryItem]:
    """The history since the conversation began: after a silence longer than `expires_seconds`, or with a message that
    is one of `reset_words`.

    Both are found again in each turn, so nothing is marked and nothing deleted.
    """
    if expires_seconds is None and not reset_words:
        return history
    later = now.timestamp()
    for index in range(len(history) - 1, -1, -1):
        at = datetime.fromisoformat(history[index].at).timestamp()
        if expires_seconds is not None and later - at > expires_seconds:
            return history[index + 1 :]
        if reset_words and _said_by_user(history[index].item, reset_words):
            return history[index:]
        later = at
    return history


def is_one_of(text: str, words: Collection[str]) -> bool:
    """Whether a whole message is one of these words, regardless of capitals, accents and marks around it."""
    said = _plain(text)
    return any(said == _plain(word) for word in words)


def _said_by_user(item: str, words: Collection[str]) -> bool:
    if not _is_by_user(item):
        return False
    said = from_json(item)
    return isinstance(said.get("content"), str) and is_one_of(said["content"], words)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).strip(" \t\n.,;:!¡?¿\"'*_")


def day_of(time: date) -> str:
    """As in "Saturday 2026-11-28"."""
    return f"{WEEKDAYS[time.weekday()]} {time.year}-{time.month:02}-{time.day:02}"


def recalled(history: Sequence[HistoryItem], max_tokens: int, now: datetime) -> list[str]:
    """The newest part of a history that fits, as the JSON of its items, which goes to the provider as it is stored. It
    begins with a message of the user, or, where all of it fits, with ours that they answer: a reminder. Where not all
    of it is of today, each day has its date before it; `now` is in the zone whose days they are.

    A function call is thus never separated from its result, which the API would refuse. Results of functions take at
    most half of the budget, the newest first, and are shortened beyond that: messages are worth more.
    """
    kept: list[tuple[date, str]] = []
    spent = 0
    for_results = max_tokens // 2
    for text, tokens, at in reversed(history):
        if _is_result(text):
            room = max(for_results, SHORTEST_RESULT_TOKENS)
            if tokens > room:
                text = dump_json(_with_result_within(from_json(text), room * CHARACTERS_PER_TOKEN))
                tokens = room
            for_results -= tokens
        spent += tokens
        if spent > max_tokens:
            break
        kept.append((_day_of_minute(at[:MINUTE], now.tzinfo), text))
    kept.reverse()
    first = next((index for index, (_, text) in enumerate(kept) if _is_by_user(text)), len(kept))
    if len(kept) == len(history) and all(text.startswith('{"role":"assistant",') for _, text in kept[:first]):
        first = 0
    return list(_dated(kept[first:], now.date()))


def _is_result(item: str) -> bool:
    """Whether an item is a function's result. Only what may be one is parsed: most of a history are messages."""
    return '"function_call_output"' in item and from_json(item).get("type") == "function_call_output"


def _is_by_user(item: str) -> bool:
    """Whether an item is a message of the user. What `remembered` has written shows it in its first characters."""
    if item.startswith('{"role":"user",'):
        return True
    if item.startswith(('{"role":"assistant",', '{"type":"function_call')):
        return False
    return bool(from_json(item).get("role") == "user")


@lru_cache(maxsize=4096)
def _day_of_minute(minute: str, zone: tzinfo | None) -> date:
    """The day of a timestamp, by its first MINUTE characters: items are of few minutes, which are the same in many
    conversations."""
    return datetime.fromisoformat(f"{minute}Z").astimezone(zone).date()


def _dated(items: Sequence[tuple[date, str]], today: date) -> Iterator[str]:
    """The items, with a day's date before its first message of the user: never between a call and its result."""
    shown = today if all(day == today for day, _ in items) else None
    for day, item in items:
        if day != shown and _is_by_user(item):
            yield dump_json({"role": "developer", "content": f"On {day_of(day)}:"})
            shown = day
        yield item


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
