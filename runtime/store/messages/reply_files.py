"""Files and pictures that people send in a conversation: kept beside those of the bots, for a day. Functions over a
connection.

    uploaded ──► a row for its conversation ──► 24 hours, by a timer; or the user is erased ──► deleted

The same bytes may be a bot's file, or be sent in another conversation: then only the row is deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from runtime.store import files, timers
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.errors import NoConversation
from runtime.store.files import Receiving
from runtime.store.messages import handoffs
from runtime.store.timers import Timer

KIND = "reply_file"
"""Timers, whose keys are a hash and the id of a conversation."""
KEPT = timedelta(hours=24)

ADD = Statement(
    "INSERT INTO reply_files (sha256, conversation_id, at) VALUES (:content_hash, :id, :now)"
    " ON CONFLICT (sha256, conversation_id) DO UPDATE SET at = excluded.at"
)
IS_THERE = Statement("SELECT 1 FROM reply_files WHERE sha256 = :content_hash AND conversation_id = :id")
OF = Statement("SELECT sha256 FROM reply_files WHERE conversation_id = :id")
DELETE = Statement("DELETE FROM reply_files WHERE sha256 = :content_hash AND conversation_id = :id")
OTHERS = Statement("SELECT 1 FROM reply_files WHERE sha256 = :content_hash LIMIT 1")


def finish(connection: Connection, received: Receiving, conversation_id: int) -> None:
    """Makes an upload a file of a conversation, for a day from now. Raises NoConversation."""
    held = handoffs.locked(connection, conversation_id)
    if held is None or held.is_erased:
        raise NoConversation(conversation_id)
    files.finish(connection, received)
    ADD.run(connection, content_hash=received.sha256, id=conversation_id, now=timestamp())
    timers.put(connection, KIND, f"{received.sha256} {conversation_id}", datetime.now(UTC) + KEPT, {})


def is_there(connection: Connection, sha256: str, conversation_id: int) -> bool:
    """Whether a file may be sent in a conversation."""
    return IS_THERE.first(connection, content_hash=sha256, id=conversation_id) is not None


def expire(connection: Connection, timer: Timer) -> None:
    """Deletes a file whose day is over; raises TimerTakenOver."""
    timers.finish(connection, timer)
    sha256, _, conversation_id = timer.key.partition(" ")
    _delete(connection, sha256, int(conversation_id))


def forget(connection: Connection, conversation_id: int) -> None:
    """Deletes the files of a conversation."""
    for (sha256,) in OF.rows(connection, id=conversation_id):
        timers.cancel(connection, KIND, f"{sha256} {conversation_id}")
        _delete(connection, sha256, conversation_id)


def _delete(connection: Connection, sha256: str, conversation_id: int) -> None:
    DELETE.run(connection, content_hash=sha256, id=conversation_id)
    if OTHERS.first(connection, content_hash=sha256) is None:
        files.delete_unless_named(connection, sha256)
