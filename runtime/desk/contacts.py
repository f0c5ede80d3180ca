"""Where a conversation is at the desk: a contact, and the one conversation that the inbox has with it.

Nothing there is idempotent, so each is looked for before it is made: a contact by the key under which the inbox knows
it, then by its number, since a person may write to two of our numbers and be one contact.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from runtime.desk.chatwoot import DeskCalls, DeskRefused
from runtime.desk.words import name_of
from runtime.store.messages.desk import DeskConversation
from schemas.addresses import is_user_id, number_of

_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class DeskPerson:
    """A conversation's user as the desk knows them."""

    key: str
    """Under which the inbox knows them: of this conversation, and not to be guessed."""
    name: str
    phone: str | None
    identifier: str
    """Unique in the account."""

    @classmethod
    def of(cls, conversation: DeskConversation, salt: str) -> DeskPerson:
        """`salt`: the store's secret."""
        address = conversation.address or conversation.user_key
        phone = None if is_user_id(address) else number_of(address)
        phone = phone if phone is not None and phone.startswith("+") else None
        key = key_of(conversation.id, salt)
        return cls(key, name_of(conversation), phone, f"whatsapp:{phone}" if phone else key)


def key_of(conversation_id: int, salt: str) -> str:
    """The key under which an inbox knows the user of a conversation. `salt`: the store's secret."""
    digest = hmac.digest(salt.encode(), f"desk {conversation_id}".encode(), "sha256").hex()[:_KEY_DIGITS]
    return f"hz-{conversation_id}-{digest}"


async def at_desk(calls: DeskCalls, person: DeskPerson, client: str) -> tuple[dict[str, Any], bool]:
    """The conversation of a person at the desk, and whether it is new. Raises ProviderError."""
    contact = await calls.contact_of(person.key)
    if contact is None:
        contact = await _contact(calls, person)
    former = await calls.conversations_of(contact)
    if former:
        return former[0], False
    return await calls.add_conversation(contact, person.key, client), True


async def _contact(calls: DeskCalls, person: DeskPerson) -> int:
    try:
        return await calls.add_contact(person.key, person.name, person.phone, person.identifier)
    except DeskRefused:
        known = await calls.contact_with(person.phone) if person.phone is not None else None
        if known is None:
            raise
    await calls.link(known, person.key)
    return known
