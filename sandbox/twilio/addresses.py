"""WhatsApp addresses as Twilio writes them: `whatsapp:` and a number in E.164, or a user id that hides the number."""

import re

PREFIX = "whatsapp:"
USER = re.compile(rf"^{PREFIX}(\+[1-9]\d{{6,14}}|[A-Z]{{2}}(\.[A-Za-z]{{2,8}})?\.[A-Za-z0-9]{{1,128}})$")
SENDER = re.compile(rf"^{PREFIX}\+[1-9]\d{{6,14}}$")


def whatsapp_address(number: str) -> str:
    """The address of a number or user id, which may be one already."""
    return PREFIX + number_of(number)


def number_of(address: str) -> str:
    """The number or user id of an address, or of what is one without `whatsapp:`."""
    return address.removeprefix(PREFIX)
