"""Who wants no more proactive messages, of which kinds and since when. Functions over a connection.

The words are known from the message alone (`runtime.content.opting`); here is what depends on what was sent before, and
what WhatsApp's and Twilio's refusals of a message show. What is recorded stands in the conversation's row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection

from runtime.content.opting import OptOutList
from runtime.content.thanks import asks
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.messages import conversations
from runtime.store.messages.outbound_content import OutboundTemplate, decoded
from schemas.addresses import number_of

REFUSED_BY_USER: Final = "63014"
"""Twilio: the user blocked the number, or withdrew consent (Meta: 131050 for marketing only)."""
NOT_MARKETING: Final = frozenset({"utility", "authentication"})
"""Meta's categories of proactive messages that who wants no marketing gets all the same. Free text, and a template of a
category that is not known, are not among them."""
REFUSING_CODES: Final = frozenset({REFUSED_BY_USER, "21610"})
"""Codes of failures that say that the user wants no more messages. 21610: they opted out at Twilio."""


@dataclass(frozen=True, slots=True)
class OptOutRecord:
    """A user who opted out. `list`: `marketing` or `all`; `by`: word, button, twilio or a code of Twilio's."""

    id: int
    """Of the conversation."""
    client: str
    user: str
    """Number in E.164, or WhatsApp's user id."""
    list: OptOutList
    by: str
    since: str


LAST_SENT = Statement(
    "SELECT body, content, category, created_at, turn_id, message_sid FROM outbox WHERE conversation_id = :id"
    " AND state IN ('sending', 'sent') ORDER BY id DESC LIMIT 1"
)
HEARD_SINCE = Statement(
    "SELECT 1 FROM inbox WHERE conversation_id = :id AND received_at >= :since AND id <> :inbox_id LIMIT 1"
)
OF_ROW = Statement("SELECT conversation_id, category FROM outbox WHERE id = :id AND conversation_id IS NOT NULL")
STATE_OF_ROW = Statement(
    "SELECT category, coalesce(opted_out_of, 'marketing') FROM outbox JOIN conversations"
    " ON conversations.id = conversation_id WHERE outbox.id = :id AND turn_id IS NULL"
    " AND opted_out_at IS NOT NULL AND opted_in_at IS NULL"
)
LISTED = Statement(
    "SELECT conversations.id, coalesce(bots.client, conversations.bot_id), user_key,"
    " coalesce(opted_out_of, 'marketing'), coalesce(opted_out_by, 'word'), opted_out_at FROM conversations"
    " LEFT JOIN bots ON bots.id = conversations.bot_id WHERE opted_out_at IS NOT NULL AND opted_in_at IS NULL"
    " AND blocked_at IS NULL AND conversations.id > :after AND (CAST(:clients AS text) = ''"
    " OR replace(CAST(:clients AS text), ' ' || coalesce(bots.client, conversations.bot_id) || ' ', '')"
    " <> CAST(:clients AS text)) ORDER BY conversations.id LIMIT :limit"
)


def comes_after_marketing(connection: Connection, conversation_id: int, inbox_id: int, quoted_sid: str | None) -> bool:
    """Whether a message is the first one after a marketing message that asked nothing: CANCELAR then opts out, as it
    would anywhere else be a booking's word. `quoted_sid`: the message that it replies to, if any."""
    found = LAST_SENT.first(connection, id=conversation_id)
    if found is None:
        return False
    body, stored, category, sent_at, turn_id, message_sid = found
    content = decoded(body, stored)
    if category != "marketing" or turn_id is not None or not isinstance(content, OutboundTemplate):
        return False
    if asks(content.body) or content.options or (quoted_sid is not None and quoted_sid != message_sid):
        return False
    return HEARD_SINCE.first(connection, id=conversation_id, since=sent_at, inbox_id=inbox_id) is None


def note_refusal(connection: Connection, row_id: int, code: str) -> None:
    """Records what a failure with one of REFUSING_CODES says about the recipient: one of a marketing template that they
    want no marketing, any other that they want nothing."""
    found = OF_ROW.first(connection, id=row_id)
    if found is None:
        return
    conversation_id, category = found
    is_marketing = code == REFUSED_BY_USER and category in ("marketing", "template")
    conversations.refuse_list(connection, conversation_id, "marketing" if is_marketing else "all", code)


def is_refused(connection: Connection, row_id: int) -> bool:
    """Whether the recipient of a proactive message opted out of it since it was written."""
    found = STATE_OF_ROW.first(connection, id=row_id)
    return found is not None and (found[1] == "all" or found[0] not in NOT_MARKETING)


def list_opt_outs(
    connection: Connection, *, clients: Collection[str] | None = None, limit: int = 1000, after: int = 0
) -> list[OptOutRecord]:
    """The users of these clients, or of all, who opted out, but for those who are blocked; `after` is the last id of
    the previous page."""
    wanted = "" if clients is None else f" {'  '.join(clients)} "
    rows = LISTED.rows(connection, clients=wanted, after=after, limit=limit)
    return [OptOutRecord(id_, client, number_of(user), *rest) for id_, client, user, *rest in rows]


def listed_by(
    connection: Connection,
    actor: Actor,
    *,
    clients: Collection[str] | None = None,
    limit: int = 1000,
    after: int = 0,
) -> list[OptOutRecord]:
    """As `list_opt_outs`, for a person or a program: recorded in the audit, for each client."""
    found = list_opt_outs(connection, clients=clients, limit=limit, after=after)
    for client, records in groupby(sorted(found, key=attrgetter("client", "id")), attrgetter("client")):
        record(connection, actor, Entry("read", "opt_out", client, client, [one.id for one in records]))
    return found
