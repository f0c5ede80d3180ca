"""Twilio's copies of the files that users sent: which are to be deleted, and that they are. Functions over a
connection.

    message with files ──retention is over──► timer under its id ──► deleted at Twilio ──► `deleted_at` in `content`

Only messages whose content is stored as JSON are found: all since 1.0. What is deleted is said in the content itself,
where each file is, so that it is read with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from runtime.content.parts import Media
from runtime.store import timers
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages.content import dump_content, load_content

KIND: Final = "media_deletion"
"""Of the timers, one a message."""

# An index has just these messages. The quotes make it the key of a part's field: in a text they are escaped.
_DUE = (
    "SELECT id FROM inbox WHERE bot_id = :bot_id AND received_at <= :before"
    " AND {position}(content, '\"url\":') > 0 AND {position}(content, '\"deleted_at\":') = 0"
    " AND (state <> 'open' OR :also_open)"
    " AND NOT EXISTS (SELECT 1 FROM timers WHERE kind = :kind AND key = CAST(inbox.id AS TEXT))"
    " ORDER BY received_at LIMIT :limit"
)
DUE: Final[Mapping[str, Statement]] = {
    "sqlite": Statement(_DUE.format(position="instr")),
    "postgresql": Statement(_DUE.format(position="strpos")),
}
_MESSAGE = (
    "SELECT account_sid, message_sid, bot_id, received_at, state, content, body, params FROM inbox WHERE id = :id"
)
MESSAGE = Statement(_MESSAGE)
TO_MARK: Final[Mapping[str, Statement]] = {
    "sqlite": MESSAGE,
    "postgresql": Statement(f"{_MESSAGE} FOR UPDATE"),
}
"""A turn that ends meanwhile adds what was read in the files to the content: it does so before or after."""
MARK = Statement("UPDATE inbox SET content = :content WHERE id = :id")


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """A message with files that Twilio still has, as far as is known."""

    account_sid: str
    message_sid: str
    bot_id: str
    received_at: str
    is_open: bool
    """Whether no turn has ended with it."""


def put_due_timers(connection: Connection, bot_id: str, before: str, *, also_open: bool, limit: int) -> int:
    """Puts a timer for each message of a bot until a time whose files Twilio still has, and that has no timer, the
    oldest first and at most `limit`; returns how many. `also_open`: also for those that no turn has ended with."""
    found = DUE[connection.dialect.name].rows(
        connection, bot_id=bot_id, before=before, also_open=also_open, kind=KIND, limit=limit
    )
    now = datetime.now(UTC)
    for (inbox_id,) in found:
        timers.put(connection, KIND, str(inbox_id), now, {})
    return len(found)


def kept_files(connection: Connection, inbox_id: int) -> KeptFiles | None:
    """A message; None where it does not exist, or has no file that Twilio still has."""
    row = MESSAGE.first(connection, id=inbox_id)
    if row is None:
        return None
    account_sid, message_sid, bot_id, received_at, state, content, body, params = row
    parts = load_content(content, body, params).parts
    if content is None or not any(isinstance(part, Media) and part.deleted_at is None for part in parts):
        return None
    return KeptFiles(account_sid, message_sid, bot_id, received_at, state == "open")


def mark_deleted(connection: Connection, inbox_id: int) -> None:
    """Records that Twilio no longer has a message's files."""
    row = TO_MARK[connection.dialect.name].first(connection, id=inbox_id)
    if row is None or row[5] is None:
        return
    content = load_content(*row[5:])
    now = timestamp()
    parts = [
        replace(part, deleted_at=now) if isinstance(part, Media) and part.deleted_at is None else part
        for part in content.parts
    ]
    MARK.run(connection, id=inbox_id, content=dump_content(replace(content, parts=tuple(parts))))
