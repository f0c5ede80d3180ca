"""What there is about a person in the store, counted or whole. Functions over a connection; they only read.

A count says nothing of what was written. The whole is what a person gets who asks: their conversations, with
what it cost, what was noted that they want, and who read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.content.parts import Media
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.messages import people, person_marks, privacy_requests, receipts, threads, unfinished_erasures
from runtime.store.messages.consents import ConsentRecord, consents_of
from runtime.store.messages.content import load_content
from runtime.store.messages.people import Clients, PersonConversation
from runtime.store.messages.person_marks import Mark
from runtime.store.messages.privacy_requests import PrivacyRequest
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.threads import Thread
from runtime.store.messages.unfinished_erasures import UnfinishedErasure

MANY: Final = 2**31
"""More messages than a conversation has."""


@dataclass(frozen=True, slots=True)
class ConversationCounts:
    """What there is of a person in one conversation; no content."""

    id: int
    client: str
    bot_id: str
    first_at: str | None
    last_at: str | None
    """When they first and last wrote."""
    blocked_at: str | None
    opted_out_at: str | None
    counts: Mapping[str, int]
    """By what it is: messages, files, answers, memory, turns, notes, ledger, reads, addresses."""
    is_at_desk: bool
    is_at_model: bool
    """Whether the model's provider keeps a session or thread of it."""
    is_erased: bool
    """Whether only the way to the rest elsewhere is left."""


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """What there is about a person."""

    addresses: Sequence[str]
    """All of theirs: numbers and WhatsApp's ids."""
    hashes: Sequence[str]
    conversations: Sequence[ConversationCounts]
    lists: int
    """Number of lists (campaigns) that they are on."""
    notices: int
    """Number of messages to them outside of any conversation."""
    marks: Sequence[Mark]
    requests: Sequence[PrivacyRequest]
    receipts: Sequence[PersonReceipt]
    unfinished: Sequence[UnfinishedErasure]
    """Erasures of which something is left elsewhere, which is tried again."""

    @property
    def is_known(self) -> bool:
        """Whether there is anything."""
        return bool(self.conversations or self.lists or self.notices or self.marks or self.requests or self.receipts)


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A file that a person sent."""

    inbox_id: int
    index: int
    conversation_id: int
    bot_id: str
    account_sid: str
    url: str
    content_type: str
    deleted_at: str | None


@dataclass(frozen=True, slots=True)
class ReadOfPerson:
    """A person of the client's or the agency's had to do with a conversation."""

    at: str
    actor: str
    action: str
    conversation_id: int


@dataclass(frozen=True, slots=True)
class UsedForPerson:
    """What a person's conversation used, of one kind."""

    month: str
    kind: str
    quantity: int
    nano_usd: int | None


@dataclass(frozen=True, slots=True)
class WholeConversation:
    """All that there is of a person in one conversation."""

    client: str
    phone: str | None
    opted_out: Mapping[str, str | None]
    """`at`, `list`, `by`, `allowed_again_at`."""
    blocked_at: str | None
    thread: Thread
    memory: Sequence[Mapping[str, Any]]
    """What the assistant remembers: input items of the Responses API."""
    files: Sequence[PersonFile]
    used: Sequence[UsedForPerson]
    reads: Sequence[ReadOfPerson]
    consents: Sequence[ConsentRecord]
    """What they said about a model reading their messages."""


_COUNTS: Final[Mapping[str, str]] = {
    "messages": "SELECT count(*) FROM inbox WHERE conversation_id = :id AND sender <> ''",
    "files": "SELECT count(*) FROM inbox WHERE conversation_id = :id AND content LIKE '%\"url\":%'",
    "answers": "SELECT count(*) FROM outbox WHERE conversation_id = :id",
    "memory": "SELECT count(*) FROM items WHERE conversation_id = :id",
    "turns": "SELECT count(*) FROM turns WHERE conversation_id = :id",
    "notes": "SELECT count(*) FROM conversation_notes WHERE conversation_id = :id",
    "consents": "SELECT count(*) FROM consents WHERE conversation_id = :id",
    "files_to_them": "SELECT count(*) FROM reply_files WHERE conversation_id = :id",
    "addresses": "SELECT count(*) FROM conversation_aliases WHERE conversation_id = :id",
}
_LEDGER = (
    " FROM usage WHERE client = :client AND (inbox_id IN (SELECT id FROM inbox WHERE conversation_id = :id)"
    " OR turn_id IN (SELECT id FROM turns WHERE conversation_id = :id)"
    " OR outbox_id IN (SELECT id FROM outbox WHERE conversation_id = :id))"
)
COUNTS = Statement(f"SELECT {', '.join(f'({sql})' for sql in _COUNTS.values())}, (SELECT count(*){_LEDGER})")
STATE = Statement(
    "SELECT phone, blocked_at, opted_out_at, opted_out_of, opted_out_by, opted_in_at,"
    " (SELECT min(received_at) FROM inbox WHERE conversation_id = conversations.id AND sender <> ''),"
    " (SELECT max(received_at) FROM inbox WHERE conversation_id = conversations.id AND sender <> ''),"
    " (SELECT count(*) FROM desk_conversations WHERE conversation_id = conversations.id) FROM conversations"
    " WHERE id = :id"
)
READS = Statement(
    "SELECT at, actor, action, conversations FROM audit WHERE conversations LIKE '%' || CAST(:id AS TEXT) || '%'"
    " ORDER BY id"
)
FILES = Statement(
    "SELECT id, account_sid, content, body, params FROM inbox WHERE conversation_id = :id AND sender <> ''"
    " AND content LIKE '%\"url\":%' ORDER BY id"
)
MEMORY = Statement("SELECT item FROM items WHERE conversation_id = :id ORDER BY id")
USED = Statement(
    f"SELECT usage.month, usage.kind, sum(usage.quantity), sum(usage.amount){_LEDGER} GROUP BY 1, 2 ORDER BY 1, 2"
)
LISTS = Statement(
    "SELECT bot_id FROM campaign_rows JOIN campaigns ON campaigns.id = campaign_id WHERE recipient = :one"
)
NOTICES = Statement("SELECT coalesce(bot_id, '') FROM outbox WHERE conversation_id IS NULL AND recipient = :one")


def find(connection: Connection, address: str, clients: Clients = None) -> FoundPerson:
    """What there is about the person with an address (`whatsapp:+…`), at these clients or all."""
    person = people.find_person(connection, address, clients)
    hashes = person_marks.hashes_of(connection, person.addresses)
    bots = None if clients is None else set(people.bots_of(connection, clients))
    lists, notices = (
        sum(bots is None or bot in bots for one in person.addresses for (bot,) in statement.rows(connection, one=one))
        for statement in (LISTS, NOTICES)
    )
    marks = person_marks.marks_of(connection, hashes)
    requests = privacy_requests.requests_of(connection, hashes)
    return FoundPerson(
        person.addresses,
        hashes,
        [_counted(connection, one) for one in person.conversations],
        lists,
        notices,
        [one for one in marks if clients is None or one.client in clients or not one.client],
        [one for one in requests if clients is None or one.client in clients],
        [
            one
            for one in receipts.receipts_of(connection, hashes)
            if clients is None or one.document["client"] in (None, *clients)
        ],
        unfinished_erasures.list_unfinished(connection, clients, hashes),
    )


def whole(connection: Connection, conversation_id: int) -> WholeConversation | None:
    """All that there is of a person in a conversation; None where they were erased."""
    thread = threads.thread_of(connection, conversation_id, limit=MANY)
    if thread is None:
        return None
    summary = thread.conversation
    phone, blocked_at, out_at, out_of, out_by, in_at, *_ = STATE.one(connection, id=conversation_id)
    used = USED.rows(connection, client=summary.client, id=conversation_id)
    return WholeConversation(
        summary.client,
        phone,
        {"at": out_at, "list": out_of, "by": out_by, "allowed_again_at": in_at},
        blocked_at,
        thread,
        [json.loads(item) for (item,) in MEMORY.rows(connection, id=conversation_id)],
        _files(connection, conversation_id, summary.bot_id),
        [
            UsedForPerson(month, kind, int(quantity), None if amount is None else int(amount))
            for month, kind, quantity, amount in used
        ],
        reads_of(connection, conversation_id),
        consents_of(connection, conversation_id),
    )


def record_export(
    connection: Connection,
    actor: Actor,
    client: str | None,
    hashes: Sequence[str],
    conversations: Sequence[int],
    facts: Mapping[str, Any],
) -> PersonReceipt:
    """Records that a person was exported, with its receipt."""
    record(connection, actor, Entry("exported", "person", client or "", client, conversations))
    return receipts.issue(connection, action="exported", by=actor.name, client=client, people=hashes, facts=facts)


def reads_of(connection: Connection, conversation_id: int) -> list[ReadOfPerson]:
    """Who read a conversation or acted in it, oldest first."""
    return [
        ReadOfPerson(at, actor, action, conversation_id)
        for at, actor, action, conversations in READS.rows(connection, id=conversation_id)
        if conversation_id in json.loads(conversations)
    ]


def _counted(connection: Connection, conversation: PersonConversation) -> ConversationCounts:
    id_ = conversation.id
    *counts, ledger_rows = COUNTS.one(connection, id=id_, client=conversation.client)
    _, blocked_at, out_at, _, _, in_at, first_at, last_at, desks = STATE.one(connection, id=id_)
    named = dict(zip(_COUNTS, map(int, counts), strict=True))
    named |= {"ledger": int(ledger_rows), "reads": len(reads_of(connection, id_))}
    return ConversationCounts(
        id_,
        conversation.client,
        conversation.bot_id,
        first_at,
        last_at,
        blocked_at,
        out_at if in_at is None else None,
        named,
        bool(desks),
        conversation.thread_id is not None,
        conversation.is_erased,
    )


def _files(connection: Connection, conversation_id: int, bot_id: str) -> list[PersonFile]:
    found = []
    for inbox_id, account_sid, content, body, params in FILES.rows(connection, id=conversation_id):
        media = [part for part in load_content(content, body, params).parts if isinstance(part, Media)]
        for index, part in enumerate(media):
            file = PersonFile(
                inbox_id, index, conversation_id, bot_id, account_sid, part.url, part.content_type, part.deleted_at
            )
            found.append(file)
    return found
