"""What SQLite reads for a message: the rows that it is about, however many messages are stored or open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Text
from runtime.price_list import prices_of_messages
from runtime.store.audit import Actor
from runtime.store.console import news
from runtime.store.console import turns as console_turns
from runtime.store.messages import desk, inbox, outbox, send_matching, turn_start, turns
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.turns import Ending, Turn
from schemas.default_tariffs import DEFAULT
from tests.runtime.stores import migrated_store

BOT, USER = "whatsapp:+15550001", "whatsapp:+56912345678"
PRICES = prices_of_messages(DEFAULT, "bot", "CL")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Connection]:
    """A transaction on an empty store."""
    with migrated_store("sqlite", tmp_path) as engine, engine.connect() as connection, connection.begin():
        yield connection


@pytest.fixture
def begun(store: Connection) -> Turn:
    """A turn that was begun as its message came in."""
    message = InboundMessage("AC1", "SM1", "bot", USER, USER, Content((Text("Hola"),)), "{}")
    _, turn = turn_start.store_and_begin(store, message, 10)
    assert turn is not None
    return turn


@pytest.fixture
def sending(store: Connection, begun: Turn) -> OutboxRow:
    """The answer of an ended turn, which is being sent."""
    return turns.end_turn(store, begun, Ending("answered", [answer(begun)], [('{"role":"user"}', 1)]))[0]


def answer(turn: Turn) -> OutboundMessage:
    return OutboundMessage(
        "AC1", BOT, USER, OutboundText("Hola"), "rest", claimed=True, conversation_id=turn.conversation.id
    )


def scans(store: Connection, operation: Callable[..., Any], *arguments: object) -> list[str]:
    """The tables that the statements of an operation read from one end to the other, as SQLite explains them."""
    raw: Any = store.connection.driver_connection
    statements: list[str] = []
    raw.set_trace_callback(statements.append)
    operation(store, *arguments)
    raw.set_trace_callback(None)
    assert statements
    steps = [row[3] for statement in statements for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]
    return [step for step in steps if step.startswith("SCAN") and step not in ("SCAN catalog", "SCAN CONSTANT ROW")]


def test_a_message_that_begins_a_turn(store: Connection, begun: Turn) -> None:
    message = InboundMessage("AC1", "SM2", "bot", USER, USER, Content((Text("¿Hay mesa?"),)), "{}")

    assert scans(store, turn_start.store_and_begin, message, 10) == []


def test_the_end_of_a_turn(store: Connection, begun: Turn) -> None:
    assert scans(store, turns.end_turn, begun, Ending("answered", [answer(begun)], [('{"role":"user"}', 1)])) == []


def test_an_answer_that_was_sent(store: Connection, sending: OutboxRow) -> None:
    assert scans(store, send_matching.mark_sent, sending.id, "SM3", "queued", PRICES) == []
    assert scans(store, outbox.status_of, sending.id) == []


def test_the_search_for_open_conversations_reads_open_messages_only(store: Connection, begun: Turn) -> None:
    assert inbox.open_conversations(store) == [begun.conversation.id]
    assert scans(store, inbox.open_conversations) == ["SCAN inbox USING INDEX inbox_open", "SCAN open"]


def test_what_is_new_for_a_desk_reads_new_rows_and_those_that_people_have(store: Connection, begun: Turn) -> None:
    found = set(scans(store, desk.news, ["bot"], ["bot"], 0, 0)) - {"SCAN json_each VIRTUAL TABLE INDEX 1:"}

    assert found == {"SCAN c USING INDEX conversations_people", "SCAN m USING INDEX desk_messages_open"}


def test_what_the_console_s_streams_and_its_page_of_a_turn_read(store: Connection, sending: OutboxRow) -> None:
    assert scans(store, news.look, news.NewsCursor(0, 0, 0), [sending.conversation_id], ["session"]) == []
    ana = Actor("ana", "console", None)
    assert scans(store, console_turns.read_by, ana, "bot", sending.conversation_id, sending.turn_id) == []
