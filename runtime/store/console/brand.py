"""How a client appears to its own people: its name, and its logo. Functions over a connection."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.database.statement import Statement

NAME = Statement("SELECT name FROM bots WHERE coalesce(client, id) = :client ORDER BY id LIMIT 1")
SENDER = Statement("SELECT \"values\" FROM applied WHERE client = :client AND kind = 'sender'")


@dataclass(frozen=True, slots=True)
class ClientBrand:
    """A client's own name and logo."""

    name: str
    logo_url: str | None
    """That of its WhatsApp profile, as it was applied."""


def is_client(connection: Connection, client: str) -> bool:
    """Whether any bot is this client's."""
    return NAME.first(connection, client=client) is not None


def brand_of(connection: Connection, client: str) -> ClientBrand:
    """Name and logo; the client's id where no bot has a name."""
    row, sender = NAME.first(connection, client=client), SENDER.first(connection, client=client)
    profile = {} if sender is None else json.loads(sender[0]).get("profile") or {}
    return ClientBrand(client if row is None else row[0], profile.get("logo_url"))
