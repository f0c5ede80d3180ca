"""A yes is recorded by the process that has its turn, and brings what waited for it, on a store of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Text
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.messages import consented_turns, turn_start, turns
from runtime.store.messages.consents import REASON, Consent, consents_of
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.turns import Ending, Turn, TurnTakenOver
from tests.runtime.stores import new_store

USER = "whatsapp:+56912345678"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with new_store(request.param, tmp_path) as url:
        engine = open_engine(url)
        migrate(engine)
        with engine.connect() as connection, connection.begin():
            yield connection
        engine.dispose()


def begun(store: Connection, text: str, sid: str) -> Turn:
    message = InboundMessage("AC1", sid, "bot", USER, USER, Content((Text(text),)), "{}")
    _, turn = turn_start.store_and_begin(store, message, 10)
    assert turn is not None
    return turn


def yes(turn: Turn) -> Consent:
    return Consent("yes", "v1", "word", turn.messages[0].inbox_id, "¿Aceptas?")


def test_what_waited_for_a_yes_joins_its_turn_and_nothing_else(store: Connection) -> None:
    for number, reason in enumerate((REASON, "consent_no", "hours")):
        turns.end_turn(store, begun(store, reason, f"SM{number}"), Ending("unanswered", reason=reason))
    turn = begun(store, "sí", "SM9")

    stated, messages = consented_turns.give(store, turn, yes(turn))

    assert [part.text for one in messages for part in one.content.parts if isinstance(part, Text)] == [REASON, "sí"]
    assert stated.startswith("yes v1 20")
    [record] = consents_of(store, turn.conversation.id)
    assert (record.state, record.version, record.text) == ("yes", "v1", "¿Aceptas?")


def test_a_turn_that_another_process_has_begun_since_records_nothing(store: Connection) -> None:
    turn = begun(store, "sí", "SM1")
    with pytest.raises(TurnTakenOver):
        consented_turns.give(store, replace(turn, starts=2), yes(turn))
    assert consents_of(store, turn.conversation.id) == []
