"""Deletes what is over of conversations, a few rows at a time. Functions over a connection.

    conversations, by id ──► those whose oldest row is over ──► one bite: rows of some of them, and the run's counts
                                                                   │
                                      nothing of the person is left┴──► address and name too; later the empty row

What is open is kept: messages that wait, turns that run, dead letters that are neither retried nor dropped, messages
that are not sent yet. An hour passes between two passes: a message that was stored in a conversation as it was detached
is found by the second one, which deletes the empty row otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement, pipelined
from runtime.store.messages import conversations
from runtime.store.retention import runs
from runtime.store.retention.due import Due

AT_TWILIO: Final = "message_deletion"
"""Of timers, whose keys are a bot, an account's SID and a message's: Twilio's copy is to be deleted."""

_INBOX = (
    "SELECT id FROM inbox WHERE conversation_id = :id AND (state IN ('answered', 'unanswered', 'limited')"
    " AND received_at <= :before OR state = 'dropped' AND received_at <= :dropped)"
)
_OUTBOX = (
    "SELECT id FROM outbox WHERE conversation_id = :id AND created_at <= :before"
    " AND state IN ('sent', 'failed', 'replaced', 'withheld')"
)
_TURNS = (
    "SELECT id FROM turns WHERE conversation_id = :id AND (state IN ('answered', 'unanswered', 'operator')"
    " AND coalesce(finished_at, started_at) <= :before"
    " OR state = 'dropped' AND coalesce(finished_at, started_at) <= :dropped)"
)
_LIMIT = " ORDER BY id LIMIT :rows"
BOT = Statement("SELECT bot_id FROM conversations WHERE id = :id")
PAGE = Statement(
    "SELECT id, bot_id, created_at,"
    " (SELECT received_at FROM inbox WHERE conversation_id = page.id ORDER BY id LIMIT 1),"
    " (SELECT created_at FROM outbox WHERE conversation_id = page.id ORDER BY id LIMIT 1),"
    " (SELECT started_at FROM turns WHERE conversation_id = page.id ORDER BY id LIMIT 1),"
    " (SELECT created_at FROM items WHERE conversation_id = page.id ORDER BY id LIMIT 1),"
    " (SELECT at FROM conversation_notes WHERE conversation_id = page.id ORDER BY id LIMIT 1)"
    " FROM (SELECT id, bot_id, created_at FROM conversations WHERE id > :after ORDER BY id LIMIT :limit) AS page"
    " ORDER BY id"
)
"""Conversations with when they began, and the time of the oldest row of each sort."""
EMPTY_INBOX = Statement(
    "UPDATE inbox SET sender = '', body = '', params = '{}', content = NULL"  # noqa: S608 - constant texts, as below
    f" WHERE id IN ({_INBOX} AND sender <> ''{_LIMIT}) RETURNING account_sid, message_sid, 1"
)
EMPTY_OUTBOX = Statement(
    "UPDATE outbox SET recipient = '', body = '', content = NULL"  # noqa: S608
    f" WHERE id IN ({_OUTBOX} AND recipient <> ''{_LIMIT}) RETURNING account_sid, message_sid, 1"
)
EMPTY_TURNS = Statement(
    "UPDATE turns SET progress = NULL, error = NULL"  # noqa: S608
    f" WHERE id IN ({_TURNS} AND (progress IS NOT NULL OR error IS NOT NULL){_LIMIT})"
)
DELETE_INBOX = Statement(
    f"DELETE FROM inbox WHERE id IN ({_INBOX}{_LIMIT}) RETURNING account_sid, message_sid, sender <> ''"  # noqa: S608
)
DELETE_OUTBOX = Statement(
    f"DELETE FROM outbox WHERE id IN ({_OUTBOX}{_LIMIT}) RETURNING account_sid, message_sid, recipient <> ''"  # noqa: S608
)
"""With whether a row was not emptied before."""
DELETE_TURNS = Statement(f"DELETE FROM turns WHERE id IN ({_TURNS}{_LIMIT})")  # noqa: S608
DELETE_ITEMS = Statement(
    "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE conversation_id = :id AND created_at <= :before"  # noqa: S608
    " AND (turn_id IS NULL OR turn_id NOT IN (SELECT id FROM turns WHERE conversation_id = :id"
    f" AND state IN ('running', 'retried', 'dead'))){_LIMIT})"
)
DELETE_NOTES = Statement("DELETE FROM conversation_notes WHERE conversation_id = :id AND at <= :before")
DELETE_DESK = Statement("DELETE FROM desk_messages WHERE conversation_id = :id AND at <= :before AND is_open = 0")
DELETE_SUMMARY = Statement(
    "UPDATE conversations SET state_summary = NULL WHERE id = :id AND state_summary IS NOT NULL AND state <> 'human'"
    " AND coalesce(state_since, '') <= :before"
)
_NOTHING_LEFT = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table} WHERE conversation_id = :id)"  # noqa: S608
    for table in ("inbox", "outbox", "turns", "items", "conversation_notes", "reply_files")
)
IS_OVER = Statement(
    "SELECT 1 FROM conversations WHERE id = :id AND created_at <= :before AND user_key <> '' AND state <> 'human'"  # noqa: S608
    f" AND thread_id IS NULL AND blocked_at IS NULL AND (opted_out_at IS NULL OR opted_in_at IS NOT NULL)"
    f" AND {_NOTHING_LEFT}"
)
IS_EMPTY = Statement(
    "SELECT 1 FROM conversations WHERE id = :id AND user_key = '' AND thread_id IS NULL"  # noqa: S608
    " AND NOT EXISTS (SELECT 1 FROM conversation_aliases"
    f" WHERE conversation_aliases.conversation_id = :id) AND {_NOTHING_LEFT}"
)
DELETE_CONSENTS = Statement("DELETE FROM consents WHERE conversation_id = :id")
DELETE_DESK_PLACE = Statement("DELETE FROM desk_conversations WHERE conversation_id = :id")
OUTSIDE = Statement(
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE bot_id = :bot_id AND turn_id IS NULL"
    " AND created_at <= :before AND conversation_id IS NULL AND state IN ('sent', 'failed', 'replaced', 'withheld')"
    " ORDER BY created_at LIMIT :rows) RETURNING account_sid, message_sid, 1"
)
RECIPIENTS = Statement(
    "UPDATE campaign_rows SET recipient = 'deleted:' || CAST(line AS text), variables = '{}' WHERE (campaign_id, line)"
    " IN (SELECT campaign_id, line FROM campaign_rows JOIN campaigns ON campaigns.id = campaign_id"
    " WHERE bot_id = :bot_id AND campaigns.state <> 'running' AND created_at <= :before"
    " AND substr(recipient, 1, 8) <> 'deleted:' ORDER BY campaign_id, line LIMIT :rows)"
)
KEPT = Statement(
    "SELECT state, count(*) FROM inbox WHERE bot_id = :bot_id AND received_at <= :before AND state IN ('open', 'dead')"
    " GROUP BY state"
)
AT_TWILIO_LEFT = Statement("SELECT count(*) FROM timers WHERE kind = :kind AND key LIKE :keys")


class DueConversations(NamedTuple):
    """Conversations that may have something that is over."""

    due: Sequence[int]
    last: int | None
    """The last one that was looked at; None at their end."""


def next_page(connection: Connection, after: int, dues: Mapping[str, Due], limit: int) -> DueConversations:
    """Of the `limit` conversations after one, those with a row that is over."""
    rows = PAGE.rows(connection, after=after, limit=limit)
    found = [id_ for id_, bot_id, *times in rows if bot_id in dues and _is_due(dues[bot_id], *times)]
    return DueConversations(found, rows[-1][0] if len(rows) == limit else None)


def _is_due(due: Due, created_at: str, *oldest: str | None) -> bool:
    times = [at for at in oldest if at is not None] or [created_at]
    return min(times) <= max(due.before, due.dropped_before)


@pipelined
def bite(
    connection: Connection, conversation_ids: Sequence[int], dues: Mapping[str, Due], began_at: str, rows: int
) -> int:
    """Deletes about `rows` rows of these conversations; returns how many of them have nothing left that is over."""
    done, counts = 0, dict[str, Counter[str]]()
    with overwriting(connection):
        for id_ in conversation_ids:
            due = dues.get(_bot_of(connection, id_))
            if due is not None:
                count = counts.setdefault(due.client, Counter())
                rows -= _of_conversation(connection, id_, due, rows, count)
            if rows <= 0:
                break
            done += 1
        for client, count in counts.items():
            runs.add(connection, client, began_at, count)
    return done


def _bot_of(connection: Connection, conversation_id: int) -> str:
    row = BOT.first(connection, id=conversation_id)
    return "" if row is None else row[0]


def _of_conversation(connection: Connection, id_: int, due: Due, rows: int, counts: Counter[str]) -> int:
    """Deletes up to `rows` rows; returns how many, `rows` also where it could be more."""
    left = rows

    def run(sort: str, statement: Statement, before: str, dropped: str = "") -> bool:
        nonlocal left
        changed = statement.run(connection, id=id_, before=before, dropped=dropped, rows=left)
        counts[sort] += changed
        left -= changed
        return left > 0

    def named(sort: str, statement: Statement, before: str, dropped: str) -> bool:
        nonlocal left
        found = statement.rows(connection, id=id_, before=before, dropped=dropped, rows=left)
        counts[sort] += _with_copies(connection, due, found)
        left -= len(found)
        return left > 0

    over, closed = (due.before, due.dropped_before), (due.deleted_before, due.dropped_deleted_before)
    steps: Sequence[Callable[[], bool]] = (
        lambda: named("messages", DELETE_INBOX, *closed),
        lambda: named("messages", EMPTY_INBOX, *over),
        lambda: named("sent", DELETE_OUTBOX, *closed),
        lambda: named("sent", EMPTY_OUTBOX, *over),
        lambda: run("memory", DELETE_ITEMS, due.before),
        lambda: run("turns", DELETE_TURNS, *closed),
        lambda: run("", EMPTY_TURNS, *over),
    )
    is_done = all(step() for step in steps)
    counts.pop("", None)
    if not is_done:
        return rows
    counts["notes"] += DELETE_NOTES.run(connection, id=id_, before=due.before)
    DELETE_DESK.run(connection, id=id_, before=due.before)
    DELETE_SUMMARY.run(connection, id=id_, before=due.before)
    counts["people"] += _detached(connection, id_, due)
    return rows - left


def _detached(connection: Connection, id_: int, due: Due) -> int:
    """Deletes who a conversation is with, where nothing else of it is left; 1 where it did."""
    if IS_OVER.first(connection, id=id_, before=due.before) is None:
        if IS_EMPTY.first(connection, id=id_) is not None:
            conversations.DROP.do(connection, id=id_)
        return 0
    conversations.wipe(connection, id_)
    conversations.detach(connection, id_)
    DELETE_DESK_PLACE.run(connection, id=id_)
    DELETE_CONSENTS.run(connection, id=id_)
    return 1


def bite_outside(connection: Connection, due: Due, began_at: str, rows: int) -> int:
    """Deletes messages to people without a conversation, and the people of campaigns that are over; returns how
    many."""
    with overwriting(connection):
        found = OUTSIDE.rows(connection, bot_id=due.bot_id, before=due.before, rows=rows)
        sent = _with_copies(connection, due, found)
        recipients = RECIPIENTS.run(connection, bot_id=due.bot_id, before=due.before, rows=rows)
        runs.add(connection, due.client, began_at, {"sent": sent, "recipients": recipients})
    return sent + recipients


def kept(connection: Connection, due: Due) -> dict[str, int]:
    """How many messages are over and kept, since they wait (`open`) or their turn failed (`dead_letters`)."""
    found = dict(KEPT.rows(connection, bot_id=due.bot_id, before=max(due.before, due.dropped_before)))
    names = {"open": "open", "dead": "dead_letters"}
    return {names[state]: int(count) for state, count in sorted(found.items())}


def left_at_twilio(connection: Connection, bot_id: str) -> int:
    """How many of a bot's messages wait to be deleted at Twilio."""
    return int(AT_TWILIO_LEFT.one(connection, kind=AT_TWILIO, keys=f"{bot_id} %")[0])


def _with_copies(connection: Connection, due: Due, found: Sequence[tuple[str, str | None, bool]]) -> int:
    """How many of these rows were messages until now; where it is declared Twilio's copies are to be deleted."""
    new = [(account_sid, message_sid) for account_sid, message_sid, is_new in found if is_new]
    for account_sid, message_sid in new if due.retention.at_twilio else ():
        if message_sid:
            timers.put(connection, AT_TWILIO, f"{due.bot_id} {account_sid} {message_sid}", datetime.now(UTC), {})
    return len(new)
