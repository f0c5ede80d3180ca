"""Whether a phone number can exist, as far as the numbering plans say."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from reconciler.manifest.problem import Severity

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
CHILEAN_MOBILE: Final = re.compile(r"\+569(?:[2458][0-9]|3[0-57-9]|6[0-8]|7[1-9]|9[03-9])[0-9]{6}")
"""Ranges that are assigned as a whole, in which most clients' numbers are: for those alone no library of the world's
numbering plans is loaded and asked."""


class NumberFault(NamedTuple):
    """What is wrong with a number: continues a sentence that begins with it; and what to do."""

    message: str
    hint: str
    severity: Severity


_IMPOSSIBLE: Final = NumberFault(
    "is not a possible phone number", "Check its country code and count its digits.", "error"
)
_UNASSIGNED: Final = NumberFault(
    "is not in any assigned range",
    "Check it; numbers for trials, such as +1 555…, are fine with the sandbox only.",
    "warning",
)


def number_fault(number: str) -> NumberFault | None:
    """The fault of a number in E.164; None for one that can exist, and for a text in another form."""
    if CHILEAN_MOBILE.fullmatch(number) or not _E164.fullmatch(number):
        return None
    import phonenumbers  # slow to import, and only needed here

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return _IMPOSSIBLE
    if phonenumbers.is_valid_number(parsed):
        return None
    return _UNASSIGNED if phonenumbers.is_possible_number(parsed) else _IMPOSSIBLE
