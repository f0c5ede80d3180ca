"""Received messages, each once. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.opting import opting_of
from runtime.content.parts import Content
from runtime.content.rendering import as_text
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import timestamp
from runtime.store.messages import conversations
from runtime.store.messages.content import dump_content
from runtime.store.messages.conversations import conversation_of
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_to_outbox
from runtime.store.messages.turns import remember

InboxState = Literal["open", "limited", "answered"]
"""To be answered, stored only, or answered before this store was restored from a backup."""


class InboundMessage(NamedTuple):
    """An inbound message from Twilio's webhook."""

    account_sid: str
    message_sid: str
    bot_id: str
    sender: str
    """`From`, verbatim: answers go there."""
    user_key: str
    """`ExternalUserId` where there is one, else `From`."""
    content: Content
    params: str
    """Every parameter without a column, as JSON: also those that are not in `content`."""


class StoredMessage(NamedTuple):
    """A message on disk."""

    inbox_id: int
    conversation_id: int


ADD_MESSAGE = Insert(
    "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, content, state,"
    " received_at)"
    " VALUES (:account_sid, :message_sid, :bot_id, :conversation_id, :sender, :body, :params, :content, :state, :now)"
    " ON CONFLICT (account_sid, message_sid) DO NOTHING"
)
ADD_MESSAGE_OF_KNOWN = Statement(
    "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, content, state,"
    " received_at)"
    " SELECT :account_sid, :message_sid, bot_id, conversation_id, :sender, :body, :params, :content, :state, :now"
    " FROM conversation_aliases WHERE bot_id = :bot_id AND alias = :sender"
    " ON CONFLICT (account_sid, message_sid) DO NOTHING RETURNING id, conversation_id"
)
SEEN = Statement("SELECT 1 FROM inbox WHERE account_sid = :account_sid AND message_sid = :message_sid")
OPEN_CONVERSATIONS = Statement(
    "SELECT conversation_id FROM inbox WHERE state = 'open' GROUP BY conversation_id ORDER BY min(id)"
)


def store_message(connection: Connection, message: InboundMessage, state: InboxState = "open") -> StoredMessage | None:
    """Stores a message, and whether its user opts out or in with it; None for a duplicate (Twilio delivers some
    twice)."""
    stored = _store(connection, message, state)
    if stored is not None and (opting := opting_of(message.content)) is not None:
        conversations.record_opting(connection, stored.conversation_id, opting)
    return stored


def _store(connection: Connection, message: InboundMessage, state: InboxState) -> StoredMessage | None:
    values = {
        "account_sid": message.account_sid,
        "message_sid": message.message_sid,
        "bot_id": message.bot_id,
        "sender": message.sender,
        "body": as_text(message.content),
        "params": message.params,
        "content": dump_content(message.content),
        "state": state,
        "now": timestamp(),
    }
    if message.user_key == message.sender:
        # Nearly every message is a further one of a user with one address: one statement for those.
        known = ADD_MESSAGE_OF_KNOWN.first(connection, **values)
        if known is not None:
            return StoredMessage(*known)
    conversation_id = conversation_of(
        connection, message.bot_id, message.user_key, message.sender, message.content.profile_name
    )
    inbox_id = ADD_MESSAGE.run(connection, conversation_id=conversation_id, **values)
    return None if inbox_id is None else StoredMessage(inbox_id, conversation_id)


def store_messages(
    connection: Connection, messages: Sequence[InboundMessage], state: InboxState = "open"
) -> list[StoredMessage | None]:
    """Stores messages in their order, as `store_message` does each."""
    return [store_message(connection, message, state) for message in messages]


def store_limited(
    connection: Connection,
    message: InboundMessage,
    items: Sequence[tuple[str, int]],
    notice: OutboundMessage | None = None,
) -> tuple[StoredMessage | None, OutboxRow | None]:
    """Stores a message that is not answered, with its items of the memory and the notice to its user, in its
    conversation; nothing for a duplicate."""
    taken = store_message(connection, message, "limited")
    if taken is None:
        return None, None
    remember(connection, taken.conversation_id, items)
    if notice is None:
        return taken, None
    return taken, add_to_outbox(connection, replace(notice, conversation_id=taken.conversation_id))


def store_all_limited(
    connection: Connection, messages: Sequence[tuple[InboundMessage, Sequence[tuple[str, int]]]]
) -> list[StoredMessage | None]:
    """Stores messages with their items in their order, as `store_limited` does each without a notice."""
    return [store_limited(connection, message, items)[0] for message, items in messages]


def unseen(connection: Connection, account_sid: str, message_sids: Sequence[str]) -> set[str]:
    """Which of an account's messages are not in the inbox."""
    seen = (SEEN.first(connection, account_sid=account_sid, message_sid=sid) for sid in message_sids)
    return {sid for sid, row in zip(message_sids, seen, strict=True) if row is None}


def open_conversations(connection: Connection) -> list[int]:
    """Conversations with an unanswered message, the longest waiting first."""
    return [row[0] for row in OPEN_CONVERSATIONS.rows(connection)]
