"""What of a conversation is at the desk (Chatwoot), and what came from there. Functions over a connection.

    inbox, outbox ──waiting──► row `sending` ──► written at the desk ──► `there`, with the id that it has there
                          ▲         └── no answer ──► `unsure` ──► looked up there by its key ──► found: `there`
                          └───── the row is deleted ◄── not found, for long enough
    desk ──► row `there` and a row of the outbox, in one transaction: a message of an operator goes out once

A message's key is `in:<inbox id>`, `out:<outbox id>`, `note:<since>`, or `desk:<id at the desk>:<part>` for one that
came from there. None of this is on the way of a message: what is new is found by reading (`news`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.parts import Content
from runtime.store import timers
from runtime.store.audit import Actor
from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import WindowClosed
from runtime.store.messages import operators
from runtime.store.messages.content import load_content
from runtime.store.messages.conversations import ConversationState
from runtime.store.messages.outbox import OutboundMessage

KIND = "desk"
"""Of timers, whose keys are ids of conversations: something is to be written at the desk, or may be read there."""
TRANSCRIPT = 30
"""Number of messages before a handoff that people see of a conversation, at most."""
OURS = "hz:"
"""What the `source_id` of every message begins with that was written at the desk from here."""
OF_PEOPLE = ("open", "snoozed")
"""Statuses at the desk of what people have."""
REFUSED = "refused"
OURS_SECONDS, OPERATORS_SECONDS = 3600.0, 48 * 3600.0
"""For how long outcomes are reported: failures of the assistant's messages, and all of operators' messages."""
NOTHING_DOUBTED: Mapping[str, float] = MappingProxyType({})
CLOSED_ES = "No se envió: pasaron más de 24 horas desde el último mensaje de la persona (63016)"


class DeskConversation(NamedTuple):
    """A conversation, and where it is at the desk."""

    id: int
    bot_id: str
    user_key: str
    profile_name: str | None
    state: ConversationState
    state_since: str | None
    state_by: str | None
    state_reason: str | None
    summary: str | None
    """What the model said about the handoff."""
    address: str | None
    """From which its user last wrote."""
    account_sid: str | None
    """Of their last message."""
    place: str | None
    """The desk's inbox; None: it has not been there."""
    desk_id: int | None
    """Its number there."""
    status: str | None
    """As it was last seen or set there."""
    known_state: str | None
    """Our state, as the desk knows it."""
    note_at: str | None
    """The handoff that its last note was about."""
    seen_id: int
    """Messages there up to this id are known."""


class DeskNews(NamedTuple):
    """What there is to do at desks."""

    conversations: Sequence[int]
    inbox_id: int
    outbox_id: int
    """The newest rows."""


@dataclass(frozen=True, slots=True)
class UnshownMessage:
    """A message that is not at the desk yet."""

    key: str
    at: str
    is_ours: bool
    body: str
    content: Content | None
    """Of a user's message."""
    account_sid: str
    outbox_id: int | None
    author: str | None
    """The person who wrote it, elsewhere than at the desk."""


class Unsure(NamedTuple):
    """A message that was being written at the desk, without an answer."""

    key: str
    until: str | None
    """From when on it was not made where it is not found; None: it was not doubted yet."""


class DeliveryReport(NamedTuple):
    """A message at the desk whose delivery is to be reported there."""

    key: str
    desk_id: int
    status: Literal["delivered", "read", "failed"]
    error: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class FromDesk:
    """A message that an operator wrote at the desk."""

    id: int
    author: str
    parts: Sequence[tuple[OutboundMessage, tuple[str, int]]]
    """What goes out, each with its item of the memory."""
    refused: str | None = None
    """Why it cannot go out."""


def _listed(sql: str) -> Mapping[str, Statement]:
    """The statement for each database; `{in_bots}` and `{in_always}` are lists of ids of bots."""
    names = {"in_bots": ":bots", "in_always": ":always"}
    on_sqlite = {key: f"IN (SELECT value FROM json_each({name}))" for key, name in names.items()}  # noqa: S608
    on_postgresql = {key: f"= ANY({name})" for key, name in names.items()}
    return {"sqlite": Statement(sql.format(**on_sqlite)), "postgresql": Statement(sql.format(**on_postgresql))}


NEWEST = Statement("SELECT coalesce((SELECT max(id) FROM inbox), 0), coalesce((SELECT max(id) FROM outbox), 0)")
_OF_PEOPLE = (
    "JOIN conversations c ON c.id = m.conversation_id LEFT JOIN desk_conversations d ON d.conversation_id = c.id"
    " WHERE m.bot_id {in_bots} AND c.user_key <> '' AND c.blocked_at IS NULL"
    " AND (c.state = 'human' OR c.bot_id {in_always})"
)
NEW_INBOX = _listed(
    f"SELECT DISTINCT +m.conversation_id FROM inbox m {_OF_PEOPLE} AND m.id > :after"  # noqa: S608 - constant texts
    " AND m.id > coalesce(d.inbox_from, 0) AND NOT EXISTS (SELECT 1 FROM desk_messages"
    " WHERE conversation_id = m.conversation_id AND key = 'in:' || m.id)"
)
NEW_OUTBOX = _listed(
    f"SELECT DISTINCT +m.conversation_id FROM outbox m {_OF_PEOPLE} AND m.id > :after"  # noqa: S608
    " AND m.id > coalesce(d.outbox_from, 0) AND m.state IN ('sent', 'failed') AND m.attempt = 1"
    " AND NOT EXISTS (SELECT 1 FROM desk_messages WHERE outbox_id = m.id)"
)
HANDED_OVER = _listed(
    "SELECT c.id FROM conversations c LEFT JOIN desk_conversations d ON d.conversation_id = c.id"
    " WHERE c.blocked_at IS NULL AND c.state <> 'assistant' AND c.state = 'human' AND c.bot_id {in_bots}"
    " AND coalesce(d.known_state, '') <> 'human'"
)
HANDED_BACK = _listed(
    "SELECT d.conversation_id FROM desk_conversations d JOIN conversations c ON c.id = d.conversation_id"
    " WHERE c.blocked_at IS NULL AND c.user_key <> '' AND d.known_state = 'human'"
    " AND c.state <> 'human' AND d.bot_id {in_bots}"
)
_LAST = (
    "JOIN outbox first ON first.id = m.outbox_id JOIN outbox o ON o.id = CASE WHEN first.turn_id IS NULL"
    " OR first.state <> 'replaced' THEN first.id ELSE (SELECT max(id) FROM outbox"
    " WHERE turn_id = first.turn_id AND part = first.part) END"
)
"""The row that a message went out with, or the one with which it was sent again."""
_OUTCOME = (
    "CASE WHEN m.state = 'refused' OR o.error_code IS NOT NULL OR o.state IN ('failed', 'withheld') THEN 'failed'"
    " WHEN o.status IN ('delivered', 'read') THEN o.status END"
)
_DUE = f"{_OUTCOME} <> coalesce(m.reported, '') AND (substr(m.key, 1, 5) = 'desk:' OR {_OUTCOME} = 'failed')"
"""Of the assistant's messages only failures are reported."""
UNREPORTED = _listed(
    f"SELECT DISTINCT m.conversation_id FROM desk_messages m {_LAST}"  # noqa: S608
    f" WHERE m.is_open = 1 AND first.bot_id {{in_bots}} AND {_DUE}"
)
REPORTS = Statement(
    f"SELECT m.key, m.desk_id, {_OUTCOME}, coalesce(m.error, o.error), o.error_code FROM desk_messages m"  # noqa: S608
    f" LEFT {_LAST.replace(' JOIN outbox o', ' LEFT JOIN outbox o')}"
    f" WHERE m.is_open = 1 AND m.conversation_id = :id AND m.desk_id IS NOT NULL AND {_DUE} ORDER BY m.desk_id, m.key"
)
REPORTED = Statement(
    "UPDATE desk_messages SET reported = :status, is_open = CASE WHEN :status IN ('read', 'failed') THEN 0"
    " ELSE is_open END WHERE conversation_id = :id AND key = :key"
)
CLOSE_OLD = Statement(
    "UPDATE desk_messages SET is_open = 0 WHERE is_open = 1 AND at < :before_ours"
    " AND (at < :before_operators OR substr(key, 1, 5) <> 'desk:')"
)
WITH_PEOPLE = _listed(
    "SELECT id FROM conversations WHERE state <> 'assistant' AND state = 'human' AND bot_id {in_bots}"
)
HELD = Statement("SELECT 1 FROM timers WHERE kind = 'desk' AND key = :key AND holder IS NOT NULL AND held_until > :now")
OFFERED = Statement("SELECT 1 FROM timers WHERE kind = 'desk' AND key = :key")
OFFER = Statement(
    "INSERT INTO timers (kind, key, due_at, put_at, payload, attempts, version)"
    " VALUES ('desk', :key, :now, :now, '{}', 0, 1) ON CONFLICT (kind, key) DO NOTHING"
)

SHOWN = Statement(
    "SELECT c.id, c.bot_id, c.user_key, coalesce(c.rectified_name, c.profile_name), c.state, c.state_since,"
    " c.state_by, c.state_reason,"
    " c.state_summary, (SELECT CASE WHEN c.phone IS NOT NULL AND substr(sender, 1, 10) <> 'whatsapp:+' THEN c.phone"
    " ELSE sender END FROM inbox WHERE conversation_id = c.id AND sender <> ''"
    " ORDER BY inbox.id DESC LIMIT 1), (SELECT account_sid FROM inbox WHERE conversation_id = c.id AND sender <> ''"
    " ORDER BY inbox.id DESC LIMIT 1), d.place, d.desk_id, d.status, d.known_state, d.note_at, coalesce(d.seen_id, 0)"
    " FROM conversations c LEFT JOIN desk_conversations d ON d.conversation_id = c.id WHERE c.id = :id"
    " AND c.blocked_at IS NULL AND c.user_key <> ''"
)
OPEN = Statement(
    "INSERT INTO desk_conversations (conversation_id, bot_id, place, desk_id, status, known_state, seen_id, inbox_from,"
    " outbox_from) SELECT id, :bot_id, :place, :desk_id, :status, :known_state, :seen_id, :inbox_from, :outbox_from"
    " FROM conversations WHERE id = :id AND user_key <> ''"
    " ON CONFLICT (conversation_id) DO UPDATE SET place = excluded.place, desk_id = excluded.desk_id,"
    " status = excluded.status, seen_id = excluded.seen_id, known_state = excluded.known_state, note_at = NULL,"
    " inbox_from = excluded.inbox_from, outbox_from = excluded.outbox_from"
)
START_FROM = Statement(
    "UPDATE desk_conversations SET inbox_from = CASE WHEN inbox_from < :inbox_from THEN :inbox_from ELSE inbox_from"
    " END, outbox_from = CASE WHEN outbox_from < :outbox_from THEN :outbox_from ELSE outbox_from END"
    " WHERE conversation_id = :id"
)
SET_STATUS = Statement(
    "UPDATE desk_conversations SET status = :status, known_state = :known_state WHERE conversation_id = :id"
)
NOTED = Statement("UPDATE desk_conversations SET note_at = :note_at WHERE conversation_id = :id")
SEEN = Statement("UPDATE desk_conversations SET seen_id = :seen_id WHERE conversation_id = :id AND seen_id < :seen_id")
FOUND = Statement(
    "SELECT conversation_id FROM desk_conversations WHERE bot_id = :bot_id AND place = :place AND desk_id = :desk_id"
)
OF_BOT = Statement(
    "SELECT desk_id, conversation_id FROM desk_conversations WHERE bot_id = :bot_id AND place = :place"
    " AND desk_id IS NOT NULL"
)
LAST_INBOX = Statement(
    "SELECT id, received_at FROM inbox WHERE conversation_id = :id ORDER BY inbox.id DESC LIMIT :limit"
)
LAST_OUTBOX = Statement(
    "SELECT id, created_at FROM outbox WHERE conversation_id = :id AND attempt = 1 ORDER BY outbox.id DESC LIMIT :limit"
)
WAITING_INBOX = Statement(
    "SELECT i.id, i.received_at, i.body, i.params, i.content, i.account_sid FROM inbox i JOIN desk_conversations d"
    " ON d.conversation_id = i.conversation_id WHERE i.conversation_id = :id AND i.id > d.inbox_from"
    " AND NOT EXISTS (SELECT 1 FROM desk_messages WHERE conversation_id = i.conversation_id AND key = 'in:' || i.id)"
    " ORDER BY i.id LIMIT :limit"
)
WAITING_OUTBOX = Statement(
    "SELECT o.id, o.created_at, o.body, o.account_sid, o.author FROM outbox o JOIN desk_conversations d"
    " ON d.conversation_id = o.conversation_id WHERE o.conversation_id = :id AND o.id > d.outbox_from"
    " AND o.state IN ('sent', 'failed') AND o.attempt = 1"
    " AND NOT EXISTS (SELECT 1 FROM desk_messages WHERE outbox_id = o.id) ORDER BY o.id LIMIT :limit"
)
SENDING = Statement(
    "INSERT INTO desk_messages (conversation_id, key, state, outbox_id, is_open, at)"
    " VALUES (:id, :key, 'sending', :outbox_id, :is_open, :now) ON CONFLICT (conversation_id, key) DO NOTHING"
)
THERE = Statement(
    "UPDATE desk_messages SET state = 'there', desk_id = :desk_id WHERE conversation_id = :id AND key = :key"
)
DOUBTED = Statement(
    "UPDATE desk_messages SET state = 'unsure', at = :until"
    " WHERE conversation_id = :id AND key = :key AND state = 'sending'"
)
GIVEN_UP = Statement(
    "UPDATE desk_messages SET state = 'refused', is_open = 0, error = :error WHERE conversation_id = :id AND key = :key"
)
ANSWERED = Statement(
    "SELECT coalesce(max(CAST(substr(key, 4) AS BIGINT)), 0) FROM desk_messages WHERE conversation_id = :id"
    " AND substr(key, 1, 3) = 'in:' AND desk_id < (SELECT max(desk_id) FROM desk_messages WHERE conversation_id = :id"
    " AND substr(key, 1, 5) = 'desk:')"
)
UNSURE = Statement(
    "SELECT key, CASE WHEN state = 'unsure' THEN at END FROM desk_messages"
    " WHERE conversation_id = :id AND state IN ('sending', 'unsure') ORDER BY at, key"
)
DROP_UNSURE = Statement(
    "DELETE FROM desk_messages WHERE conversation_id = :id AND key = :key AND state IN ('sending', 'unsure')"
)
TAKE_IN = Statement(
    "INSERT INTO desk_messages (conversation_id, key, desk_id, state, error, outbox_id, is_open, at)"
    " VALUES (:id, :key, :desk_id, :state, :error, NULL, 1, :now) ON CONFLICT (conversation_id, key) DO NOTHING"
)
GOES_OUT = Statement("UPDATE desk_messages SET outbox_id = :outbox_id WHERE conversation_id = :id AND key = :key")
REFUSE = Statement(
    "UPDATE desk_messages SET state = 'refused', error = :error WHERE conversation_id = :id AND key = :key"
)
TAKEN_IN = Statement("SELECT DISTINCT desk_id FROM desk_messages WHERE conversation_id = :id AND desk_id > :after")
WIPE_MESSAGES = Statement("DELETE FROM desk_messages WHERE conversation_id = :id")
WIPE = Statement("DELETE FROM desk_conversations WHERE conversation_id = :id")


def newest(connection: Connection) -> tuple[int, int]:
    """Ids of the newest rows of inbox and outbox."""
    inbox_id, outbox_id = NEWEST.one(connection)
    return int(inbox_id), int(outbox_id)


def news(
    connection: Connection, bots: Collection[str], always: Collection[str], after_inbox: int, after_outbox: int
) -> DeskNews:
    """The conversations of these bots with something to do at the desk: messages after these that it does not have, a
    state or a delivery that was not reported there; none for which a timer waits. `always`: bots whose every
    conversation is mirrored."""
    dialect = connection.dialect.name
    lists = {"bots": _as_list(dialect, bots), "always": _as_list(dialect, always)}
    inbox_id, outbox_id = newest(connection)
    found = [*NEW_INBOX[dialect].rows(connection, after=after_inbox, **lists)]
    found += NEW_OUTBOX[dialect].rows(connection, after=after_outbox, **lists)
    for statement in (HANDED_OVER, HANDED_BACK, UNREPORTED):
        found += statement[dialect].rows(connection, bots=lists["bots"])
    new = {int(row[0]) for row in found}
    return DeskNews([one for one in sorted(new) if not OFFERED.rows(connection, key=str(one))], inbox_id, outbox_id)


def with_people(connection: Connection, bots: Collection[str]) -> list[int]:
    """The conversations of these bots that people have."""
    dialect = connection.dialect.name
    return [int(row[0]) for row in WITH_PEOPLE[dialect].rows(connection, bots=_as_list(dialect, bots))]


def offer(connection: Connection, conversations: Sequence[int]) -> int:
    """Has something done for conversations by any process, unless that is to be done already; returns for how many."""
    now = timers.store_time(connection)
    return sum(OFFER.run(connection, key=str(one), now=now) for one in conversations)


def hint(connection: Connection, bot_id: str, place: str, desk_id: int) -> int | None:
    """Has the desk read for a conversation, whose number there is given; returns it. None for one that is not there,
    or another client's."""
    row = FOUND.first(connection, bot_id=bot_id, place=place, desk_id=desk_id)
    if row is None:
        return None
    timers.put(connection, KIND, str(row[0]), datetime.now(UTC), {})
    return int(row[0])


def conversations_at(connection: Connection, bot_id: str, place: str) -> dict[int, int]:
    """A bot's conversations by their numbers at the desk."""
    return {int(desk_id): int(one) for desk_id, one in OF_BOT.rows(connection, bot_id=bot_id, place=place)}


def shown(connection: Connection, conversation_id: int) -> DeskConversation | None:
    """A conversation and where it is at the desk; None when it does not exist, or its user is blocked or erased."""
    row = SHOWN.first(connection, id=conversation_id)
    return None if row is None else DeskConversation(*row)


def is_being_shown(connection: Connection, conversation_id: int) -> bool:
    """Whether a process is writing at the desk what was said in a conversation, or reads it there."""
    now = timers.store_time(connection)
    return HELD.first(connection, key=str(conversation_id), now=now) is not None


def open_at(
    connection: Connection,
    conversation: DeskConversation,
    place: str,
    desk_id: int,
    status: str,
    known_state: ConversationState | None,
    seen_id: int,
) -> None:
    """Records where a conversation is at the desk, and which of our states its status there stands for. Of what was
    said before the last TRANSCRIPT messages are shown. Nothing of a conversation whose user was erased."""
    inbox_from, outbox_from = _beginning(connection, conversation.id)
    if conversation.place is not None:
        WIPE_MESSAGES.run(connection, id=conversation.id)  # at another desk, where nothing of it is
    OPEN.run(
        connection,
        id=conversation.id,
        bot_id=conversation.bot_id,
        place=place,
        desk_id=desk_id,
        status=status,
        known_state=known_state,
        seen_id=seen_id,
        inbox_from=inbox_from,
        outbox_from=outbox_from,
    )


def start_over(connection: Connection, conversation_id: int) -> None:
    """Leaves out what was said before the last TRANSCRIPT messages, for a handoff after another."""
    inbox_from, outbox_from = _beginning(connection, conversation_id)
    START_FROM.run(connection, id=conversation_id, inbox_from=inbox_from, outbox_from=outbox_from)


def _beginning(connection: Connection, conversation_id: int) -> tuple[int, int]:
    """The rows of inbox and outbox after which the last TRANSCRIPT messages come."""
    rows = [
        (at, name, int(row_id))
        for name, statement in (("inbox", LAST_INBOX), ("outbox", LAST_OUTBOX))
        for row_id, at in statement.rows(connection, id=conversation_id, limit=TRANSCRIPT)
    ]
    first = {"inbox": 0, "outbox": 0}
    for name in first:
        kept = [row_id for _, kind, row_id in sorted(rows)[-TRANSCRIPT:] if kind == name]
        known = [row_id for _, kind, row_id in rows if kind == name]
        first[name] = min(kept) - 1 if kept else max(known, default=0)
    return first["inbox"], first["outbox"]


def set_status(connection: Connection, conversation_id: int, status: str, known_state: str | None) -> None:
    """Records a conversation's status at the desk, and which of our states that stands for."""
    SET_STATUS.run(connection, id=conversation_id, status=status, known_state=known_state)


def follow(
    connection: Connection, conversation: DeskConversation, status: str, by: str, resume_seconds: float | None
) -> ConversationState:
    """Follows a change of a conversation's status at the desk; returns whose it is from then on. What its user wrote
    and no operator had read when they last wrote is answered by the assistant that gets it back. `status`: `open` where
    people have it from now on, else as it is there."""
    state = conversation.state
    if status in OF_PEOPLE and state != "human":
        operators.take(connection, conversation.id, _operator(by), resume_seconds, force=True)
        state = "human"
    elif status not in OF_PEOPLE and state == "human":
        (answered,) = ANSWERED.one(connection, id=conversation.id)
        operators.release(connection, conversation.id, _operator(by), force=True, answered_up_to=int(answered))
        state = "assistant"
    set_status(connection, conversation.id, status, state)
    return state


def waiting(connection: Connection, conversation_id: int, limit: int) -> list[UnshownMessage]:
    """Messages that are not at the desk yet, in the order in which they were written."""
    found = [
        UnshownMessage(f"in:{row_id}", at, False, body, load_content(content, body, params), account_sid, None, None)
        for row_id, at, body, params, content, account_sid in WAITING_INBOX.rows(
            connection, id=conversation_id, limit=limit
        )
    ]
    found += [
        UnshownMessage(f"out:{row_id}", at, True, body, None, account_sid, int(row_id), author)
        for row_id, at, body, account_sid, author in WAITING_OUTBOX.rows(connection, id=conversation_id, limit=limit)
    ]
    return sorted(found, key=lambda one: (one.at, one.is_ours))[:limit]


def begin(connection: Connection, conversation_id: int, messages: Iterable[tuple[str, int | None]]) -> set[str]:
    """Records what is about to be written at the desk: keys, with ids of the outbox. Returns those that are to be
    written: the others are there, or may be."""
    now = timestamp()
    return {
        key
        for key, outbox_id in messages
        if SENDING.run(
            connection,
            id=conversation_id,
            key=key,
            outbox_id=outbox_id,
            is_open=int(outbox_id is not None),
            now=now,
        )
    }


def written(
    connection: Connection,
    conversation_id: int,
    ids: Mapping[str, int],
    *,
    doubted: Mapping[str, float] = NOTHING_DOUBTED,
    unwritten: Iterable[str] = (),
) -> None:
    """Records what was written at the desk, by key; what may have been, which is known
    some seconds later (`doubted`); and what was not."""
    for key, desk_id in ids.items():
        THERE.run(connection, id=conversation_id, key=key, desk_id=desk_id)
        if key.startswith("note:"):
            NOTED.run(connection, id=conversation_id, note_at=key.removeprefix("note:"))
    for key, seconds in doubted.items():
        DOUBTED.run(connection, id=conversation_id, key=key, until=later(timestamp(), seconds))
    for key in unwritten:
        DROP_UNSURE.run(connection, id=conversation_id, key=key)


def give_up(connection: Connection, conversation_id: int, key: str, error: str) -> None:
    """Records that the desk does not take a message."""
    GIVEN_UP.run(connection, id=conversation_id, key=key, error=error)
    if key.startswith("note:"):
        NOTED.run(connection, id=conversation_id, note_at=key.removeprefix("note:"))


def unsure(connection: Connection, conversation_id: int) -> list[Unsure]:
    """What was being written at the desk when a process crashed, or an answer was lost."""
    return [Unsure(*row) for row in UNSURE.rows(connection, id=conversation_id)]


def taken_in(connection: Connection, conversation_id: int, after: int) -> set[int]:
    """Ids at the desk of the messages after one that are known: written from here, or taken in."""
    return {int(row[0]) for row in TAKEN_IN.rows(connection, id=conversation_id, after=after)}


def take_in(
    connection: Connection, conversation: DeskConversation, message: FromDesk, resume_seconds: float | None
) -> list[int]:
    """Puts an operator's message into the outbox, once; returns the ids of its rows there, none where it was taken in
    before. The conversation is people's from then on. What WhatsApp would not deliver is recorded as refused."""
    now = timestamp()
    refused = message.refused
    rows: list[int] = []
    keys = [f"desk:{message.id}:{part}" for part in range(max(len(message.parts), 1))]
    state = REFUSED if refused is not None else "there"
    common: dict[str, Any] = {"id": conversation.id, "desk_id": message.id, "now": now}
    if not all(TAKE_IN.run(connection, key=key, state=state, error=refused, **common) for key in keys):
        return []
    if refused is not None:
        return []
    for key, (outbound, item) in zip(keys, message.parts, strict=True):
        try:
            by = _operator(message.author)
            row = operators.reply(
                connection, conversation.id, by, outbound, item, resume_seconds, force=True, cause="desk"
            )
        except WindowClosed:
            REFUSE.run(connection, id=conversation.id, key=key, error=CLOSED_ES)
        else:
            GOES_OUT.run(connection, id=conversation.id, key=key, outbox_id=row.id)
            rows.append(row.id)
    return rows


def see(connection: Connection, conversation_id: int, seen_id: int) -> None:
    """Records up to which id messages at the desk are known."""
    SEEN.run(connection, id=conversation_id, seen_id=seen_id)


def reports(connection: Connection, conversation_id: int) -> list[DeliveryReport]:
    """Deliveries that were not reported at the desk."""
    return [DeliveryReport(*row) for row in REPORTS.rows(connection, id=conversation_id)]


def reported(connection: Connection, conversation_id: int, done: Iterable[DeliveryReport]) -> None:
    """Records that they were."""
    for report in done:
        REPORTED.run(connection, id=conversation_id, key=report.key, status=report.status)


def close_old(connection: Connection) -> int:
    """Reports no more on messages whose outcome is old; returns their number."""
    now = time.time()
    return CLOSE_OLD.run(
        connection, before_ours=timestamp(now - OURS_SECONDS), before_operators=timestamp(now - OPERATORS_SECONDS)
    )


def wipe(connection: Connection, conversation_id: int) -> None:
    """Deletes what is known of a conversation at the desk, whose user is erased. What is there stays there."""
    WIPE_MESSAGES.run(connection, id=conversation_id)
    WIPE.run(connection, id=conversation_id)


def _operator(name: str) -> Actor:
    """Who acts at the desk, as the audit records it."""
    return Actor(name, "desk")


def _as_list(dialect: str, ids: Collection[str]) -> str | Sequence[str]:
    return dump_json(sorted(ids)) if dialect == "sqlite" else sorted(ids)
