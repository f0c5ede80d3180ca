"""The memory of a conversation, looked at item by item: for the rare turn that has to know where an item is from.
Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement


class KeptItem(NamedTuple):
    """An item of a conversation's memory."""

    id: int
    item: str
    """JSON."""
    tokens: int
    at: str
    """When its turn ended, as text of `timestamp`."""
    is_of_failed_turn: bool


NEWEST = Statement(
    "SELECT items.id, item, tokens, items.created_at, CASE WHEN turns.state IN ('dead', 'dropped') THEN 1 ELSE 0 END"
    " FROM items LEFT JOIN turns ON turns.id = items.turn_id WHERE items.conversation_id = :conversation_id"
    " ORDER BY items.id DESC LIMIT :limit"
)
REPLACE = Statement("UPDATE items SET item = :item, tokens = :tokens WHERE id = :id")


def newest_items(connection: Connection, conversation_id: int, limit: int) -> list[KeptItem]:
    """The newest items of a conversation, oldest first."""
    rows = NEWEST.rows(connection, conversation_id=conversation_id, limit=limit)
    return [KeptItem(id_, item, tokens, at, bool(failed)) for id_, item, tokens, at, failed in reversed(rows)]


def replace_items(connection: Connection, ids: Sequence[int], item: str, tokens: int) -> None:
    """Replaces items by another one, in their place."""
    REPLACE.each(connection, [{"id": id_, "item": item, "tokens": tokens} for id_ in ids])
