"""Conversations: one user of one bot, its state, and the addresses that lead to it. Functions over a connection.

    assistant ◄──► human        who answers; with since when, by whom, why and until when
        ▲            │
        └── closed ◄─┘          no answer is due, until the user writes again

A user is known under one or two addresses: a phone number (`From`) and, since 2026, WhatsApp's business-scoped user id
(`ExternalUserId`), either of which may be missing. Each is an alias that leads to the conversation. So does the other
spelling of a number that has two (`schemas.addresses`): it is looked up with the number, in the same statement.

The same number with another id is another person: the number passed to them, and is the former's no more. The same id
with another number is the same person, who changed it. Where WhatsApp hides a number that it showed before, answers go
to the number: to the id Twilio refuses them while the number is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.opting import Opting, OptOutList
from runtime.store.codec import dump_json
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import is_within, later, timestamp
from runtime.store.messages import person_marks
from runtime.store.messages.person_marks import Mark
from schemas.addresses import is_user_id, other_spelling

ConversationState = Literal["assistant", "human", "closed"]
OptedBy = Literal["word", "button", "twilio"]
"""By what a person opted out: words, WhatsApp's own button, or as Twilio reports it in the webhook."""

WINDOW_SECONDS = 24 * 3600.0
"""How long after a person's message WhatsApp delivers anything but a template."""
REPLY_SECONDS = 24 * 3600.0
"""Meta: how soon the first reply to a click on an ad must come, for what follows to be free."""
FREE_SECONDS = 72 * 3600.0
"""Meta: how long messages of every category are free from that reply on."""
FORGOTTEN = "forgotten:"
"""Prefix of the alias of an erased conversation, which no message matches. Its id and the address follow."""


class Conversation(NamedTuple):
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
    referral_at: str | None = None
    """When the user wrote after a click on an ad, without a message to them since."""
    free_until: str | None = None
    """Until when Meta charges nothing for messages to them, since such a click was replied to."""
    notices: str | None = None
    """JSON: when each notice was last sent that is due once a day, or once, by its reason."""
    opted_in_at: str | None = None
    """When the user allowed proactive messages again, after `opted_out_at`."""
    phone: str | None = None
    """The address of their number, where it was ever shown."""
    waiting_since: str | None = None
    """Since when messages wait for the user to write again; None: none does."""
    blocked_at: str | None = None
    """Since when nothing of the user is processed; None: it is."""
    consent: str | None = None
    """What they last said about a model reading their messages (`consents.stated_as`); None: nothing."""
    rectified_name: str | None = None
    """How the user wants to be called, who had that rectified."""

    def noticed_at(self, reason: str) -> str | None:
        """When a notice with a reason was last sent; None when it never was."""
        at: str | None = json.loads(self.notices).get(reason) if self.notices else None
        return at


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as a message to them needs it."""

    conversation_id: int
    last_inbound: str | None
    """When they last wrote: WhatsApp delivers free text for 24 hours from then."""
    address: str | None
    """From which they last wrote."""
    phone: str | None
    """The address of their number, where it was ever shown."""
    opted_out_at: str | None
    """Since when they want no messages of the list below."""
    opted_out_of: OptOutList | None
    """The proactive messages that they want no more of; None: they may get any."""
    window_refused_at: str | None = None
    """When WhatsApp last refused free text to them, as too late."""
    blocked_at: str | None = None
    """Since when nothing of them is processed, and nothing is sent to them."""


class FoundUser(NamedTuple):
    """Whose conversation a message belongs to."""

    conversation_id: int
    has_new_number: bool = False
    """Whether WhatsApp showed another number of theirs before."""


COLUMNS = (
    "conversations.id, conversations.bot_id, user_key, profile_name, thread_id, conversations.state, state_since,"
    " state_by, state_reason, state_until, loop_since, fallback_at, opted_out_at, referral_at, free_until,"
    " notices, opted_in_at, conversations.phone, waiting_since, blocked_at, consent, rectified_name"
)
"""The fields of a Conversation, in their order, for statements that read one."""

_ALIASES = (
    "SELECT alias, conversation_id, phone FROM conversation_aliases LEFT JOIN conversations"
    " ON conversations.id = conversation_id"
    " WHERE conversation_aliases.bot_id = :bot_id AND alias IN (:user_key, :sender, :other)"
)
ALIASES: Mapping[str, Statement] = {
    "sqlite": Statement(_ALIASES),
    "postgresql": Statement(f"{_ALIASES} FOR KEY SHARE OF conversation_aliases"),
}
"""On PostgreSQL an erasure waits for those who store something under an address that it detaches."""
PUT_ALIAS = Statement(
    "INSERT INTO conversation_aliases (bot_id, alias, conversation_id) VALUES (:bot_id, :alias, :conversation_id)"
    " ON CONFLICT (bot_id, alias) DO UPDATE SET conversation_id = excluded.conversation_id"
)
ADD = Insert(
    "INSERT INTO conversations (bot_id, user_key, profile_name, phone, created_at)"
    " VALUES (:bot_id, :user_key, :profile_name, :phone, :now)"
)
ADD_WITH_ALIAS = Statement(
    "WITH made AS (INSERT INTO conversations (bot_id, user_key, profile_name, phone, created_at)"
    " VALUES (:bot_id, :user_key, :profile_name, :phone, :now) RETURNING id),"
    " leads AS (INSERT INTO conversation_aliases (bot_id, alias, conversation_id) SELECT :bot_id, :user_key, id"
    " FROM made ON CONFLICT (bot_id, alias) DO UPDATE SET conversation_id = conversation_aliases.conversation_id"
    " RETURNING conversation_id) SELECT made.id, leads.conversation_id FROM made, leads"
)
"""ADD and PUT_ALIAS, where both are one round trip: on PostgreSQL."""
DROP = Statement("DELETE FROM conversations WHERE id = :id")
USER_KEY = Statement("SELECT user_key FROM conversations WHERE id = :id")
SET_PHONE = Statement("UPDATE conversations SET phone = :phone WHERE id = :id")
ADOPT_USER_KEY = Statement("UPDATE conversations SET user_key = :user_key WHERE id = :id")
SET_STATE = Statement(
    "UPDATE conversations SET state = :state, state_since = :now, state_by = :by, state_reason = :reason,"  # noqa: S608
    " state_until = :until, operator = :operator, state_summary = :summary"
    f" WHERE id = :id AND state = :was RETURNING {COLUMNS}"
)
NOTE = Statement("UPDATE conversations SET loop_since = :loop_since, fallback_at = :fallback_at WHERE id = :id")
NOTICED = Statement("UPDATE conversations SET notices = :notices WHERE id = :id")
OPT_OUT = Statement(
    "UPDATE conversations SET opted_out_at = :now, opted_out_by = :by, opted_in_at = NULL, opted_out_of ="
    " CASE WHEN opted_in_at IS NULL AND opted_out_of = 'all' THEN 'all' ELSE :list END"
    " WHERE id = :id AND (opted_out_at IS NULL OR opted_in_at IS NOT NULL OR (opted_out_by NOT IN"
    " ('word', 'button', 'twilio') AND :by IN ('word', 'button', 'twilio'))"
    " OR (:list = 'all' AND coalesce(opted_out_of, '') <> 'all'))"
)
"""Of who is on the list already it changes nothing, unless they were put there by a refusal and say so themselves now:
that is confirmed to them. It never leads from `all` to `marketing`."""
OPT_IN = Statement(
    "UPDATE conversations SET opted_in_at = :now WHERE id = :id AND opted_out_at IS NOT NULL AND opted_in_at IS NULL"
)
REFERRED = Statement("UPDATE conversations SET referral_at = :now WHERE id = :id")
AD_STATE = Statement("SELECT referral_at, free_until FROM conversations WHERE id = :id")
REPLIED = Statement(
    "UPDATE conversations SET referral_at = NULL, free_until = :free_until"
    " WHERE id = :id AND referral_at = :referral_at"
)
KEEP_THREAD = Statement(
    "UPDATE conversations SET thread_id = :thread_id WHERE id = (SELECT conversation_id FROM turns"
    " WHERE id = :turn_id AND state = 'running' AND starts = :starts AND started_at = :started_at)"
    " AND user_key <> ''"
)
KNOWN = Statement(
    "SELECT id, last_inbound, (SELECT sender FROM inbox WHERE conversation_id = known.id AND sender <> ''"
    " ORDER BY inbox.id DESC LIMIT 1), phone, opted_out_at, CASE WHEN opted_out_at IS NOT NULL THEN"
    " coalesce(opted_out_of, 'marketing') END, window_refused_at, blocked_at FROM (SELECT DISTINCT conversations.id,"
    " conversations.phone, opted_out_of, window_refused_at, blocked_at, CASE WHEN opted_in_at IS NULL"
    " THEN opted_out_at END AS opted_out_at,"
    " (SELECT max(received_at) FROM inbox WHERE conversation_id = conversations.id) AS last_inbound"
    " FROM conversation_aliases JOIN conversations ON conversations.id = conversation_aliases.conversation_id"
    " WHERE conversation_aliases.bot_id = :bot_id AND alias IN (:address, :other)) AS known"
    " ORDER BY coalesce(last_inbound, '') DESC, id LIMIT 1"
)
WINDOW = Statement(
    "SELECT (SELECT max(received_at) FROM inbox WHERE conversation_id = conversations.id AND sender <> ''),"
    " window_refused_at FROM conversations WHERE id = :id"
)
HOLD = Statement("SELECT 1 FROM conversations WHERE id = :id AND user_key <> '' FOR KEY SHARE")
LOCK_OF_MESSAGE = Statement(
    "SELECT 1 FROM conversations WHERE id = (SELECT conversation_id FROM outbox WHERE id = :row_id) FOR NO KEY UPDATE"
)
NOTE_WINDOW_REFUSED = Statement(
    "UPDATE conversations SET window_refused_at = :now"
    " WHERE id = (SELECT conversation_id FROM outbox WHERE id = :row_id)"
)
ALIASES_OF = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id ORDER BY alias")
SET_ASIDE = Statement("UPDATE conversation_aliases SET alias = :aside WHERE conversation_id = :id AND alias = :address")
WIPE = Statement(
    "UPDATE conversations SET user_key = '', phone = NULL, profile_name = NULL, state = 'assistant',"
    " state_since = NULL, state_by = NULL, state_reason = NULL, state_until = NULL, loop_since = NULL,"
    " fallback_at = NULL, opted_out_at = NULL, opted_in_at = NULL, opted_out_of = NULL,"
    " opted_out_by = NULL, referral_at = NULL,"
    " free_until = NULL, notices = NULL, operator = NULL, operator_at = NULL, state_summary = NULL,"
    " seen_up_to = NULL, window_refused_at = NULL, waiting_since = NULL, reopening_id = NULL,"
    " blocked_at = NULL, blocked_by = NULL, consent = NULL, rectified_name = NULL"
    " WHERE id = :id"
)
BLOCKED = Statement("SELECT blocked_at FROM conversations WHERE id = :id AND blocked_at IS NOT NULL")
MARK_BLOCKED = Statement(
    "UPDATE conversations SET blocked_at = :at, blocked_by = :by WHERE id = :id AND blocked_at IS NULL"
)
MARK_OPTED_OUT = Statement(
    "UPDATE conversations SET opted_out_at = :at, opted_out_of = :list, opted_out_by = :by"
    " WHERE id = :id AND opted_out_at IS NULL"
)
DROP_THREAD = Statement("UPDATE conversations SET thread_id = NULL WHERE id = :id")
DROP_ALIASES = Statement("DELETE FROM conversation_aliases WHERE conversation_id = :id")


def conversation_of(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None = None
) -> int:
    """The conversation of a bot with a user, created with their first message."""
    return user_of(connection, bot_id, user_key, sender, profile_name).conversation_id


def user_of(
    connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None = None
) -> FoundUser:
    """The conversation of a bot with the user of a message, created with the first one; and whether they have another
    number since."""
    other = other_spelling(sender)
    aliases = ALIASES[connection.dialect.name].rows(
        connection, bot_id=bot_id, user_key=user_key, sender=sender, other=other
    )
    found = {alias: int(conversation_id) for alias, conversation_id, _ in aliases}
    phones: dict[int, str | None] = {conversation_id: phone for _, conversation_id, phone in aliases}
    known = found.get(user_key)
    by_number = found.get(sender, found.get(other))
    if known is None and by_number is not None:
        (holder,) = USER_KEY.one(connection, id=by_number)
        # A number that already has another user id has a new owner, who must not see the old one's conversation. One
        # that comes in its other spelling without any id is the same user.
        if holder in (sender, other) or user_key == sender:
            known = by_number
        if holder in (sender, other) and user_key != sender:
            ADOPT_USER_KEY.do(connection, id=by_number, user_key=user_key)
    if by_number is not None and by_number != known and phones[by_number] in (sender, other):
        SET_PHONE.do(connection, id=by_number, phone=None)
    if known is None:
        return FoundUser(_begin(connection, bot_id, user_key, sender, profile_name))
    new = {alias for alias in (user_key, sender) if found.get(alias) != known}
    for alias in new:
        PUT_ALIAS.do(connection, bot_id=bot_id, alias=alias, conversation_id=known)
    if new:
        apply_marks(connection, known, person_marks.marks_for(connection, bot_id, new))
    former = phones[known]
    if is_user_id(sender) or former == sender:
        return FoundUser(known)
    SET_PHONE.do(connection, id=known, phone=sender)
    return FoundUser(known, has_new_number=former not in (None, other))


def reply_address(sender: str, phone: str | None) -> str:
    """Where an answer to a message goes: to its `From` verbatim; to the user's number where that is an id, and the
    number is known."""
    return phone if phone is not None and is_user_id(sender) else sender


def set_state(
    connection: Connection,
    conversation_id: int,
    state: ConversationState,
    *,
    was: ConversationState,
    by: str,
    reason: str | None = None,
    until: str | None = None,
    operator: str | None = None,
    summary: str | None = None,
) -> Conversation | None:
    """Changes the state from `was`; None when the state is another one, or the conversation does not exist. Of two
    concurrent calls only one succeeds. `until`: text of `timestamp`; `operator`: the person who has it from now on,
    None: any person may take it."""
    row = SET_STATE.first(
        connection,
        id=conversation_id,
        state=state,
        was=was,
        by=by,
        reason=reason,
        until=until,
        operator=operator,
        summary=summary,
        now=timestamp(),
    )
    return None if row is None else Conversation(*row)


def note(connection: Connection, conversation: Conversation, loop_since: str | None, fallback_at: str | None) -> None:
    """Records a loop and a fallback message; without a statement where both are as they were."""
    if (loop_since, fallback_at) != (conversation.loop_since, conversation.fallback_at):
        NOTE.do(connection, id=conversation.id, loop_since=loop_since, fallback_at=fallback_at)


def note_notices(connection: Connection, conversation: Conversation, reasons: Sequence[str]) -> None:
    """Records that notices were sent that are due once a day, or once."""
    sent = json.loads(conversation.notices) if conversation.notices else {}
    NOTICED.do(connection, id=conversation.id, notices=dump_json({**sent, **dict.fromkeys(reasons, timestamp())}))


def record_opting(connection: Connection, conversation_id: int, opting: Opting, by: OptedBy, at: str) -> None:
    """Records that a user wants no marketing, or wants all proactive messages again, with a message that came in `at`.
    Where that is how it was already, it stays as it was recorded."""
    if opting == "in":
        OPT_IN.do(connection, id=conversation_id, now=at)
    else:
        OPT_OUT.do(connection, id=conversation_id, now=at, list="marketing", by=by)


def refuse_list(connection: Connection, conversation_id: int, opt_out_list: OptOutList, code: str) -> None:
    """Records that WhatsApp or Twilio delivers no messages of a list to a user, by Twilio's code."""
    OPT_OUT.do(connection, id=conversation_id, now=timestamp(), list=opt_out_list, by=code)


def record_referral(connection: Connection, conversation_id: int) -> None:
    """Records that a user wrote after a click on an ad."""
    REFERRED.do(connection, id=conversation_id, now=timestamp())


def ad_state(connection: Connection, conversation_id: int) -> tuple[str | None, str | None]:
    """The fields `referral_at` and `free_until` of a conversation."""
    referral_at, free_until = AD_STATE.one(connection, id=conversation_id)
    return referral_at, free_until


def reply_after_ad(
    connection: Connection, conversation_id: int, referral_at: str | None, free_until: str | None
) -> bool:
    """Whether Meta charges nothing for a message to this user now. The first one within 24 hours of a click on an ad
    begins 72 hours without a charge: a matter of the price, not of what WhatsApp delivers."""
    if referral_at is None and free_until is None:
        return False
    now = timestamp()
    if referral_at is not None:
        if is_within(referral_at, now, REPLY_SECONDS):
            free_until = later(now, FREE_SECONDS)
        REPLIED.do(connection, id=conversation_id, referral_at=referral_at, free_until=free_until)
    return free_until is not None and now < free_until


def keep_thread(connection: Connection, thread_id: str, *, turn_id: int, starts: int, started_at: str) -> bool:
    """Stores the provider's thread of a turn's conversation; False when another process owns the turn."""
    kept = KEEP_THREAD.run(connection, thread_id=thread_id, turn_id=turn_id, starts=starts, started_at=started_at)
    return kept == 1


def known_user(connection: Connection, bot_id: str, address: str) -> KnownUser | None:
    """The user of a bot with an address, in either spelling; of two conversations the one in which they wrote last.
    None when the bot has no conversation with them."""
    row = KNOWN.first(connection, bot_id=bot_id, address=address, other=other_spelling(address))
    return None if row is None else KnownUser(*row)


def window_facts(connection: Connection, conversation_id: int) -> tuple[str | None, str | None]:
    """When the user last wrote, and when WhatsApp last refused free text to them."""
    last_inbound, refused_at = WINDOW.one(connection, id=conversation_id)
    return last_inbound, refused_at


def is_held(connection: Connection, conversation_id: int) -> bool:
    """Has an erasure of a conversation wait until the transaction ends; False where it was erased."""
    return connection.dialect.name == "sqlite" or HOLD.first(connection, id=conversation_id) is not None


def lock_of_message(connection: Connection, row_id: int) -> None:
    """Has all that changes the conversation of a message of the outbox wait until the transaction ends. What changes
    both begins with the conversation, as the end of a turn does: otherwise two would wait for each other."""
    if connection.dialect.name == "postgresql":
        LOCK_OF_MESSAGE.do(connection, row_id=row_id)


def note_window_refused(connection: Connection, row_id: int, now: str) -> None:
    """Notes that WhatsApp refused a message of the outbox as free text that came too late."""
    NOTE_WINDOW_REFUSED.do(connection, row_id=row_id, now=now)


def open_until(last_inbound: str | None, refused_at: str | None) -> str | None:
    """Until when WhatsApp delivers free text, as far as is known; None where it does not now."""
    if last_inbound is None or (refused_at is not None and refused_at > last_inbound):
        return None
    until = later(last_inbound, WINDOW_SECONDS)
    return until if timestamp() < until else None


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


def blocked_since(connection: Connection, conversation_id: int) -> str | None:
    """Since when nothing of a conversation's user is processed; None: it is."""
    row = BLOCKED.first(connection, id=conversation_id)
    return None if row is None else str(row[0])


def apply_marks(connection: Connection, conversation_id: int, marks: Sequence[Mark]) -> None:
    """Lets hold in a conversation what was kept about its user beyond an erasure."""
    for mark in marks:
        if mark.kind == "blocked":
            MARK_BLOCKED.do(connection, id=conversation_id, at=mark.at, by=mark.set_by)
        else:
            MARK_OPTED_OUT.do(connection, id=conversation_id, at=mark.at, by=mark.set_by, list=mark.detail)


def _begin(connection: Connection, bot_id: str, user_key: str, sender: str, profile_name: str | None) -> int:
    phone = None if is_user_id(sender) else sender
    values = {"bot_id": bot_id, "user_key": user_key, "profile_name": profile_name, "phone": phone, "now": timestamp()}
    if connection.dialect.name == "sqlite":
        made = winner = ADD.one(connection, **values)
        PUT_ALIAS.do(connection, bot_id=bot_id, alias=user_key, conversation_id=made)
    else:
        # Two first messages may come concurrently; the alias that is stored first decides for both.
        made, winner = ADD_WITH_ALIAS.one(connection, **values)
    if winner != made:
        DROP.do(connection, id=made)
    elif sender != user_key:
        PUT_ALIAS.do(connection, bot_id=bot_id, alias=sender, conversation_id=made)
    apply_marks(connection, int(winner), person_marks.marks_for(connection, bot_id, {user_key, sender}))
    return int(winner)
