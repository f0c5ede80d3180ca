"""Messages taken in, and the conversation each belongs to. Functions over a connection.

A user is known under one or two addresses: a phone number (`From`) and, since 2026, WhatsApp's business-scoped user id
(`ExternalUserId`), either of which may be missing. Each is an alias that leads to the conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.parts import Content
from runtime.content.rendering import as_text
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import timestamp
from runtime.store.messages.content import dump_content


class InboundMessage(NamedTuple):
    """What Twilio's webhook says about a message."""

    account_sid: str
    message_sid: str
    bot_id: str
    sender: str
    """`From`, verbatim: answers go there."""
    user_key: str
    """`ExternalUserId` where there is one, else `From`."""
    content: Content
    params: str
    """Every parameter that has no column, as JSON: also what `content` does not know of."""


class Taken(NamedTuple):
    """A message on disk."""

    inbox_id: int
    conversation_id: int


ALIASES = Statement(
    "SELECT alias, conversation_id FROM conversation_aliases WHERE bot_id = :bot_id AND alias IN (:user_key, :sender)"
)
PUT_ALIAS = Statement(
    "INSERT INTO conversation_aliases (bot_id, alias, conversation_id) VALUES (:bot_id, :alias, :conversation_id)"
    " ON CONFLICT (bot_id, alias) DO UPDATE SET conversation_id = excluded.conversation_id"
)
ADD_ALIAS = Statement(
    "INSERT INTO conversation_aliases (bot_id, alias, conversation_id) VALUES (:bot_id, :alias, :conversation_id)"
    " ON CONFLICT (bot_id, alias) DO UPDATE SET conversation_id = conversation_aliases.conversation_id"
    " RETURNING conversation_id"
)
ADD_CONVERSATION = Insert(
    "INSERT INTO conversations (bot_id, user_key, profile_name, created_at)"
    " VALUES (:bot_id, :user_key, :profile_name, :now)"
)
DROP_CONVERSATION = Statement("DELETE FROM conversations WHERE id = :id")
USER_KEY = Statement("SELECT user_key FROM conversations WHERE id = :id")
ADOPT_USER_KEY = Statement("UPDATE conversations SET user_key = :user_key WHERE id = :id")
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
WANTED_SINCE = Statement(
    "SELECT count(*) FROM (SELECT state, received_at FROM inbox WHERE conversation_id = (SELECT conversation_id"
    " FROM conversation_aliases WHERE bot_id = :bot_id AND alias = :alias) ORDER BY id DESC LIMIT :limit) AS newest"
    " WHERE received_at > :since AND state <> 'limited'"
)
LAST_INBOUND = Statement(
    "SELECT max(inbox.received_at) FROM conversation_aliases"
    " JOIN inbox ON inbox.conversation_id = conversation_aliases.conversation_id"
    " WHERE conversation_aliases.bot_id = :bot_id AND conversation_aliases.alias = :alias"
)


def take_in(
    connection: Connection, message: InboundMessage, state: Literal["open", "limited"] = "open"
) -> Taken | None:
    """Stores a message; None when it is here already (Twilio delivers some twice)."""
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
        # Nearly every message is the next one of a user with one address: one statement for those.
        known = ADD_MESSAGE_OF_KNOWN.first(connection, **values)
        if known is not None:
            return Taken(*known)
    conversation_id = conversation_of(
        connection, message.bot_id, message.user_key, message.sender, message.content.profile_name
    )
    inbox_id = ADD_MESSAGE.run(connection, conversation_id=conversation_id, **values)
    return None if inbox_id is None else Taken(inbox_id, conversation_id)


def take_in_all(connection: Connection, messages: Sequence[InboundMessage]) -> list[Taken | None]:
    """Stores messages in their order, as `take_in` does each."""
    return [take_in(connection, message) for message in messages]


def unseen(connection: Connection, account_sid: str, message_sids: Sequence[str]) -> set[str]:
    """Which of an account's messages were never taken in."""
    seen = (SEEN.first(connection, account_sid=account_sid, message_sid=sid) for sid in message_sids)
    return {sid for sid, row in zip(message_sids, seen, strict=True) if row is None}


def conversation_of(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None = None
) -> int:
    """The conversation of a bot with a user, made when it is their first message."""
    found: dict[str, int] = dict(ALIASES.rows(connection, bot_id=bot_id, user_key=user_key, sender=sender))
    known = found.get(user_key)
    if known is None and sender in found:
        (holder,) = USER_KEY.one(connection, id=found[sender])
        # A number that already has another user id has changed hands: the new owner must not see the old one's talk.
        if holder == sender:
            known = found[sender]
            ADOPT_USER_KEY.run(connection, id=known, user_key=user_key)
    if known is None:
        return _begin_conversation(connection, bot_id, user_key, sender, profile_name)
    for alias in {user_key, sender}:
        if found.get(alias) != known:
            PUT_ALIAS.run(connection, bot_id=bot_id, alias=alias, conversation_id=known)
    return known


def open_conversations(connection: Connection) -> list[int]:
    """Conversations with a message that nobody has answered, the longest waiting first."""
    return [row[0] for row in OPEN_CONVERSATIONS.rows(connection)]


def wanted_since(connection: Connection, bot_id: str, alias: str, since: str, limit: int) -> int:
    """How many of a user's newest `limit` messages to a bot came after a moment and were not too many."""
    (count,) = WANTED_SINCE.one(connection, bot_id=bot_id, alias=alias, since=since, limit=limit)
    return int(count)


def last_inbound(connection: Connection, bot_id: str, alias: str) -> str | None:
    """When the user last wrote to the bot: WhatsApp lets a business write freely for 24 hours from then."""
    (moment,) = LAST_INBOUND.one(connection, bot_id=bot_id, alias=alias)
    return None if moment is None else str(moment)


def _begin_conversation(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None
) -> int:
    made = ADD_CONVERSATION.one(
        connection, bot_id=bot_id, user_key=user_key, profile_name=profile_name, now=timestamp()
    )
    # Two first messages may come at once; the alias that is there first decides for both.
    (winner,) = ADD_ALIAS.one(connection, bot_id=bot_id, alias=user_key, conversation_id=made)
    if winner != made:
        DROP_CONVERSATION.run(connection, id=made)
    elif sender != user_key:
        PUT_ALIAS.run(connection, bot_id=bot_id, alias=sender, conversation_id=made)
    return int(winner)
