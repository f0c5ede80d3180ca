"""What there is of a client in the store, to give it back at the end. Functions over a connection; they only read.

People who are blocked are left out, with all of theirs, and counted: their data is not treated. What they cost stays in
the ledger's rows, which lead to no one here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import catalog
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.messages import people, privacy_requests, receipts
from runtime.store.messages.privacy_requests import PrivacyRequest
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.records import AssistantRecord, BotRecord
from schemas.addresses import number_of

PAGE: Final = 5_000
"""Rows of the ledger, or of the audit, that are read together."""


@dataclass(frozen=True, slots=True)
class ClientCopies:
    """What there is of a client beside conversations, ledger and audit."""

    bots: Sequence[Mapping[str, Any]]
    assistants: Sequence[Mapping[str, Any]]
    conversation_ids: Sequence[int]
    """Those of people who are not blocked, oldest first."""
    left_out: int
    """Number of conversations that are left out, since their person is blocked."""
    campaigns: Sequence[Mapping[str, Any]]
    requests: Sequence[PrivacyRequest]
    receipts: Sequence[PersonReceipt]


CONVERSATIONS = Statement(
    "SELECT id FROM conversations WHERE bot_id = :bot_id AND user_key <> '' AND blocked_at IS NULL ORDER BY id"
)
LEFT_OUT = Statement("SELECT count(*) FROM conversations WHERE bot_id = :bot_id AND blocked_at IS NOT NULL")
ALIASES = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id ORDER BY alias")
CAMPAIGNS = Statement(
    "SELECT id, template, basis, created_by, created_at, state FROM campaigns WHERE bot_id = :bot_id"
    " ORDER BY created_at"
)
PEOPLE_OF_CAMPAIGN = Statement(
    "SELECT recipient, state, coalesce(reason, '') FROM campaign_rows WHERE campaign_id = :id AND NOT EXISTS"
    " (SELECT 1 FROM conversation_aliases JOIN conversations ON conversations.id = conversation_id"
    " WHERE alias = recipient AND conversations.bot_id = :bot_id AND blocked_at IS NOT NULL) ORDER BY line"
)
USAGE = Statement(
    "SELECT usage.id, usage.at, usage.month, usage.kind, usage_prices.model, usage.quantity, usage.amount"
    " FROM usage JOIN usage_prices ON usage_prices.id = usage.price_id"
    " WHERE usage.client = :client AND usage.id > :after ORDER BY usage.id LIMIT :limit"
)
AUDIT = Statement(
    "SELECT id, at, actor, via, action, kind, object_id FROM audit WHERE client = :client AND id > :after"
    " ORDER BY id LIMIT :limit"
)


def copies_of(connection: Connection, client: str) -> ClientCopies | None:
    """What there is of a client; None where there is no such client."""
    bots = people.bots_of(connection, [client])
    rows = {bot_id: [int(row[0]) for row in CONVERSATIONS.rows(connection, bot_id=bot_id)] for bot_id in bots}
    left_out = sum(int(LEFT_OUT.one(connection, bot_id=bot_id)[0]) for bot_id in bots)
    records = catalog.bots_of_client(connection, client)
    asked = privacy_requests.list_requests(connection, [client])
    if not records and not any(rows.values()) and not left_out and not asked and not usage_of(connection, client, 0):
        return None
    found = [catalog.get_assistant(connection, bot.assistant_id) for bot in records if bot.assistant_id is not None]
    return ClientCopies(
        [_document(bot) for bot in records],
        [_document(one) for one in found if one is not None],
        sorted(id_ for ids in rows.values() for id_ in ids),
        left_out,
        [campaign for bot_id in bots for campaign in _campaigns(connection, bot_id)],
        asked,
        receipts.receipts_of_client(connection, client),
    )


def addresses_of(connection: Connection, conversation_id: int) -> list[str]:
    """The numbers and WhatsApp's ids that lead to a conversation."""
    return [number_of(alias) for (alias,) in ALIASES.rows(connection, id=conversation_id)]


def usage_of(connection: Connection, client: str, after: int) -> list[tuple[Any, ...]]:
    """Rows of the ledger after an id: id, at, month, kind, model, quantity, amount."""
    return USAGE.rows(connection, client=client, after=after, limit=PAGE)


def audit_of(connection: Connection, client: str, after: int) -> list[tuple[Any, ...]]:
    """Rows of the audit after an id: id, at, actor, via, action, kind, object."""
    return AUDIT.rows(connection, client=client, after=after, limit=PAGE)


def record_export(
    connection: Connection, actor: Actor, client: str, conversations: Sequence[int], facts: Mapping[str, Any]
) -> PersonReceipt:
    """Records that a client was exported, with its receipt."""
    record(connection, actor, Entry("exported", "client", client, client, conversations))
    return receipts.issue(connection, action="handed_back", by=actor.name, client=client, people=(), facts=facts)


def _campaigns(connection: Connection, bot_id: str) -> list[dict[str, Any]]:
    names = ("id", "template", "basis", "created_by", "created_at", "state")
    return [
        {
            **dict(zip(names, row, strict=True)),
            "people": [
                {"recipient": number_of(recipient), "state": state, "reason": reason or None}
                for recipient, state, reason in PEOPLE_OF_CAMPAIGN.rows(connection, id=row[0], bot_id=bot_id)
            ],
        }
        for row in CAMPAIGNS.rows(connection, bot_id=bot_id)
    ]


def _document(entry: BotRecord | AssistantRecord) -> dict[str, Any]:
    """A record as JSON; secrets are names of variables, never values."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(entry), default=dict))
    return document
