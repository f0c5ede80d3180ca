"""What a thread shows about its user besides the messages. Functions over a connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.database.statement import Statement


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the card of a user says."""

    phone: str | None
    first_at: str
    """When the conversation began."""
    opted_out_of: str | None
    """`marketing` or `all`; None: of nothing."""
    opted_out_by: str | None
    free_until: str | None
    """Until then Meta charges nothing: they came by an ad."""


FACTS = Statement(
    "SELECT phone, created_at, CASE WHEN opted_out_at IS NOT NULL AND opted_in_at IS NULL"
    " THEN coalesce(opted_out_of, 'marketing') END, opted_out_by, free_until"
    " FROM conversations WHERE id = :id"
)


def facts_of(connection: Connection, conversation_id: int) -> PersonFacts | None:
    """The card of a conversation's user; None when there is no such conversation."""
    row = FACTS.first(connection, id=conversation_id)
    return None if row is None else PersonFacts(*row)
