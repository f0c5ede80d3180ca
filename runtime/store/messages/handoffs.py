"""The assistant hands a conversation over to people, and who has it now. Functions over a connection.

    turn ends with a handoff ──► state `human`, no operator yet ──► timers: summary · notify · escalate · resume
    a person takes it (`operators`) ──► the operator is that person

A state is changed under a lock of the conversation's row, which the end of a turn shares on PostgreSQL: a turn ends
with an answer only while the state is the one that it began with. SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.statement import Statement
from runtime.store.database.times import later, timestamp
from runtime.store.messages import conversations
from runtime.store.messages.conversations import Conversation, ConversationState

Cause = Literal["asked", "model", "failures", "budget", "operator", "desk"]
"""Why people have a conversation.

`asked`: its user asked for a person; `model`: the assistant called its tool; `failures`: too many turns in a row got no
answer; `budget`: the client's month is used up; `operator`, `desk`: a person took it.
"""

ASSISTANT: Final = "assistant"
"""Who set a state that a turn set."""
NOTICE, ESCALATION, RESUME = "handoff_notice", "handoff_escalation", "handoff_resume"
"""Kinds of timers, whose keys are ids of conversations: people are notified; they are again, since none has answered;
the assistant resumes."""
SUMMARY: Final = "handoff_summary"
"""Likewise: a model writes for people what it is about, and then those are notified who wait for it."""
SUMMARY_LIMIT = 2_000
NO_SUMMARY: Final = "Sin resumen"
"""Begins what stands in a summary's place."""


class Handoff(NamedTuple):
    """A conversation that a turn hands over to people."""

    cause: Cause
    summary: str | None
    """What the model said about it."""
    resume_seconds: float | None
    """After this time the assistant answers again, unless a person writes; None: never by itself."""
    escalate_seconds: float | None
    """After this time people are notified again, where none has answered; None: they are not."""


class Held(NamedTuple):
    """Who has a conversation."""

    id: int
    bot_id: str
    state: ConversationState
    since: str | None
    until: str | None
    operator: str | None
    """The person who has taken it."""
    operator_at: str | None
    """When a person last wrote in it."""
    is_erased: bool
    """Whether its user was erased: nothing is written in it any more."""


HELD = (
    "SELECT id, bot_id, state, state_since, state_until, operator, operator_at, user_key = '' FROM conversations"
    " WHERE id = :id"
)
LOCK: Mapping[str, Statement] = {"sqlite": Statement(HELD), "postgresql": Statement(f"{HELD} FOR NO KEY UPDATE")}
"""On PostgreSQL it waits for the end of a turn, and not for the begin of one."""
STATE: Mapping[str, Statement] = {
    "sqlite": Statement("SELECT state FROM conversations WHERE id = :id"),
    "postgresql": Statement("SELECT state FROM conversations WHERE id = :id FOR SHARE"),
}


def locked(connection: Connection, conversation_id: int) -> Held | None:
    """Who has a conversation, whose state nothing else changes until the transaction ends; None: it does not exist."""
    row = LOCK[connection.dialect.name].first(connection, id=conversation_id)
    return None if row is None else Held(*row)


def has_person(connection: Connection, conversation_id: int | None) -> bool:
    """Whether people have a conversation, and none takes it before the transaction ends."""
    row = STATE[connection.dialect.name].first(connection, id=conversation_id)
    return row == ("human",)


def hand_over(connection: Connection, conversation: Conversation, handoff: Handoff) -> None:
    """Hands a conversation over, and schedules what follows from it; for the end of a turn."""
    now = timestamp()
    until = None if handoff.resume_seconds is None else later(now, handoff.resume_seconds)
    conversations.set_state(
        connection,
        conversation.id,
        "human",
        was=conversation.state,
        by=ASSISTANT,
        reason=handoff.cause,
        until=until,
        summary=handoff.summary,
    )
    if handoff.summary is None:
        summarise(connection, conversation.id, notify=True)
    else:
        timers.put(connection, NOTICE, str(conversation.id), datetime.now(UTC), {})
    if handoff.escalate_seconds is not None:
        due = datetime.now(UTC) + timedelta(seconds=handoff.escalate_seconds)
        timers.put(connection, ESCALATION, str(conversation.id), due, {})
    schedule_resume(connection, conversation.id, until)


def summarise(connection: Connection, conversation_id: int, *, notify: bool = False) -> None:
    """Has a summary made of a conversation that people have from now on; `notify`: and people notified then."""
    timers.put(connection, SUMMARY, str(conversation_id), datetime.now(UTC), {"notify": notify})


def schedule_resume(connection: Connection, conversation_id: int, until: str | None) -> None:
    """Lets the assistant resume at a timestamp; None: not by itself."""
    if until is None:
        timers.cancel(connection, RESUME, str(conversation_id))
    else:
        timers.put(connection, RESUME, str(conversation_id), datetime.fromisoformat(until), {})


def reopen(connection: Connection, conversation: Conversation) -> None:
    """Gives a conversation that was closed, or that people had for long enough, back to the assistant; for the end of a
    turn."""
    conversations.set_state(connection, conversation.id, "assistant", was=conversation.state, by=ASSISTANT)
