"""Numbers, ids and clients in addresses. For one that is not valid, or not the operator's, there is no page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from runtime.console.page import HOME, OperatorVisit, Visit, not_here
from runtime.delivery.operators import HumanOperators
from runtime.store.errors import NoConversation
from runtime.store.messages.threads import ConversationSummary

MOST_DIGITS: Final = 18
"""Of an id: every column of the store holds them."""
CONVERSATIONS: Final = f"{HOME}/conversations"
KEPT: Final = ("list", "client", "q", "from", "to")
"""What a thread's address says about the list beside it."""


def page_number(visit: Visit) -> int:
    """`?page=`, from 0; raises Declined for another text."""
    return number_of(visit.query("page") or "0", 6)


def id_of(visit: Visit, name: str = "id") -> int:
    """An id in a path; raises Declined for another text."""
    return number_of(visit.request.match_info[name])


def number_of(text: str, digits: int = MOST_DIGITS) -> int:
    """A number as text; raises Declined for another text."""
    if not (text.isascii() and text.isdecimal() and len(text) <= digits):
        raise not_here()
    return int(text)


def clients_of(visit: OperatorVisit) -> Sequence[str] | None:
    """The clients that a page is about: the one of `?client=`, or all that the operator sees. Raises Declined."""
    client = visit.query("client")
    if client and not visit.operator.sees(client):
        raise not_here()
    return [client] if client else visit.clients


async def conversation_of(visit: OperatorVisit, people: HumanOperators) -> ConversationSummary:
    """The conversation that a path names; raises Declined where it is not one of the operator's clients'."""
    try:
        conversation = await people.conversation(id_of(visit))
    except NoConversation as error:
        raise not_here() from error
    if not visit.operator.sees(conversation.client):
        raise not_here()
    return conversation


def address_of(visit: OperatorVisit, conversation_id: int) -> str:
    """A thread's page, beside the list that is open."""
    return f"{CONVERSATIONS}/{conversation_id}{kept_query(visit)}"


def kept_query(visit: OperatorVisit) -> str:
    """What keeps the list beside a thread as it is, for the end of an address."""
    kept = {name: value for name in KEPT if (value := visit.query(name))}
    return f"?{urlencode(kept)}" if kept else ""
