"""What the console's pages read of turns, and what is new, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from runtime.content.parts import Content, Text
from runtime.price_list import prices_of_messages
from runtime.store.audit import Actor
from runtime.store.catalog import put_bot
from runtime.store.console import news, trials, turns
from runtime.store.console.turns import TurnCost
from runtime.store.messages import operators, turn_start
from runtime.store.messages import turns as ends
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage
from runtime.store.messages.turns import Ending
from runtime.store.records import BotRecord
from runtime.store.usage import prices
from runtime.store.usage.ledger import Line
from schemas.default_tariffs import DEFAULT
from tests.runtime.stores import migrated_store

ANA, USER = Actor("ana@horizonai.cl", "console", None), "whatsapp:+56912345678"
PRICE = prices_of_messages(DEFAULT, "bot", "CL").message_in
CALL = '{"type":"function_call","call_id":"1","name":"reservar","arguments":"{}"}'
RESULT = '{"type":"function_call_output","call_id":"1","output":"mesa 7"}'


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("console_store")
    with migrated_store(request.param, folder) as engine:
        yield engine


def answered(store: Engine, message_sid: str, text: str = "Hola") -> tuple[int, int]:
    """A turn that called a function and was answered; gives its conversation and its id."""
    message = InboundMessage("AC1", message_sid, "bot", USER, USER, Content((Text(text),)), "{}")
    with store.begin() as connection:
        prices.put_prices(connection, [PRICE])
        _, turn = turn_start.store_and_begin(connection, message, 10)
        assert turn is not None
        id_ = turn.conversation.id
        answer = OutboundMessage("AC1", USER, USER, OutboundText("Mesa 7"), "rest", claimed=True, conversation_id=id_)
        items = [(f'{{"role":"user","content":"{text}"}}', 1), (CALL, 1), (RESULT, 1)]
        ends.end_turn(connection, turn, Ending("answered", [answer], items, lines=[Line(PRICE, 3)]))
    return id_, turn.id


def test_a_turn_is_read_with_what_it_got_said_called_and_cost(store: Engine) -> None:
    answered(store, "SM1", "Hola de antes")
    id_, turn_id = answered(store, "SM2", "¿Hay mesa?")
    with store.begin() as connection:
        turn = turns.read_by(connection, ANA, "bot", id_, turn_id)
        assert turns.read_by(connection, ANA, "bot", id_ + 1, turn_id) is None, "of another conversation"
        read = connection.exec_driver_sql("SELECT fields FROM audit WHERE actor = 'ana@horizonai.cl'").fetchall()

    assert turn is not None
    assert [message.text for message in (*turn.received, *turn.sent)] == ["¿Hay mesa?", "Mesa 7"]
    assert [(call.name, call.output) for call in turn.calls] == [("reservar", "mesa 7")]
    assert ("user", "Hola de antes") in turn.remembered
    assert ("user", "¿Hay mesa?") not in turn.remembered
    assert turn.costs == [TurnCost("twilio_in", None, 3, PRICE.amount(3))]
    assert (turn.before is not None, turn.after) == (True, None)
    assert [tuple(row) for row in read] == [(f'["turn {turn_id}"]',)]


def test_a_look_finds_what_is_new_since_the_one_before(store: Engine) -> None:
    id_, _ = answered(store, "SM3")
    with store.begin() as connection:
        first = news.look(connection, None, [id_, id_ + 1000], ["no session"])
    known = {(row.table, row.id) for row in first.rows}

    with store.begin() as connection:
        operators.add_note(connection, id_, ANA, "Cliente frecuente")
    with store.begin() as connection:
        second = news.look(connection, first.cursor, [id_], [])

    new = [row for row in second.rows if (row.table, row.id) not in known]
    assert [(row.table, row.client) for row in new] == [("audit", "bot")]
    assert first.sessions == {}
    assert set(first.digests) == {id_}
    assert second.digests[id_] != first.digests[id_], "a note changes what the thread shows"


def test_clients_are_offered_where_there_are_not_too_many(store: Engine) -> None:
    with store.begin() as connection:
        for number in range(3):
            put_bot(connection, BotRecord(f"b{number}", f"B{number}", f"+5690000000{number}", client=f"c{number}"))
        assert [len(trials.choice_of(connection, None, most)) for most in (2, 3)] == [0, 3]
        assert [bot.client for bot in trials.choice_of(connection, ["c0", "c2"], 2)] == ["c0", "c2"]
        assert trials.choice_of(connection, ["c0", "c2"], 1) == []
