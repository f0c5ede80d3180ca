"""Conversations by their ids, and a thread as the client itself reads it, recorded in the audit. Functions over a
connection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.messages import threads
from runtime.store.messages.threads import ConversationSummary, Thread


def summaries_by(
    connection: Connection, actor: Actor, client: str, ids: Sequence[int], what: str
) -> list[ConversationSummary]:
    """Those of a client's conversations that are still there, in the order of `ids`. `what`: why they are read."""
    found = [one for id_ in ids if (one := threads.summary_of(connection, id_)) is not None and one.client == client]
    if found:
        record(connection, actor, Entry("read", threads.KIND, client, client, [one.id for one in found], [what]))
    return found


def read_by_client(
    connection: Connection, actor: Actor, conversation_id: int, *, limit: int, before: str
) -> Thread | None:
    """As `threads.read_by`; the agency's own list still shows it as unread."""
    thread = threads.thread_of(connection, conversation_id, limit=limit, before=before)
    if thread is not None:
        client, what = thread.conversation.client, [f"conversation {conversation_id}"]
        record(connection, actor, Entry("read", threads.KIND, client, client, [conversation_id], what))
    return thread
