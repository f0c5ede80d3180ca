"""What waits in the store, counted on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Text
from runtime.store import timers
from runtime.store.messages.backlog import read_backlog
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Ending, Turn, end_turn
from tests.runtime.stores import migrated_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with migrated_store(request.param, tmp_path) as engine, engine.begin() as opened:
        yield opened


def arrive(connection: Connection, client: str, sid: str) -> int:
    """A message for a client's bot; gives its conversation."""
    taken = store_message(
        connection, InboundMessage("AC1", sid, client, "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}")
    )
    assert taken is not None
    return taken.conversation_id


def begun(connection: Connection, conversation_id: int) -> Turn:
    """The turn that answers what waits."""
    turn = begin_turn(connection, conversation_id, 10, 0, None, 0)
    assert isinstance(turn, Turn)
    return turn


def test_an_empty_store_has_no_backlog(connection: Connection) -> None:
    backlog = read_backlog(connection)

    assert (list(backlog.waiting), backlog.in_doubt, backlog.dead) == ([], 0, 0)


def test_messages_that_wait_are_counted_by_client_with_the_age_of_the_oldest(connection: Connection) -> None:
    for number, client in enumerate(["la-cocina", "la-cocina", "cliente-a"]):
        arrive(connection, client, f"SM{number}")

    waiting = {item.client: item for item in read_backlog(connection).waiting}

    assert {client: item.messages for client, item in waiting.items()} == {"la-cocina": 2, "cliente-a": 1}
    assert all(0 <= item.oldest_seconds < 60 for item in waiting.values())


def test_an_answered_message_waits_no_longer_and_its_send_is_in_doubt_until_recorded(connection: Connection) -> None:
    turn = begun(connection, arrive(connection, "la-cocina", "SM1"))
    message = OutboundMessage("AC1", "whatsapp:+1555", "whatsapp:+569", OutboundText("Hola"), "rest", claimed=True)

    end_turn(connection, turn, Ending("answered", outbound=[message]))

    backlog = read_backlog(connection)
    assert (list(backlog.waiting), backlog.in_doubt) == ([], 1)


def test_timers_are_counted_by_kind_with_how_late_the_oldest_is_that_no_process_runs(connection: Connection) -> None:
    now = datetime.now(UTC)
    for key, due in (("late", -100), ("run", -200), ("coming", 100)):
        timers.put(connection, "resume", key, now + timedelta(seconds=due), {})
    timers.put(connection, "expire", "coming", now + timedelta(seconds=100), {})
    [run] = timers.claim(connection, ["resume"], "a process", 1, may_take_over=True)

    expire, resume = read_backlog(connection).timers
    assert (expire.kind, expire.waiting, expire.late_seconds, expire.failing) == ("expire", 1, 0.0, 0)
    assert (resume.kind, resume.waiting, resume.failing) == ("resume", 3, 0)
    assert 100 <= resume.late_seconds < 160

    timers.fail(connection, run, "ZeroDivisionError: no", 60)

    _, resume = read_backlog(connection).timers
    assert resume.failing == 1
    assert resume.late_seconds >= 200


def test_a_turn_that_failed_for_good_is_a_dead_letter(connection: Connection) -> None:
    turn = begun(connection, arrive(connection, "la-cocina", "SM1"))

    end_turn(connection, turn, Ending("dead", error="The account has no credit left."))

    backlog = read_backlog(connection)
    assert (list(backlog.waiting), backlog.dead) == ([], 1)
