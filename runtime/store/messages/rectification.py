"""Rectifies what is kept about a person: how they are called, and what was heard in a voice note. Functions over a
connection.

A name that was rectified stands before the one that WhatsApp sends with each message. A transcript is replaced in the
message and in what the assistant remembers of it; what the person wrote themselves stays as they wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from runtime.content.parts import Media
from runtime.content.rendering import as_text
from runtime.store.audit import Actor, Entry, record
from runtime.store.codec import dump_json
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement
from runtime.store.errors import StoreError
from runtime.store.messages import people, person_marks, receipts
from runtime.store.messages.content import dump_content, load_content
from runtime.store.messages.people import KnownPerson
from runtime.store.messages.receipts import PersonReceipt

KIND: Final = "person"
"""Of the audit's rows."""
SET_NAME = Statement(
    "UPDATE conversations SET rectified_name = :name, profile_name = NULL WHERE id = :id AND user_key <> ''"
)
MESSAGE = Statement("SELECT conversation_id, turn_id, content, body, params FROM inbox WHERE id = :id AND sender <> ''")
SET_CONTENT = Statement("UPDATE inbox SET content = :content, body = :body WHERE id = :id")
ITEMS = Statement("SELECT id, item FROM items WHERE conversation_id = :conversation_id AND turn_id = :turn_id")
SET_ITEM = Statement("UPDATE items SET item = :item WHERE id = :id")


class NothingToRectify(StoreError):
    """There is nothing of that person to rectify."""


@dataclass(frozen=True, slots=True)
class Rectified:
    """What was rectified."""

    conversations: int
    receipt: PersonReceipt


def rectify_name(connection: Connection, address: str, client: str | None, name: str, by: Actor) -> Rectified:
    """Sets how a person is called, with one client or all; raises NothingToRectify."""
    person = people.find_person(connection, address, None if client is None else [client])
    with overwriting(connection):
        changed = [one.id for one in person.conversations if SET_NAME.run(connection, id=one.id, name=name)]
    if not changed:
        raise NothingToRectify("There is no conversation with this person; nothing was changed.")
    return _done(connection, person, client, by, changed, "names")


def rectify_transcript(
    connection: Connection, address: str, client: str | None, inbox_id: int, text: str, by: Actor
) -> Rectified:
    """Replaces what was heard in a voice note of a person; raises NothingToRectify where that message has none."""
    person = people.find_person(connection, address, None if client is None else [client])
    row = MESSAGE.first(connection, id=inbox_id)
    if row is None or row[0] not in [one.id for one in person.conversations]:
        raise NothingToRectify(f"There is no message {inbox_id} of this person; nothing was changed.")
    conversation_id, turn_id, stored, body, params = row
    content = load_content(stored, body, params)
    heard = [part.text for part in content.parts if isinstance(part, Media) and part.text]
    if not heard:
        raise NothingToRectify(f"Message {inbox_id} has no transcript; nothing was changed.")
    parts = tuple(replace(part, text=text) if isinstance(part, Media) and part.text else part for part in content.parts)
    changed = replace(content, parts=parts)
    with overwriting(connection):
        SET_CONTENT.run(connection, id=inbox_id, content=dump_content(changed), body=as_text(changed))
        for item_id, item in ITEMS.rows(connection, conversation_id=conversation_id, turn_id=turn_id):
            told = _with_text(json.loads(item), heard, text)
            if told is not None:
                SET_ITEM.run(connection, id=item_id, item=dump_json(told))
    return _done(connection, person, client, by, [conversation_id], "transcripts")


def _with_text(item: Mapping[str, Any], heard: Collection[str], text: str) -> Mapping[str, Any] | None:
    """An item of the memory with another transcript; None where it has none of these."""
    said = item.get("content")
    if not isinstance(said, str) or not any(old in said for old in heard):
        return None
    for old in heard:
        said = said.replace(old, text)
    return {**item, "content": said}


def _done(
    connection: Connection, person: KnownPerson, client: str | None, by: Actor, changed: Sequence[int], what: str
) -> Rectified:
    """Records what was done, with its receipt."""
    record(connection, by, Entry("rectified", KIND, client or "", client, changed, [what]))
    hashes = person_marks.hashes_of(connection, person.addresses)
    facts = {
        "done": [{"where": "store", "what": f"{what} rectified", "count": len(changed)}],
        "remains": ["What was written before with the former words: answers, and what the person wrote themselves."],
    }
    receipt = receipts.issue(connection, action="rectified", by=by.name, client=client, people=hashes, facts=facts)
    return Rectified(len(changed), receipt)
