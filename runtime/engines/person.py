"""Who writes, as far as their messages say it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.store.messages.turns import Turn
from schemas.addresses import number_of

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Person:
    """A user of a bot."""

    name: str | None
    """Of their WhatsApp profile: chosen by them, not verified."""
    phone: str | None
    """In E.164; None where WhatsApp hides it."""
    external_id: str | None
    """WhatsApp's id of the user for this business; None where it is not known."""


def person_of(turn: Turn) -> Person:
    """Who wrote the messages of a turn, by the last one."""
    last = turn.messages[-1]
    number, key = number_of(last.sender), turn.conversation.user_key
    return Person(
        name=turn.conversation.rectified_name or last.content.profile_name or turn.conversation.profile_name,
        phone=number if PHONE.fullmatch(number) else None,
        external_id=key if key != last.sender else None,
    )
