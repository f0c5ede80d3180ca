"""A real turn as a test case. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.store.messages.replays import ReplayedTurn
from schemas.cases import Case
from schemas.timezones import zone_of_number

_ROOM: Final = 100
"""To which the length of an answer is rounded up."""


def case_of(turn: ReplayedTurn, timezone: str, expected: Mapping[str, Any] | None) -> dict[str, Any]:
    """The case. `timezone`: of a client for whom neither its policy nor its number decides. `expected`: of the answer;
    without anything, that it is not longer; None: nothing. Raises ValueError where a case cannot hold it."""
    zone = ZoneInfo(turn.timezone or zone_of_number(turn.number) or timezone)
    local = datetime.fromisoformat(turn.at).astimezone(zone)
    case: dict[str, Any] = {"at": local.strftime("%Y-%m-%d %H:%M")}
    if turn.name:
        case["person"] = {"name": turn.name[:60]}
    if turn.calls:
        case["functions"] = [
            {"name": call.name, **({"arguments": call.arguments} if call.arguments else {}), "answer": call.output}
            for call in turn.calls
        ]
    asked: dict[str, Any] = {"say": _texts(turn.said)}
    if expected is not None:
        asked["expect"] = dict(expected) or _default(turn)
    case["conversation"] = [
        *({"say": _texts(one.said), "answered": one.answered} for one in turn.before),
        asked,
    ]
    Case.model_validate(case)
    return case


def _default(turn: ReplayedTurn) -> dict[str, Any]:
    return {"max_chars": len(turn.answer) // _ROOM * _ROOM + _ROOM} if turn.answer else {"no_reply": True}


def _texts(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
