"""Conversations: one user of one bot, its state, and the addresses that lead to it. Functions over a connection.

    assistant ◄──► human        who answers; with since when, by whom, why and until when
        ▲            │
        └── closed ◄─┘          no answer is due, until the user writes again

A user is known under one or two addresses: a phone number (`From`) and, since 2026, WhatsApp's business-scoped user id
(`ExternalUserId`), either of which may be missing. Each is an alias that leads to the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import timestamp

ConversationState = Literal["assistant", "human", "closed"]

FORGOTTEN = "forgotten:"
"""Prefix of the alias of an erased conversation, which no message matches. Its id and the address follow."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in the store."""

    id: int
    bot_id: str
    user_key: str
    """WhatsApp's id of the user where it is known, else `From`; empty when the user was erased."""
    profile_name: str | None
    thread_id: str | None
    """The provider's thread or session, with the engines `assistants` and `agents`."""
    state: ConversationState
    """Who answers."""
    state_since: str | None
    """None: since it began."""
    state_by: str | None
    """Who set it, as recorded in the audit."""
    state_reason: str | None
    state_until: str | None
    """Timestamp from which the assistant answers again; None: until the state is set again."""
    loop_since: str | None = None
    """When it was last found to be a loop between programs; it is not answered for LOOP_PAUSE_SECONDS from then."""
    fallback_at: str | None = None
    """When the user last got the fallback message, without an answer since."""


COLUMNS = (
    "conversations.id, conversations.bot_id, user_key, profile_name, thread_id, conversations.state, state_since,"
    " state_by, state_reason, state_until, loop_since, fallback_at"
)
"""The fields of a Conversation, in their order, for statements that read one."""

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
ADD = Insert(
    "INSERT INTO conversations (bot_id, user_key, profile_name, created_at)"
    " VALUES (:bot_id, :user_key, :profile_name, :now)"
)
DROP = Statement("DELETE FROM conversations WHERE id = :id")
USER_KEY = Statement("SELECT user_key FROM conversations WHERE id = :id")
ADOPT_USER_KEY = Statement("UPDATE conversations SET user_key = :user_key WHERE id = :id")
SET_STATE = Statement(
    "UPDATE conversations SET state = :state, state_since = :now, state_by = :by, state_reason = :reason,"  # noqa: S608
    f" state_until = :until WHERE id = :id AND state = :was RETURNING {COLUMNS}"
)
NOTE = Statement("UPDATE conversations SET loop_since = :loop_since, fallback_at = :fallback_at WHERE id = :id")
KEEP_THREAD = Statement(
    "UPDATE conversations SET thread_id = :thread_id WHERE id = (SELECT conversation_id FROM turns"
    " WHERE id = :turn_id AND state = 'running' AND starts = :starts AND started_at = :started_at)"
)
LAST_INBOUND = Statement(
    "SELECT max(inbox.received_at) FROM conversation_aliases"
    " JOIN inbox ON inbox.conversation_id = conversation_aliases.conversation_id"
    " WHERE conversation_aliases.bot_id = :bot_id AND conversation_aliases.alias = :alias"
)
ALIASES_OF = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id ORDER BY alias")
SET_ASIDE = Statement("UPDATE conversation_aliases SET alias = :aside WHERE conversation_id = :id AND alias = :address")
WIPE = Statement(
    "UPDATE conversations SET user_key = '', profile_name = NULL, state = 'assistant', state_since = NULL,"
    " state_by = NULL, state_reason = NULL, state_until = NULL, loop_since = NULL, fallback_at = NULL WHERE id = :id"
)
DROP_THREAD = Statement("UPDATE conversations SET thread_id = NULL WHERE id = :id")
DROP_ALIASES = Statement("DELETE FROM conversation_aliases WHERE conversation_id = :id")


def conversation_of(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None = None
) -> int:
    """The conversation of a bot with a user, created with their first message."""
    found: dict[str, int] = dict(ALIASES.rows(connection, bot_id=bot_id, user_key=user_key, sender=sender))
    known = found.get(user_key)
    if known is None and sender in found:
        (holder,) = USER_KEY.one(connection, id=found[sender])
        # A number that already has another user id has a new owner, who must not see the old one's conversation.
        if holder == sender:
            known = found[sender]
            ADOPT_USER_KEY.run(connection, id=known, user_key=user_key)
    if known is None:
        return _begin(connection, bot_id, user_key, sender, profile_name)
    for alias in {user_key, sender}:
        if found.get(alias) != known:
            PUT_ALIAS.run(connection, bot_id=bot_id, alias=alias, conversation_id=known)
    return known


def set_state(
    connection: Connection,
    conversation_id: int,
    state: ConversationState,
    *,
    was: ConversationState,
    by: str,
    reason: str | None = None,
    until: str | None = None,
) -> Conversation | None:
    """Changes the state from `was`; None when the state is another one, or the conversation does not exist. Of two
    concurrent calls only one succeeds. `until`: text of `timestamp`."""
    row = SET_STATE.first(
        connection, id=conversation_id, state=state, was=was, by=by, reason=reason, until=until, now=timestamp()
    )
    return None if row is None else Conversation(*row)


def note(connection: Connection, conversation: Conversation, loop_since: str | None, fallback_at: str | None) -> None:
    """Records a loop and a fallback message; without a statement where both are as they were."""
    if (loop_since, fallback_at) != (conversation.loop_since, conversation.fallback_at):
        NOTE.run(connection, id=conversation.id, loop_since=loop_since, fallback_at=fallback_at)


def keep_thread(connection: Connection, thread_id: str, *, turn_id: int, starts: int, started_at: str) -> bool:
    """Stores the provider's thread of a turn's conversation; False when another process owns the turn."""
    kept = KEEP_THREAD.run(connection, thread_id=thread_id, turn_id=turn_id, starts=starts, started_at=started_at)
    return kept == 1


def last_inbound(connection: Connection, bot_id: str, alias: str) -> str | None:
    """When the user last wrote to the bot: WhatsApp delivers free text for 24 hours from then."""
    (moment,) = LAST_INBOUND.one(connection, bot_id=bot_id, alias=alias)
    return None if moment is None else str(moment)


def set_aside(connection: Connection, conversation_id: int) -> list[str]:
    """Detaches all addresses from a conversation; returns them."""
    aside = f"{FORGOTTEN}{conversation_id}:"
    addresses = []
    for (alias,) in ALIASES_OF.rows(connection, id=conversation_id):
        address = alias.removeprefix(aside)
        if address == alias:
            SET_ASIDE.run(connection, id=conversation_id, address=address, aside=aside + address)
        addresses.append(address)
    return addresses


def wipe(connection: Connection, conversation_id: int) -> None:
    """Deletes a conversation's data about its user, and about who answered. Addresses and thread stay."""
    WIPE.run(connection, id=conversation_id)


def detach(connection: Connection, conversation_id: int) -> None:
    """Deletes a conversation's addresses, and the provider's thread."""
    DROP_THREAD.run(connection, id=conversation_id)
    DROP_ALIASES.run(connection, id=conversation_id)


def _begin(connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None) -> int:
    made = ADD.one(connection, bot_id=bot_id, user_key=user_key, profile_name=profile_name, now=timestamp())
    # Two first messages may come concurrently; the alias that is stored first decides for both.
    (winner,) = ADD_ALIAS.one(connection, bot_id=bot_id, alias=user_key, conversation_id=made)
    if winner != made:
        DROP.run(connection, id=made)
    elif sender != user_key:
        PUT_ALIAS.run(connection, bot_id=bot_id, alias=sender, conversation_id=made)
    return int(winner)
