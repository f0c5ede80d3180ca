"""What reached no phone, in words: for the doctor, the table and the checklist."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.store.client.history import UNDELIVERED_HOURS
from runtime.store.delivery_errors import OF_PERSON, delivery_error


def blocking(counts: Mapping[str, int]) -> dict[str, int]:
    """The codes that concern more than one person, the most frequent first, with their numbers of messages."""
    return {code: count for code, count in _sorted(counts) if code not in OF_PERSON}


def undelivered(counts: Mapping[str, int]) -> str:
    """English: how many messages, and why. Without a full stop."""
    reasons = "; ".join(f"{delivery_error(code).says} ({code}, {_times(count)})" for code, count in _sorted(counts))
    total = sum(counts.values())
    what = "message" if total == 1 else "messages"
    return f"{total} {what} of the last {UNDELIVERED_HOURS} hours reached no phone: {reasons}"


def undelivered_es(counts: Mapping[str, int]) -> str:
    """The same in Spanish, with what to do."""
    reasons = "; ".join(
        f"{delivery_error(code).says_es} ({code}): {delivery_error(code).fix_es}" for code, _ in _sorted(counts)
    )
    total = sum(counts.values())
    what = "mensaje no llegó" if total == 1 else "mensajes no llegaron"
    return f"{total} {what} en las últimas {UNDELIVERED_HOURS} horas: {reasons}"


def _sorted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
