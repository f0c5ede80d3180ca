"""Who read what people wrote, and who changed what: from where, when, of which client. Functions over a connection.

An entry is written in the transaction of what it is about, so that neither is there without the other; that of a read
before anyone gets what was read (`runtime.store.database.traces`). Entries are only
added: triggers of both databases refuse to change one, and to delete one younger than FLOOR_DAYS (`delete_before`).
None has an address or words of a person: conversations are named by their ids, so an erasure leaves nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Concatenate, Final, Literal

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.operation import P, T
from runtime.store.database.statement import InsertRows, Statement
from runtime.store.database.times import timestamp
from runtime.store.database.traces import leave

Via = Literal["api", "cli", "console", "desk", "reconcile", "runtime"]
FLOOR_DAYS: Final = 90
"""Entries of the last days that nothing deletes, whatever retention is set."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    name: str
    """A token, an operator of the console (by address of mail) or of the desk, or `user@host` of a command."""
    via: Via
    address: str | None = None
    """Where the request or the session of the command came from; None: not known, or this machine."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was read or changed."""

    action: str
    """`read`, or what was done, such as `change`, `delete`, `taken`."""
    kind: str
    object_id: str
    client: str | None = None
    """The client that it concerns; None: the whole installation."""
    conversations: Sequence[int] = ()
    """The conversations whose people it concerns."""
    fields: Sequence[str] = ()
    overridden: str | None = None
    """The manifest that declares what was changed by hand."""


ADD: Final = InsertRows(
    "audit",
    *("at", "actor", "action", "kind", "object_id", "overridden", "fields", "client", "via", "address"),
    "conversations",
)

CLIENT_OF: Final = Statement(
    "SELECT coalesce(bots.client, conversations.bot_id) FROM conversations"
    " LEFT JOIN bots ON bots.id = conversations.bot_id WHERE conversations.id = :id"
)

DELETE_BEFORE: Final = Statement(
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < :before AND id NOT IN"
    " (SELECT max(id) FROM audit WHERE overridden IS NOT NULL GROUP BY kind, object_id) ORDER BY id LIMIT :limit)"
)
CLIENT_OF_BOT: Final = Statement("SELECT coalesce(client, id) FROM bots WHERE id = :id")


def record(connection: Connection, actor: Actor, *entries: Entry) -> None:
    """Adds entries."""
    at = timestamp()
    rows = [
        {
            "at": at,
            "actor": actor.name,
            "action": entry.action,
            "kind": entry.kind,
            "object_id": entry.object_id,
            "overridden": entry.overridden,
            "fields": dump_json(list(entry.fields)),
            "client": entry.client,
            "via": actor.via,
            "address": actor.address,
            "conversations": dump_json(sorted(entry.conversations)) if entry.conversations else None,
        }
        for entry in entries
    ]
    leave(connection, partial(_add, rows=rows))


def _add(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    ADD.run(connection, rows)


def delete_before(connection: Connection, before: str, limit: int) -> int:
    """Deletes the oldest entries before a timestamp, at most `limit`; returns their number. The newest change by hand
    of each object that a manifest declares stays: the next plan shows who made it."""
    return DELETE_BEFORE.run(connection, before=before, limit=limit)


def client_of_bot(connection: Connection, bot_id: str | None) -> str | None:
    """The client of a bot, or the bot's id where it has none or was deleted."""
    row = None if bot_id is None else CLIENT_OF_BOT.first(connection, id=bot_id)
    return bot_id if row is None else str(row[0])


def client_of_conversation(connection: Connection, conversation_id: int) -> str | None:
    """The client of a conversation, or its bot's id where the bot has none or was deleted."""
    row = CLIENT_OF.first(connection, id=conversation_id)
    return None if row is None else str(row[0])


def record_conversation(connection: Connection, actor: Actor, action: str, conversation_id: int) -> None:
    """Adds an entry about one conversation."""
    client = client_of_conversation(connection, conversation_id)
    record(connection, actor, Entry(action, "conversation", str(conversation_id), client, [conversation_id]))


def audited(
    connection: Connection,
    actor: Actor,
    entry: Entry | Callable[[T], Entry],
    operation: Callable[Concatenate[Connection, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Runs an operation and records it, in one transaction. Where it raises, nothing is recorded; an entry may depend
    on its result."""
    result = operation(connection, *args, **kwargs)
    record(connection, actor, entry(result) if callable(entry) else entry)
    return result
