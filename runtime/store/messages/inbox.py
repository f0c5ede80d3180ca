"""Received messages, each once. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.opting import Opting, may_opt_out
from runtime.content.parts import Content
from runtime.content.rendering import as_text
from runtime.store.database.statement import Insert, Statement, pipelined
from runtime.store.database.times import timestamp
from runtime.store.messages import conversations, handoffs, opt_outs
from runtime.store.messages.content import dump_content
from runtime.store.messages.conversations import OptedBy, user_of
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_to_outbox
from runtime.store.messages.turns import remember
from runtime.store.usage import ledger
from runtime.store.usage.ledger import MessagePrices

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
    number: str = ""
    """The bot's, in E.164."""
    prices: MessagePrices | None = None
    """Of what Twilio charges for it; None: it is not added to the ledger."""
    opting: Opting | None = None
    """What its user asks for with it, where it says nothing else."""
    opted_by: OptedBy = "word"
    is_discarded_if_blocked: bool = False
    """Whether nothing of it is kept where its user is blocked (`data.blocked: discard`), but that it came."""


class StoredMessage(NamedTuple):
    """A message on disk."""

    inbox_id: int
    conversation_id: int
    has_new_number: bool = False
    """Whether WhatsApp showed another number of the user's before."""


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
    " FROM conversation_aliases WHERE bot_id = :bot_id AND alias = :sender FOR KEY SHARE"
    " ON CONFLICT (account_sid, message_sid) DO NOTHING RETURNING id, conversation_id"
)
"""On PostgreSQL only. An erasure detaches the address first, and waits for those who store a message under it: it finds
the message, or the message finds another conversation."""
DISCARD = Statement(
    "UPDATE inbox SET sender = '', body = '', params = '{}', content = NULL, state = 'dropped' WHERE id = :id"
)
SEEN = Statement("SELECT 1 FROM inbox WHERE account_sid = :account_sid AND message_sid = :message_sid")
# Materialized, since SQLite would group all messages of the store by an index, and look at each for its state.
OPEN_CONVERSATIONS = Statement(
    "WITH open AS MATERIALIZED (SELECT id, conversation_id FROM inbox WHERE state = 'open')"
    " SELECT conversation_id FROM open GROUP BY conversation_id ORDER BY min(id)"
)


@pipelined
def store_message(connection: Connection, message: InboundMessage, state: InboxState = "open") -> StoredMessage | None:
    """Stores a message, what it costs, and whether its user opts out or in with it or comes from an ad; None for a
    duplicate (Twilio delivers some twice)."""
    now = timestamp()
    stored = _store(connection, message, state, now)
    if stored is None:
        return None
    if message.opting is not None:
        conversations.record_opting(connection, stored.conversation_id, message.opting, message.opted_by, now)
    elif may_opt_out(message.content) and _comes_after_marketing(connection, stored, message.content):
        conversations.record_opting(connection, stored.conversation_id, "out", "word", now)
    if message.is_discarded_if_blocked and conversations.blocked_since(connection, stored.conversation_id) is not None:
        DISCARD.run(connection, id=stored.inbox_id)
    elif message.content.referral is not None:
        conversations.record_referral(connection, stored.conversation_id)
    if message.prices is not None:
        ledger.add_message_in(
            connection, message.prices, bot_id=message.bot_id, number=message.number, inbox_id=stored.inbox_id, at=now
        )
    return stored


def _comes_after_marketing(connection: Connection, stored: StoredMessage, content: Content) -> bool:
    quoted = content.quoted.message_sid if content.quoted is not None else None
    return opt_outs.comes_after_marketing(connection, stored.conversation_id, stored.inbox_id, quoted)


def _store(connection: Connection, message: InboundMessage, state: InboxState, now: str) -> StoredMessage | None:
    values = {
        "account_sid": message.account_sid,
        "message_sid": message.message_sid,
        "bot_id": message.bot_id,
        "sender": message.sender,
        "body": as_text(message.content),
        "params": message.params,
        "content": dump_content(message.content),
        "state": state,
        "now": now,
    }
    if message.user_key == message.sender and connection.dialect.name != "sqlite":
        # Nearly every message is a further one of a user with one address. For those PostgreSQL is asked once; SQLite
        # takes longer for one statement with RETURNING than for two.
        row = ADD_MESSAGE_OF_KNOWN.first(connection, **values)
        if row is not None:
            return StoredMessage(*row)
    user = user_of(connection, message.bot_id, message.user_key, message.sender, message.content.profile_name)
    inbox_id = ADD_MESSAGE.run(connection, conversation_id=user.conversation_id, **values)
    return None if inbox_id is None else StoredMessage(inbox_id, user.conversation_id, user.has_new_number)


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
    of_notice: Sequence[tuple[str, int]] = (),
) -> tuple[StoredMessage | None, OutboxRow | None]:
    """Stores a message that is not answered, with its items of the memory and the notice to its user with its own, in
    its conversation; nothing for a duplicate, neither of a person who is blocked, and no notice where
    people have the conversation."""
    taken = store_message(connection, message, "limited")
    if taken is None:
        return None, None
    if conversations.blocked_since(connection, taken.conversation_id) is not None:
        return taken, None
    remember(connection, taken.conversation_id, items)
    if notice is None or handoffs.has_person(connection, taken.conversation_id):
        return taken, None
    remember(connection, taken.conversation_id, of_notice)
    is_after_ad = conversations.reply_after_ad(
        connection, taken.conversation_id, *conversations.ad_state(connection, taken.conversation_id)
    )
    located = replace(notice, conversation_id=taken.conversation_id)
    return taken, add_to_outbox(connection, located, is_after_ad=is_after_ad)


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
