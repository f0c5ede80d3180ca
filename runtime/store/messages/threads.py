"""A conversation as people read it: what was said by whom, how its messages are on their way, what functions did.
Functions over a connection; nothing here is on the way of a message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Connection

from runtime.content.parts import Media
from runtime.content.rendering import as_text
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement, pipelined
from runtime.store.database.times import later
from runtime.store.database.traces import leave
from runtime.store.delivery_errors import in_words
from runtime.store.messages.content import load_content
from runtime.store.messages.conversations import WINDOW_SECONDS, ConversationState

KIND = "conversation"
"""Of the audit's rows."""


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in a list."""

    id: int
    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was made by hand."""
    user: str
    """WhatsApp's id of the user where it is known, else their address; empty when they were erased."""
    name: str | None
    """As they call themselves."""
    state: ConversationState
    since: str | None
    by: str | None
    """Who set the state."""
    reason: str | None
    until: str | None
    """From then on the assistant answers again."""
    operator: str | None
    """The person who has taken it."""
    operator_at: str | None
    """When a person last wrote."""
    summary: str | None
    """What the assistant said about it as it handed it over."""
    consent: str | None
    """What they last said about a model reading their messages, and when, as `yes since 2026-11-29T12:00:00.000Z`."""
    last_inbound: str | None
    """When the user last wrote."""
    is_waiting: bool
    """Whether people have it and have not answered since."""
    unread: int
    """Number of the user's messages that no person has read."""
    newest: int
    """The user's newest message: its id. The list is in its order, and pages by it."""
    blocked_at: str | None
    """Since when nothing of the user is processed."""
    window_refused_at: str | None
    """When WhatsApp last refused free text to the user as too late: its clock counts."""

    @property
    def window_until(self) -> str | None:
        """Until when WhatsApp delivers free text to the user; None: they have never written, or it was refused since
        they last did."""
        if self.last_inbound is None or (self.window_refused_at or "") > self.last_inbound:
            return None
        return later(self.last_inbound, WINDOW_SECONDS)


@dataclass(frozen=True, slots=True)
class ThreadFile:
    """A file of a user's message, at /conversations/{id}/media/{n}?file={index}."""

    index: int
    content_type: str
    transcript: str | None
    deleted_at: str | None
    """When it was deleted at Twilio, as `data.retention.media` says; None as long as we have not."""


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a conversation."""

    id: int
    """In the inbox or the outbox."""
    direction: Literal["in", "out"]
    author: str
    """`user`, `assistant`, `notice` (a program's), or the person's name."""
    text: str
    at: str
    state: str
    """In: open, answered, unanswered, …; out: ready, sending, sent, failed, withheld, …"""
    status: str | None
    """Twilio's, of one that was sent."""
    reason: str | None
    """In: why it was not answered, in one word. Out: why it was not sent or delivered."""
    error_code: str | None
    files: Sequence[ThreadFile]
    turn: int | None


@dataclass(frozen=True, slots=True)
class ThreadCall:
    """A call of a function."""

    turn: int | None
    name: str
    arguments: str
    output: str | None
    at: str


@dataclass(frozen=True, slots=True)
class ThreadNote:
    """What a person noted for others."""

    id: int
    at: str
    author: str
    body: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation, its newest messages, oldest first."""

    conversation: ConversationSummary
    messages: Sequence[ThreadMessage]
    calls: Sequence[ThreadCall]
    notes: Sequence[ThreadNote]
    cost_nano_usd: int
    """What these messages cost so far, as far as prices are known."""


_NEWEST = "(SELECT max(id) FROM inbox WHERE conversation_id = conversations.id AND sender <> '')"
_SUMMARY = (
    "conversations.id, conversations.bot_id, coalesce(bots.client, conversations.bot_id), user_key,"  # noqa: S608
    " coalesce(rectified_name, profile_name),"
    " conversations.state, state_since, state_by, state_reason, state_until, operator, operator_at, state_summary,"
    " consent,"
    f" (SELECT received_at FROM inbox WHERE id = {_NEWEST}), (SELECT count(*) FROM inbox"
    " WHERE conversation_id = conversations.id AND sender <> '' AND id > coalesce(seen_up_to, 0)), blocked_at,"
    " window_refused_at"
)
_BOTS = " LEFT JOIN bots ON bots.id = conversations.bot_id"
_WANTED = (
    " AND (CAST(:clients AS text) = '' OR replace(CAST(:clients AS text), ' ' || coalesce(bots.client,"
    " conversations.bot_id) || ' ', '') <> CAST(:clients AS text))"
)
_PEOPLE = (
    " AND inbox.received_at >= :since AND inbox.received_at < :sooner"
    f" AND (:waiting = 0 OR conversations.state = 'human' AND conversations.blocked_at IS NULL"
    f" AND {_NEWEST} IS NOT NULL AND coalesce(operator_at, '')"
    " < CASE WHEN coalesce(state_since, '') > inbox.received_at THEN state_since ELSE inbox.received_at END)"
    " AND (:unread = 0 OR inbox.id > coalesce(seen_up_to, 0))"
)
_LAST_OF_EACH = (
    # `+ 0`: SQLite would look at every conversation first, and order them, instead of reading back from the newest
    # message as far as the page goes.
    f"SELECT {_SUMMARY}, inbox.id FROM inbox JOIN conversations ON conversations.id = inbox.conversation_id + 0{_BOTS}"  # noqa: S608
    " WHERE inbox.id < :before AND inbox.sender <> '' AND NOT EXISTS (SELECT 1 FROM inbox AS later"
    " WHERE later.conversation_id = inbox.conversation_id AND later.id > inbox.id AND later.sender <> '')"
    f" AND (:state = '' OR conversations.state = :state){_PEOPLE}"
)
NEWEST_FIRST = Statement(f"{_LAST_OF_EACH}{_WANTED} ORDER BY inbox.id DESC LIMIT :limit")
NEWEST_OF_BOT = Statement(
    f"{_LAST_OF_EACH} AND inbox.bot_id = :bot_id AND inbox.received_at <= :until ORDER BY inbox.received_at DESC"
    " LIMIT :limit"
)
"""Reads back in the messages of one bot, which may be few among those of all."""
BOTS_OF_CLIENTS = Statement("SELECT id, coalesce(client, id) FROM bots")
RECEIVED_AT = Statement("SELECT received_at FROM inbox WHERE id = :id")
OF_STATE = Statement(
    f"SELECT {_SUMMARY}, inbox.id FROM conversations JOIN inbox ON inbox.id = {_NEWEST}{_BOTS}"  # noqa: S608
    " WHERE conversations.state <> 'assistant' AND conversations.state = :state AND inbox.id < :before"
    f"{_WANTED}{_PEOPLE} ORDER BY inbox.id DESC LIMIT :limit"
)
ONE = Statement(
    f"SELECT {_SUMMARY}, coalesce({_NEWEST}, 0) FROM conversations{_BOTS} WHERE conversations.id = :id"  # noqa: S608
)
RECEIVED = Statement(
    "SELECT inbox.id, received_at, content, body, params, inbox.state, turns.reason, inbox.turn_id FROM inbox"
    " LEFT JOIN turns ON turns.id = inbox.turn_id WHERE inbox.conversation_id = :id AND received_at < :before"
    " AND sender <> '' ORDER BY inbox.id DESC LIMIT :limit"
)
SENT = Statement(
    "SELECT outbox.id, created_at, body, outbox.state, status, outbox.error, error_code, author, turn_id"
    " FROM outbox WHERE conversation_id = :id AND created_at < :before ORDER BY id DESC LIMIT :limit"
)
CALLS = Statement(
    "SELECT item, turn_id, created_at FROM items WHERE conversation_id = :id AND created_at >= :since"
    " AND created_at <= :until AND item LIKE '%\"function_call%' ORDER BY id"
)
NOTES = Statement("SELECT id, at, author, body FROM conversation_notes WHERE conversation_id = :id ORDER BY id")
COST = Statement(
    "SELECT coalesce(sum(amount), 0) FROM usage WHERE client = :client AND (month, at) >= (:since, :from_at)"
    " AND month <= :until"
    " AND (inbox_id IN (SELECT id FROM inbox WHERE conversation_id = :id AND received_at >= :first)"
    " OR turn_id IN (SELECT id FROM turns WHERE conversation_id = :id AND started_at >= :first)"
    " OR outbox_id IN (SELECT id FROM outbox WHERE conversation_id = :id AND created_at >= :first))"
)
SEEN = Statement("UPDATE conversations SET seen_up_to = :newest WHERE id = :id AND coalesce(seen_up_to, 0) < :newest")
LEDGER_SECONDS = 3600.0
"""How much earlier than its message a line of the ledger may be dated: by another replica's clock."""
FEW_CLIENTS = 20
"""Of more clients than that the newest conversations are looked for among those of all."""
LAST = 2**62
"""Above every id."""


def ledger_begins(first: str) -> str:
    """From when on the ledger has the lines of messages since a timestamp."""
    return later(first, -LEDGER_SECONDS) if first else ""


def list_conversations(
    connection: Connection,
    *,
    clients: Sequence[str] | None = None,
    state: ConversationState | None = None,
    waiting: bool = False,
    unread: bool = False,
    before: int = LAST,
    limit: int = 100,
    since: str = "",
    until: str = "9999",
) -> list[ConversationSummary]:
    """Conversations in which the user has written, the newest message first; `before`: the `newest` of the last one of
    the page before. Of these clients, or of all. `since`, `until`: when the user last wrote, as text of `timestamp`; of
    a few clients only, since all messages after that time are looked at."""
    only = "human" if waiting and state is None else state
    asked = {
        "waiting": int(waiting),
        "unread": int(unread),
        "before": before,
        "limit": limit,
        "state": only or "",
        "since": since,
        "sooner": until,
    }
    if clients is not None and len(clients) <= FEW_CLIENTS and only in (None, "assistant"):
        return _newest_of(connection, clients, asked)
    wanted = "" if clients is None else f" {'  '.join(clients)} "
    statement = NEWEST_FIRST if only in (None, "assistant") else OF_STATE
    return [_summary(row) for row in statement.rows(connection, clients=wanted, **asked)]


def _newest_of(connection: Connection, clients: Sequence[str], asked: Mapping[str, Any]) -> list[ConversationSummary]:
    """As `list_conversations`, bot by bot. A conversation of a bot that was deleted has its id for a client."""
    bots = {bot_id for bot_id, client in BOTS_OF_CLIENTS.rows(connection) if client in clients} | set(clients)
    last = RECEIVED_AT.first(connection, id=asked["before"])
    until = "9999" if last is None else last[0]
    rows = [row for bot in bots for row in NEWEST_OF_BOT.rows(connection, bot_id=bot, until=until, **asked)]
    found = [summary for row in rows if (summary := _summary(row)).client in clients]
    return sorted(found, key=lambda one: -one.newest)[: asked["limit"]]


@pipelined
def summary_of(connection: Connection, conversation_id: int) -> ConversationSummary | None:
    """One conversation; None when it does not exist, or its user was erased."""
    row = ONE.first(connection, id=conversation_id)
    return None if row is None or not row[3] else _summary(row)


def thread_of(connection: Connection, conversation_id: int, *, limit: int = 100, before: str = "9999") -> Thread | None:
    """A conversation with its newest `limit` messages before a timestamp; None as in `summary_of`."""
    summary = summary_of(connection, conversation_id)
    if summary is None:
        return None
    rows = {"id": conversation_id, "before": before, "limit": limit}
    both = [
        *map(received_message, RECEIVED.rows(connection, **rows)),
        *map(sent_message, SENT.rows(connection, **rows)),
    ]
    messages = sorted(both, key=lambda message: (message.at, message.direction, message.id))[-limit:]
    first, last = (messages[0].at, messages[-1].at) if messages else ("", "")
    calls = CALLS.rows(connection, id=conversation_id, since=first, until="9999" if before == "9999" else last)
    from_at = ledger_begins(first)
    months = {"since": from_at[:7], "until": last[:7]}
    (cost,) = COST.one(connection, client=summary.client, from_at=from_at, first=first, id=conversation_id, **months)
    notes = [ThreadNote(*row) for row in NOTES.rows(connection, id=conversation_id)]
    return Thread(summary, messages, list(calls_of(calls)), notes, int(cost))


def listed_by(connection: Connection, /, actor: Actor, **filters: Any) -> list[ConversationSummary]:
    """As `list_conversations`, for a person: recorded in the audit, for each client."""
    found = list_conversations(connection, **filters)
    by_client = groupby(sorted(found, key=attrgetter("client", "id")), attrgetter("client"))
    of_clients = [(client, [conversation.id for conversation in some]) for client, some in by_client]
    record(
        connection,
        actor,
        *(Entry("read", KIND, client, client, ids, [f"{len(ids)} conversations"]) for client, ids in of_clients),
    )
    return found


def read_by(
    connection: Connection, actor: Actor, conversation_id: int, *, limit: int = 100, before: str = "9999"
) -> Thread | None:
    """As `thread_of`, for a person: it counts as read from now on, and is recorded in the audit."""
    thread = thread_of(connection, conversation_id, limit=limit, before=before)
    if thread is not None:
        if thread.conversation.unread:
            leave(connection, partial(_mark_seen, id_=conversation_id, newest=thread.conversation.newest))
        client, what = thread.conversation.client, [f"conversation {conversation_id}"]
        record(connection, actor, Entry("read", KIND, client, client, [conversation_id], what))
    return thread


def _mark_seen(connection: Connection, id_: int, newest: int) -> None:
    SEEN.do(connection, id=id_, newest=newest)


def _summary(row: Sequence[Any]) -> ConversationSummary:
    *fields, last_inbound, unread, blocked_at, refused_at, newest = row
    state, since, operator_at = fields[5], fields[6], fields[11]
    is_human = state == "human" and blocked_at is None
    is_waiting = is_human and (operator_at or "") < max(since or "", last_inbound or "")
    if fields[-1] is not None:
        said, _, at = fields[-1].split(" ")
        fields[-1] = f"{said} since {at}"
    values = [*fields, last_inbound, is_waiting, int(unread), int(newest), blocked_at, refused_at]
    return ConversationSummary(*values)


def received_message(row: Sequence[Any]) -> ThreadMessage:
    """A row of RECEIVED."""
    inbox_id, at, content, body, params, state, reason, turn = row
    said = load_content(content, body, params)
    media = [part for part in said.parts if isinstance(part, Media)]
    files = [
        ThreadFile(index, part.content_type, part.text or None, part.deleted_at) for index, part in enumerate(media)
    ]
    return ThreadMessage(inbox_id, "in", "user", as_text(said), at, state, None, reason, None, files, turn)


def sent_message(row: Sequence[Any]) -> ThreadMessage:
    """A row of SENT."""
    outbox_id, at, body, state, status, error, code, author, turn = row
    by = author or ("assistant" if turn is not None else "notice")
    return ThreadMessage(outbox_id, "out", by, body, at, state, status, in_words(code) or error, code, (), turn)


def calls_of(rows: Sequence[Sequence[Any]]) -> Iterator[ThreadCall]:
    """The calls among rows of CALLS, with their results."""
    items = [(json.loads(item), turn, at) for item, turn, at in rows]
    outputs = {
        item["call_id"]: item.get("output") for item, _, _ in items if item.get("type") == "function_call_output"
    }
    for item, turn, at in items:
        if item.get("type") == "function_call":
            yield ThreadCall(turn, item["name"], item["arguments"], outputs.get(item["call_id"]), at)
