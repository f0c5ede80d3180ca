"""Finds secrets that were written out, and keeps them out of every message.

A manifest and its prompts are in git, so a key in one of them is already exposed. What looks like one is refused with
its position; its text is never repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SECRET = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
        (?P<openai>sk-[A-Za-z0-9_-]{16,})
      | (?P<twilio>SK[0-9a-f]{32})(?![A-Za-z0-9])
      | (?P<webhook>whsec_[A-Za-z0-9+/=_-]{16,})
      | (?P<bearer>[Bb]earer[ ]+(?=[^\s"']*[0-9])[A-Za-z0-9._~+/-]{16,})
    )""",
    re.VERBOSE,
)
_NAMES = {
    "openai": "an OpenAI API key",
    "twilio": "a Twilio API key",
    "webhook": "a webhook signing secret",
    "bearer": "a bearer token",
}
# Cheap to search for; the expression above runs only over a text that contains one of them.
_TRACES = ("sk-", "SK", "whsec_", "earer ")
_HIDDEN = re.compile(rf"{_SECRET.pattern}|[0-9a-fA-F]{{24,}}", re.VERBOSE)


def literal_secrets(text: str) -> Iterator[tuple[int, str]]:
    """Offset of each secret in a text, and what it is ("an OpenAI API key")."""
    if any(trace in text for trace in _TRACES):
        for match in _SECRET.finditer(text):
            yield match.start(), _NAMES[match.lastgroup or "bearer"]


def looks_secret(text: str) -> bool:
    """Whether a text could be a secret, or hold one: a known form, or a long run of hexadecimal digits."""
    return _HIDDEN.search(text) is not None


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message may quote it: one line, short, and without anything that looks like a secret."""
    text = value if isinstance(value, str) else str(value)
    if looks_secret(text):
        return "(not shown: it looks like a secret)"
    if len(text) > limit:
        text = text[:limit] + "…"
    return json.dumps(text, ensure_ascii=False)
