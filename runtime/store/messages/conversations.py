"""Conversations: one user of one bot, its state, and the addresses that lead to it. Functions over a connection.

    assistant ◄──► human        who answers; with since when, by whom, why and until when
        ▲            │
        └── closed ◄─┘          no answer is due, until the user writes again

A user is known under one or two addresses: a phone number (`From`) and, since 2026, WhatsApp's business-scoped user id
(`ExternalUserId`), either of which may be missing. Each is an alias that leads to the conversation. So does the other
spelling of a number that has two (`schemas.addresses`): it is looked up with the number, in the same statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from runtime.content.opting import Opting
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import timestamp
from schemas.addresses import other_spelling

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
    opted_out_at: str | None = None
    """When the user last asked for no more proactive messages; they may have allowed them again since."""


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as a message to them needs it."""

    conversation_id: int
    last_inbound: str | None
    """When they last wrote: WhatsApp delivers free text for 24 hours from then."""
    address: str | None
    """From which they last wrote."""
    opted_out_at: str | None
    """Since when they want no proactive messages."""


COLUMNS = (
    "conversations.id, conversations.bot_id, user_key, profile_name, thread_id, conversations.state, state_since,"
    " state_by, state_reason, state_until, loop_since, fallback_at, opted_out_at"
)
"""The fields of a Conversation, in their order, for statements that read one."""

ALIASES = Statement(
    "SELECT alias, conversation_id FROM conversation_aliases"
    " WHERE bot_id = :bot_id AND alias IN (:user_key, :sender, :other)"
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
OPT_OUT = Statement("UPDATE conversations SET opted_out_at = :now, opted_in_at = NULL WHERE id = :id")
OPT_IN = Statement(
    "UPDATE conversations SET opted_in_at = :now WHERE id = :id AND opted_out_at IS NOT NULL AND opted_in_at IS NULL"
)
KEEP_THREAD = Statement(
    "UPDATE conversations SET thread_id = :thread_id WHERE id = (SELECT conversation_id FROM turns"
    " WHERE id = :turn_id AND state = 'running' AND starts = :starts AND started_at = :started_at)"
)
KNOWN = Statement(
    "SELECT id, last_inbound, (SELECT sender FROM inbox WHERE conversation_id = known.id AND sender <> ''"
    " ORDER BY inbox.id DESC LIMIT 1), opted_out_at FROM (SELECT DISTINCT conversations.id,"
    " CASE WHEN opted_in_at IS NULL THEN opted_out_at END AS opted_out_at, (SELECT max(received_at) FROM inbox"
    " WHERE conversation_id = conversations.id) AS last_inbound FROM conversation_aliases JOIN conversations"
    " ON conversations.id = conversation_aliases.conversation_id WHERE conversation_aliases.bot_id = :bot_id"
    " AND alias IN (:address, :other)) AS known ORDER BY coalesce(last_inbound, '') DESC, id LIMIT 1"
)
ALIASES_OF = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id ORDER BY alias")
SET_ASIDE = Statement("UPDATE conversation_aliases SET alias = :aside WHERE conversation_id = :id AND alias = :address")
WIPE = Statement(
    "UPDATE conversations SET user_key = '', profile_name = NULL, state = 'assistant', state_since = NULL,"
    " state_by = NULL, state_reason = NULL, state_until = NULL, loop_since = NULL, fallback_at = NULL,"
    " opted_out_at = NULL, opted_in_at = NULL WHERE id = :id"
)
DROP_THREAD = Statement("UPDATE conversations SET thread_id = NULL WHERE id = :id")
DROP_ALIASES = Statement("DELETE FROM conversation_aliases WHERE conversation_id = :id")


def conversation_of(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None = None
) -> int:
    """The conversation of a bot with a user, created with their first message."""
    other = other_spelling(sender)
    aliases = ALIASES.rows(connection, bot_id=bot_id, user_key=user_key, sender=sender, other=other)
    found: dict[str, int] = dict(aliases)
    known = found.get(user_key)
    by_number = found.get(sender, found.get(other))
    if known is None and by_number is not None:
        (holder,) = USER_KEY.one(connection, id=by_number)
        # A number that already has another user id has a new owner, who must not see the old one's conversation. One
        # that comes in its other spelling without any id is the same user.
        if holder in (sender, other) or user_key == sender:
            known = by_number
        if holder in (sender, other) and user_key != sender:
            ADOPT_USER_KEY.run(connection, id=by_number, user_key=user_key)
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


def record_opting(connection: Connection, conversation_id: int, opting: Opting) -> None:
    """Records that a user wants no proactive messages, or wants them again."""
    (OPT_OUT if opting == "out" else OPT_IN).run(connection, id=conversation_id, now=timestamp())


def keep_thread(connection: Connection, thread_id: str, *, turn_id: int, starts: int, started_at: str) -> bool:
    """Stores the provider's thread of a turn's conversation; False when another process owns the turn."""
    kept = KEEP_THREAD.run(connection, thread_id=thread_id, turn_id=turn_id, starts=starts, started_at=started_at)
    return kept == 1


def known_user(connection: Connection, bot_id: str, address: str) -> KnownUser | None:
    """The user of a bot with an address, in either spelling; of two conversations the one in which they wrote last.
    None when the bot has no conversation with them."""
    row = KNOWN.first(connection, bot_id=bot_id, address=address, other=other_spelling(address))
    return None if row is None else KnownUser(*row)


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
