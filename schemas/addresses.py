"""WhatsApp addresses as Twilio writes them: `whatsapp:` and a number in E.164, or a user id that hides the number.

In three countries WhatsApp and people write one number in two ways. A table rather than the package phonenumbers, whose
metadata takes half a second to load; a test compares the two.

    Mexico     +52 55 1234 5678      +52 1 55 1234 5678      the 1 of mobiles, until 2019
    Argentina  +54 11 2345 6789      +54 9 11 2345 6789      the 9 of mobiles; no landline has the number of a mobile
    Brazil     +55 11 8765 4321      +55 11 9 8765 4321      the 9 of mobiles, which began with 6 to 9 before it

A landline in Brazil has one way: with a 9 it is the number of another person's mobile.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "whatsapp:"


def whatsapp_address(number: str) -> str:
    """The address of a number or user id, which may be one already."""
    return PREFIX + number_of(number)


def number_of(address: str) -> str:
    """The number or user id of an address, or of what is one without `whatsapp:`."""
    return address.removeprefix(PREFIX)


def other_spelling(address: str) -> str:
    """The other way in which this address is written, of a number with two; else the address itself."""
    number = number_of(address)
    country, rest = number[:3], number[3:]
    if country not in ("+52", "+54", "+55") or not (rest.isascii() and rest.isdecimal()):
        return address
    match country:
        case "+52":
            other = _toggled(rest, "1", 10, "23456789")
        case "+54":
            other = _toggled(rest, "9", 10, "123")
        case _:
            other = rest[:2] + _toggled(rest[2:], "9", 8, "6789")
    return address.removesuffix(rest) + other


def _toggled(digits: str, mark: str, length: int, first: str) -> str:
    """The digits with the mark of mobiles where they lack it, or without it; unchanged where they are not a number of
    `length` digits that begins with one of `first`."""
    if len(digits) == length and digits[0] in first:
        return mark + digits
    if len(digits) == length + 1 and digits[0] == mark and digits[1] in first:
        return digits[1:]
    return digits


def is_user_id(text: str) -> bool:
    """Whether this is WhatsApp's business-scoped id of a user, `CL.1A2B3C`. Meta: two letters, a dot, at most 128
    letters and digits; `.ENT` in between where a company has several portfolios."""
    country, _, rest = number_of(text).partition(".")
    given = rest.removeprefix("ENT.")
    is_country = len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    return is_country and given.isascii() and given.isalnum() and len(given) <= 128
