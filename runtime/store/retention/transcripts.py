"""Deletes what was said in voice notes once its retention is over: in the message, and in what the model remembers.
Functions over a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from runtime.content.parts import Audio, Voice
from runtime.content.rendering import as_text
from runtime.store.codec import dump_json
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement
from runtime.store.messages.content import dump_content, load_content
from runtime.store.retention import runs
from runtime.store.retention.due import Due

DELETED: Final = "[deleted]"
"""What stands for a transcript in the memory."""
OPEN: Final = frozenset({"open", "dead"})

MESSAGES = Statement(
    "SELECT id, received_at, state, conversation_id, turn_id, content, body, params FROM inbox WHERE bot_id = :bot_id"
    " AND received_at <= :before AND (received_at, id) > (:after_at, :after_id) ORDER BY received_at, id LIMIT :rows"
)
FIRST_OPEN = Statement(
    "SELECT min(received_at) FROM inbox WHERE bot_id = :bot_id AND received_at <= :before AND state IN ('open', 'dead')"
)
_CONTENT = "SELECT content, body, params FROM inbox WHERE id = :id"
CONTENT: Final[Mapping[str, Statement]] = {
    "sqlite": Statement(_CONTENT),
    "postgresql": Statement(f"{_CONTENT} FOR UPDATE"),
}
"""Another change of the content comes before or after; what is encrypted cannot be compared in the database."""
SET_CONTENT = Statement("UPDATE inbox SET content = :content, body = :body WHERE id = :id")
ITEMS = Statement("SELECT id, item FROM items WHERE conversation_id = :conversation_id AND turn_id = :turn_id")
SET_ITEM = Statement("UPDATE items SET item = :item WHERE id = :id")


class Position(NamedTuple):
    """A bot's messages until this one have no transcript whose retention is over."""

    at: str = ""
    id: int = 0


class LookedForTranscripts(NamedTuple):
    """The result of one bite."""

    position: Position
    is_all: bool


def bite(connection: Connection, due: Due, position: Position, began_at: str, rows: int) -> LookedForTranscripts:
    """Deletes the transcripts of the next `rows` messages. One that is not settled is looked at again in each run."""
    found = MESSAGES.rows(
        connection,
        bot_id=due.bot_id,
        before=due.transcripts_before,
        after_at=position.at,
        after_id=position.id,
        rows=rows,
    )
    deleted = 0
    with overwriting(connection):
        for id_, _, state, conversation_id, turn_id, *stored in found:
            if state not in OPEN and stored[0] is not None:
                deleted += _deleted(connection, id_, conversation_id, turn_id, stored)
        runs.add(connection, due.client, began_at, {"transcripts": deleted})
    return LookedForTranscripts(Position(found[-1][1], found[-1][0]) if found else position, len(found) < rows)


def first_open(connection: Connection, due: Due) -> str | None:
    """When the oldest message came in that is over and not settled; None: there is none."""
    row = FIRST_OPEN.one(connection, bot_id=due.bot_id, before=due.transcripts_before)
    return None if row[0] is None else str(row[0])


def _deleted(connection: Connection, id_: int, conversation_id: int, turn_id: int | None, stored: Sequence[Any]) -> int:
    """Deletes the transcripts of a message; returns how many."""
    said = [part.text for part in load_content(*stored).parts if isinstance(part, (Voice, Audio)) and part.text]
    if not said:
        return 0
    content = load_content(*CONTENT[connection.dialect.name].one(connection, id=id_))
    parts = [replace(part, text=None) if isinstance(part, (Voice, Audio)) else part for part in content.parts]
    without = replace(content, parts=tuple(parts))
    SET_CONTENT.run(connection, id=id_, content=dump_content(without), body=as_text(without))
    for item_id, text in ITEMS.rows(connection, conversation_id=conversation_id, turn_id=turn_id):
        item: dict[str, Any] = json.loads(text)
        words = item.get("content")
        if item.get("role") == "user" and isinstance(words, str):
            for one in said:
                words = words.replace(one, DELETED)
            if words != item["content"]:
                SET_ITEM.run(connection, id=item_id, item=dump_json({**item, "content": words}))
    return len(said)
