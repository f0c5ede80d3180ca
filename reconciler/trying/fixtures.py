"""What functions answer in a case: the first fixture that fits a call. No endpoint is called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.engines.functions import FunctionCall
from runtime.turns.trial import PlaceholderSecrets
from schemas.cases import FunctionFixture


@dataclass(slots=True)
class Fixtures:
    """The functions of one case: a CallsFunctions."""

    fixtures: Sequence[FunctionFixture]
    secrets: PlaceholderSecrets = field(default_factory=PlaceholderSecrets)
    unanswered: list[str] = field(default_factory=list)
    """Calls that no fixture fits, as people write them."""

    async def call(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        """See CallsFunctions."""
        given = arguments_of(call.arguments)
        for fixture in self.fixtures:
            if fixture.name == call.name and fits(fixture.arguments or {}, given):
                return json.dumps(fixture.answer, ensure_ascii=False)
        self.unanswered.append(f"{call.name} {json.dumps(given, ensure_ascii=False)}")
        return json.dumps({"error": "this function is not available"})


def arguments_of(written: str) -> Any:
    """The arguments of a call; the text itself where it is not JSON."""
    try:
        return json.loads(written or "{}")
    except (ValueError, RecursionError):
        return written


def fits(expected: Any, given: Any) -> bool:
    """Whether arguments are as expected: of mappings every expected key, of all else the same value."""
    if isinstance(expected, Mapping):
        return isinstance(given, Mapping) and all(
            name in given and fits(value, given[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(given, list) and len(given) == len(expected) and all(map(fits, expected, given))
    return (type(expected) is type(given) and bool(expected == given)) or _is_same_number(expected, given)


def _is_same_number(one: Any, other: Any) -> bool:
    numbers = (int, float)
    return (
        isinstance(one, numbers)
        and isinstance(other, numbers)
        and not isinstance(one, bool)
        and not isinstance(other, bool)
        and one == other
    )
