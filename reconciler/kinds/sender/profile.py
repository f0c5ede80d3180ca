"""Profiles as WhatsApp keeps them: it tidies what it is sent, so equal profiles come back with other texts.

A slash at the end of a website, blanks, a final newline, the case of a host, and the form of accents do not count. What
else WhatsApp made of a value is recorded with it when it is applied (`SHOWN`), and counts as that value from then on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from reconciler.model import SHOWN, Values

_MISSING: Final = object()


def as_declared(live: Mapping[str, Any], declared: Values, last: Values | None) -> dict[str, Any]:
    """A live profile in which what means the same as a declared value, or what the provider made of the `last` one, is
    replaced by that value."""
    applied: Mapping[str, Any] = (last or {}).get("profile", {})
    shown: Mapping[str, Any] = (last or {}).get(SHOWN, {})
    found = dict(live)
    for key, value in declared.items():
        seen = found.get(key)
        if seen == value:
            continue
        if tidied(seen) == tidied(value):
            found[key] = value
        elif key in applied and shown.get(key, _MISSING) == seen:
            found[key] = applied[key]
    return found


def tidied(value: Any) -> Any:
    """A value without what does not count; of a list, each of its values."""
    if isinstance(value, list):
        return sorted(tidied(item) for item in value)
    if not isinstance(value, str):
        return value
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if "://" in text:
        return _tidied_url(text)
    return text.lower() if _is_email(text) else text


def is_made_of(seen: Any, sent: Any, former: Any) -> bool:
    """Whether the provider has taken a value, and made another text of it: it is neither as sent nor as it was, or
    differs from what was sent in its letter case only."""
    return bool(tidied(seen) != tidied(former)) or _caseless(seen) == _caseless(sent)


def _caseless(value: Any) -> Any:
    found = tidied(value)
    return [item.casefold() for item in found] if isinstance(found, list) else str(found).casefold()


def _tidied_url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), parts.query, parts.fragment))


def _is_email(text: str) -> bool:
    return "@" in text and " " not in text
