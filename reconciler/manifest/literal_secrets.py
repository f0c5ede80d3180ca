"""Finds secrets that were written out, and keeps them out of every message.

A manifest and its prompts are in git, so a key in one of them is already exposed. What looks like one is refused with
its position; its text is never repeated.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

_LONG_HEX = re.compile(r"[0-9a-fA-F]{24,}")
NONE: Final[Mapping[str, str]] = MappingProxyType({})

_NAMES = {
    "openai": "an OpenAI API key",
    "twilio": "a Twilio API key",
    "webhook": "a webhook signing secret",
    "bearer": "a bearer token",
    "github": "a GitHub token",
    "aws": "an AWS access key",
    "slack": "a Slack token",
    "google": "a Google key",
    "mercado_pago": "a Mercado Pago access token",
    "meta": "a Meta access token",
    "stripe": "a Stripe key",
    "private_key": "a private key",
    "twilio_token": "a Twilio auth token",
    "url": "a secret in a URL",
}
_IN_URL = r"(?:access_token|api_?key|auth|pass|passw(?:or)?d|secret|sig|signature|token)="
_TRACE = re.compile(
    r"k-[A-Za-z0-9_-]{16}|SK|whsec_|bearer |Bearer |gh[opsur]_|github_pat_|AKIA|ASIA|xox|xapp-|AIza|GOCSPX-|USR-|TEST-"
    rf"|EAA|_live_|_test_|PRIVATE KEY|wilio[^\n]{{0,40}}?[0-9a-f]{{32}}|\?{_IN_URL}|&{_IN_URL}"
)
"""A part of each secret; the expression of `secret`, which takes twenty times as long, runs only over a text with one.
Each begins with a letter that is rare in prose, and none with a set: then only those letters are looked at. What stands
in a manifest without a secret, such as a check-in or the recipient twilio, does not count."""


@functools.cache
def secret() -> re.Pattern[str]:
    """What a secret looks like, in groups that `_NAMES` names; compiled for the first text with a trace of one."""
    return re.compile(
        r"""(?<![A-Za-z0-9_-])(?:
            (?P<openai>sk-[A-Za-z0-9_-]{16,})
          | (?P<twilio>SK[0-9a-f]{32})(?![A-Za-z0-9])
          | (?P<webhook>whsec_[A-Za-z0-9+/=_-]{16,})
          | (?P<bearer>[Bb]earer[ ]+(?=[^\s"']*[0-9])[A-Za-z0-9._~+/-]{16,})
          | (?P<github>gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})
          | (?P<aws>(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])
          | (?P<slack>xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})
          | (?P<google>AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,})
          | (?P<mercado_pago>(?:APP_USR|TEST)-[0-9]{10,}-[0-9]{6}-[0-9a-f]{32}-[0-9]+)
          | (?P<meta>EAA[A-Za-z0-9]{60,})
          | (?P<stripe>[rs]k_(?:live|test)_[A-Za-z0-9]{16,})
          | (?P<private_key>-----BEGIN[ ](?:[A-Z0-9]+[ ])*PRIVATE[ ]KEY-----)
        )
        | (?<![A-Za-z0-9])[Tt]wilio[^\n]{0,40}?(?<![A-Za-z0-9])(?P<twilio_token>[0-9a-f]{32})(?![A-Za-z0-9])
        | (?:[?&](?:access_token|api_?key|auth|pass|passw(?:or)?d|secret|sig|signature|token)=)
          (?P<url>(?=[^\s&"'<>#]*[0-9])[^\s&"'<>#{}$]{12,})
        """,
        re.VERBOSE,
    )


def literal_secrets(text: str, own: Mapping[str, str] = NONE) -> Iterator[tuple[int, str]]:
    """Offset of each secret in a text, and what it is ("an OpenAI API key").

    `own`: values that are secret whatever they look like, each with the name of its variable.
    """
    for value, variable in own.items():
        if (offset := text.find(value)) >= 0:
            yield offset, f"the value of {variable}"
    if _TRACE.search(text) is not None:
        for match in secret().finditer(text):
            kind = match.lastgroup or "bearer"
            yield match.start(kind), _NAMES[kind]


def looks_secret(text: str) -> bool:
    """Whether a text could be a secret, or hold one: a known form, or a long run of hexadecimal digits."""
    return _LONG_HEX.search(text) is not None or any(literal_secrets(text))


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message may quote it: one line, short, and without anything that looks like a secret."""
    text = value if isinstance(value, str) else str(value)
    if looks_secret(text):
        return "(not shown: it looks like a secret)"
    if len(text) > limit:
        text = text[:limit] + "…"
    return json.dumps(text, ensure_ascii=False)
