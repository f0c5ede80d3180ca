"""WhatsApp addresses as Twilio writes them: `whatsapp:` and a number in E.164, or a user id that hides the number."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "whatsapp:"


def whatsapp_address(number: str) -> str:
    """The address of a number or user id, which may be one already."""
    return PREFIX + number_of(number)


def number_of(address: str) -> str:
    """The number or user id of an address, or of what is one without `whatsapp:`."""
    return address.removeprefix(PREFIX)
