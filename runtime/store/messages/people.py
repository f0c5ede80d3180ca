"""A person: who is meant, and which conversations and addresses are theirs. Functions over a connection.

A person is named by a number (`+56912345678`), WhatsApp's id of them (`CL.1A2B3C`), or either as an address. Every
address that leads to one of their conversations is theirs, and so are the conversations that those lead to; one whose
erasure is not complete elsewhere is still found by the addresses that were set aside for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.messages.conversations import FORGOTTEN
from runtime.store.messages.person_marks import LABEL
from schemas.addresses import other_spelling

Clients = Collection[str] | None
"""The only clients that something is about; None: all."""


class PersonConversation(NamedTuple):
    """A conversation of a person."""

    id: int
    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was made by hand or deleted."""
    assistant_id: str | None
    """The bot's current assistant."""
    thread_id: str | None
    """The session or thread at the model's provider."""
    is_erased: bool
    """Whether only the way to the rest elsewhere is left."""


class KnownPerson(NamedTuple):
    """A person, as far as the store knows them."""

    addresses: tuple[str, ...]
    """All of theirs, with the one that they were named by; sorted."""
    conversations: tuple[PersonConversation, ...]


LED_TO = Statement(
    "SELECT conversation_id FROM conversation_aliases WHERE alias IN (:address, :other)"
    " OR alias IN (:forgotten || CAST(conversation_id AS TEXT) || ':' || :address,"
    " :forgotten || CAST(conversation_id AS TEXT) || ':' || :other)"
)
ALIASES = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id")
CONVERSATION = Statement(
    "SELECT conversations.id, conversations.bot_id, coalesce(bots.client, former_bots.client, conversations.bot_id),"
    " assistant_id, thread_id, user_key = '' FROM conversations LEFT JOIN bots ON bots.id = conversations.bot_id"
    " LEFT JOIN former_bots ON former_bots.bot_id = conversations.bot_id"
    " WHERE conversations.id = :id"
)
BOTS = Statement(
    "SELECT id FROM bots WHERE coalesce(client, id) = :client"
    " UNION SELECT bot_id FROM former_bots WHERE client = :client"
)
CLIENT = Statement(f"SELECT {LABEL}")


def find_person(connection: Connection, address: str, clients: Clients = None) -> KnownPerson:
    """The person with an address (`whatsapp:+…`). Their conversations with these clients only; a number that passed to
    another person leads to the conversation of the latter alone."""
    addresses, ids, waiting = {address, other_spelling(address)}, set[int](), [address]
    while waiting:
        one = waiting.pop()
        for (conversation_id,) in LED_TO.rows(connection, address=one, other=other_spelling(one), forgotten=FORGOTTEN):
            if conversation_id not in ids:
                ids.add(conversation_id)
                new = set(_aliases(connection, conversation_id)) - addresses
                addresses |= new
                waiting += sorted(new)
    rows = [CONVERSATION.first(connection, id=one) for one in sorted(ids)]
    found = [PersonConversation(*row)._replace(is_erased=bool(row[-1])) for row in rows if row is not None]
    return KnownPerson(
        tuple(sorted(addresses)), tuple(one for one in found if clients is None or one.client in clients)
    )


def conversation_of(connection: Connection, conversation_id: int) -> PersonConversation | None:
    """A conversation by its id."""
    row = CONVERSATION.first(connection, id=conversation_id)
    return None if row is None else PersonConversation(*row)._replace(is_erased=bool(row[-1]))


def erased_conversations(connection: Connection, conversation_ids: Collection[int]) -> list[PersonConversation]:
    """Those of these conversations of which only the way to the rest elsewhere is left."""
    found = [conversation_of(connection, one) for one in sorted(conversation_ids)]
    return [one for one in found if one is not None and one.is_erased]


def bots_of(connection: Connection, clients: Iterable[str]) -> list[str]:
    """The bots of clients, and the ids of those that were deleted and whose id is their only name."""
    found = {bot_id for client in clients for (bot_id,) in BOTS.rows(connection, client=client)}
    return sorted(found | set(clients))


def client_of(connection: Connection, bot_id: str) -> str:
    """The client of a bot."""
    return str(CLIENT.one(connection, bot_id=bot_id)[0])


def _aliases(connection: Connection, conversation_id: int) -> list[str]:
    aside = f"{FORGOTTEN}{conversation_id}:"
    return [alias.removeprefix(aside) for (alias,) in ALIASES.rows(connection, id=conversation_id)]
