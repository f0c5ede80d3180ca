"""Twilio's connection overrides: how a webhook is called, written as the fragment of its URL.

Twilio: by default only a connection that could not be made is tried again, once. The fragment is stored with the URL;
it is neither sent nor signed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

DEFAULT: Final = "ct=2000&rc=3&rp=ct,5xx"
"""Three more tries where the connection is not accepted within two seconds, and after an answer 5xx, which the runtime
gives while its store cannot keep a message.

`rt` and `tt` stay at Twilio's 15 seconds, the most they can be, since a webhook may be held until its answer is ready
(`REPLY_WITHIN_SECONDS`). `tt` counts over all tries: after three connections that took two seconds each, nine are left
for the fourth. A time-out while reading is not tried again: the message has arrived, and the answer goes out by itself.
"""

OFF: Final = "off"
"""Writes URLs without a fragment."""


def connection_overrides(text: str) -> str:
    """The fragment that a setting stands for, "" for `off`. Raises `ValueError` with what is wrong and what to
    write."""
    if text == OFF:
        return ""
    seen: set[str] = set()
    for pair in text.split("&"):
        name, equals, value = pair.partition("=")
        if not equals or name not in _VALUES:
            raise ValueError(f"has {pair!r}, and takes pairs of {', '.join(_VALUES)} as in {DEFAULT}; or {OFF}")
        if name in seen:
            raise ValueError(f"has {name} twice")
        seen.add(name)
        is_valid, what = _VALUES[name]
        if not is_valid(value):
            raise ValueError(f"has {pair!r}: {name} is {what}")
    return text


def with_overrides(url: str, overrides: str) -> str:
    """A webhook's URL with its connection overrides."""
    return f"{url}#{overrides}" if overrides else url


def without_overrides(url: str) -> str:
    """A webhook's URL without them: the address that is called."""
    return url.partition("#")[0]


def _whole(least: int, most: int) -> Callable[[str], bool]:
    return lambda value: value.isascii() and value.isdecimal() and least <= int(value) <= most


_VALUES: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "ct": (_whole(100, 10_000), "the milliseconds that connecting may take, 100 to 10000"),
    "rt": (_whole(100, 15_000), "the milliseconds that Twilio waits for an answer, 100 to 15000"),
    "tt": (_whole(100, 15_000), "the milliseconds that all tries may take together, 100 to 15000"),
    "rc": (_whole(0, 5), "how often it is tried again, 0 to 5"),
    "rp": (
        lambda value: set(value.split(",")) <= {"4xx", "5xx", "ct", "rt", "all"},
        "what is tried again: 4xx, 5xx, ct, rt or all, separated by commas",
    ),
    "sni": (lambda value: value in ("y", "n"), "y or n"),
    "e": (
        lambda value: re.fullmatch(r"[a-z-]+(,[a-z-]+)*", value) is not None,
        "Twilio's edges to call from, as in ashburn,sao-paulo",
    ),
}
