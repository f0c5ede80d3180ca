"""What people said when they were asked whether a model may read what they write. Functions over a connection.

    asked (a notice of the conversation) ──yes──► recorded, and what waited for it is answered with the yes, in one turn
                                         ──no───► recorded; what they wrote stays unanswered
    taken back ──► recorded; asked again when they write

The record is only added to (`consents`): when, by what, and to which text. What a turn needs to know stands in the
conversation's row, and is written in the same transaction.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

ConsentState: TypeAlias = Literal["yes", "no", "revoked"]
ConsentedBy: TypeAlias = Literal["word", "button"]

REASON = "consent"
"""Why a turn was not answered whose messages wait for a yes."""


class Consent(NamedTuple):
    """What a person said."""

    state: ConsentState
    version: str
    """Of the text that they were asked with (`schemas.data_policy.ConsentPolicy.version`)."""
    by: ConsentedBy
    inbox_id: int
    """The message with which they said so."""
    text: str
    """What they were asked."""


class ConsentRecord(NamedTuple):
    """One entry of the record."""

    at: str
    state: ConsentState
    by: ConsentedBy
    version: str
    text: str


ADD = Statement(
    "INSERT INTO consents (conversation_id, bot_id, at, state, by, version, text, inbox_id)"
    " VALUES (:conversation_id, :bot_id, :at, :state, :by, :version, :text, :inbox_id)"
)
SET = Statement("UPDATE conversations SET consent = :consent WHERE id = :id")
OF = Statement("SELECT at, state, by, version, text FROM consents WHERE conversation_id = :id ORDER BY id")


def record(connection: Connection, conversation_id: int, bot_id: str, consent: Consent) -> str:
    """Records what a person said; returns what then stands in the conversation's row."""
    at = timestamp()
    ADD.do(
        connection,
        conversation_id=conversation_id,
        bot_id=bot_id,
        at=at,
        state=consent.state,
        by=consent.by,
        version=consent.version,
        text=consent.text,
        inbox_id=consent.inbox_id,
    )
    stated = stated_as(consent.state, consent.version, at)
    SET.do(connection, id=conversation_id, consent=stated)
    return stated


def consents_of(connection: Connection, conversation_id: int) -> list[ConsentRecord]:
    """What a person said, in its order."""
    return [ConsentRecord(*row) for row in OF.rows(connection, id=conversation_id)]


def stated_as(state: ConsentState, version: str, at: str) -> str:
    """What stands in a conversation's row: `yes 3f2a9c01b7de 2026-11-29T12:00:00.000Z`."""
    return f"{state} {version} {at}"
