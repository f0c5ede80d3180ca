"""What the pages about conversations show, each page in one read: a read of its own for each part took more time than
the parts. Functions over a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from runtime.store.audit import Actor
from runtime.store.console import accounts, news, person, search, trials
from runtime.store.console.person import PersonFacts
from runtime.store.console.trials import TriableBot
from runtime.store.messages import threads
from runtime.store.messages.threads import ConversationSummary, Thread


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list of conversations is asked for."""

    clients: Sequence[str] | None
    """Of these, or of all."""
    offered: Sequence[str] | None
    """The clients that its reader may choose from; None: all."""
    most_offered: int
    """Of more clients than that none is offered by name."""
    limit: int
    wanted: str
    """A number, or words of one client's users; empty: the newest."""
    filters: Mapping[str, Any] | None
    """See `threads.list_conversations`, where nothing is searched for; None: nothing is listed."""


@dataclass(frozen=True, slots=True)
class ListedConversations:
    """A list of conversations, and what is beside it."""

    found: Sequence[ConversationSummary]
    choices: Sequence[TriableBot]
    """Which clients are offered."""
    names: Mapping[str, str]
    """Address → name of every operator."""


@dataclass(frozen=True, slots=True)
class ShownThread:
    """A conversation, and the list beside it."""

    digest: str | None
    """See `news.digest_of`; from before the rest was read."""
    thread: Thread
    facts: PersonFacts
    listed: ListedConversations


def listed(connection: Connection, actor: Actor, query: ListQuery) -> ListedConversations:
    """A list; its conversations are in the audit."""
    found: Sequence[ConversationSummary] = ()
    if query.wanted:
        found = search.search(connection, actor, query.wanted, clients=query.clients, limit=query.limit)
    elif query.filters is not None:
        found = threads.listed_by(connection, actor, clients=query.clients, limit=query.limit, **query.filters)
    choices = trials.choice_of(connection, query.offered, query.most_offered)
    return ListedConversations(found, choices, accounts.names(connection))


def shown(
    connection: Connection, actor: Actor, conversation_id: int, limit: int, before: str, query: ListQuery
) -> ShownThread | None:
    """A thread as `threads.read_by`, with the list beside it; None where there is none, and nothing is listed then."""
    digest = news.digest_of(connection, conversation_id)
    thread = threads.read_by(connection, actor, conversation_id, limit=limit, before=before)
    facts = person.facts_of(connection, conversation_id)
    if thread is None or facts is None:
        return None
    return ShownThread(digest, thread, facts, listed(connection, actor, query))
