"""A clock that is set back: what began at a time that is still to come is not waited for as much longer."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Text
from runtime.delivery import unknown_sends
from runtime.store.database.database import open_database
from runtime.store.database.times import is_to_come, later, seconds_since, timestamp
from runtime.store.messages import rates
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.turn_start import UserStillWriting, begin_turn
from runtime.store.messages.turns import Hold, Turn
from runtime.turns.ownership import OwnedTurns
from tests.runtime.stores import migrated_store
from tests.runtime_process import Line, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

HOUR = 3600.0


def ahead(seconds: float) -> str:
    return later(timestamp(), seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Connection]:
    with migrated_store("sqlite", tmp_path) as engine, engine.connect() as connection, connection.begin():
        yield connection


def received(store: Connection, sid: str, at: str) -> int:
    """A message that was stored at that time; gives its conversation."""
    taken = store_message(
        store, InboundMessage("AC1", sid, "bot", "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}")
    )
    assert taken is not None
    store.exec_driver_sql("UPDATE inbox SET received_at = ? WHERE id = ?", (at, taken.inbox_id))
    return taken.conversation_id


@pytest.mark.parametrize(
    ("ago", "expected"), [(10.0, 10.0), (0.0, 0.0), (-3.0, 0.0), (-60.0, math.inf), (-HOUR, math.inf)]
)
def test_how_long_ago_something_was(ago: float, expected: float) -> None:
    moment = ahead(-ago)
    assert seconds_since(moment) == pytest.approx(expected, abs=1)
    assert is_to_come(moment, timestamp()) == (expected == math.inf)


@pytest.mark.parametrize(
    ("oldest", "newest", "waits"),
    [
        (-0.1, -0.1, True),
        (-5.0, -5.0, False),
        (HOUR, HOUR, False),
        (HOUR, -0.1, False),  # one before the clock was set back, one since
        (1.0, 1.0, True),  # of a replica whose clock is a second ahead
    ],
)
def test_the_pause_after_a_message(store: Connection, oldest: float, newest: float, waits: bool) -> None:
    received(store, "SM1", ahead(oldest))
    conversation_id = received(store, "SM2", ahead(newest))
    found = begin_turn(store, conversation_id, 10, 2.0, None, 5)
    if waits:
        assert isinstance(found, UserStillWriting)
        assert 0 < found.seconds <= 2.0
    else:
        assert isinstance(found, Turn)


def test_messages_of_a_time_to_come_are_no_flood(store: Connection) -> None:
    for number in range(5):
        received(store, f"SM{number}", ahead(HOUR))
    received(store, "SM9", ahead(-1))
    received(store, "SM10", ahead(-90))
    assert rates.wanted_of_bot(store, "bot", 60.0, 100) == 1
    assert rates.wanted_since(store, "bot", "whatsapp:+569", 60.0, 100) == 1


@pytest.mark.parametrize(
    ("claimed", "earliest", "latest"), [(-600, 650, 670), (0, 50, 70), (HOUR, 24 * HOUR, math.inf)]
)
def test_from_when_on_a_send_is_looked_up(claimed: float, earliest: float, latest: float) -> None:
    since = unknown_sends.earlier(ahead(claimed))
    assert earliest <= seconds_since(since) + 1
    assert seconds_since(since) <= latest


async def test_a_turn_s_age_is_its_owner_s(monkeypatch: pytest.MonkeyPatch, store: Connection, tmp_path: Path) -> None:
    conversation_id = received(store, "SM1", ahead(-1))
    turn = begin_turn(store, conversation_id, 10, 0, None, 5)
    assert isinstance(turn, Turn)
    assert turn.hold == Hold(turn.id, 1, turn.started_at)
    database = await open_database(f"sqlite:///{tmp_path}/owner.db")
    owned = OwnedTurns(database)
    owned.adopt(turn)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - HOUR)
    assert 0 <= owned.seconds_owned(conversation_id) < 5
    await database.close()


@pytest.fixture
def shop(tmp_path: Path, sandbox_process: Sandbox) -> Iterator[Line]:
    running = start_runtime(tmp_path, sandbox_process, DEBOUNCE_SECONDS="5")
    sandbox_process.reset()
    yield open_line(running, sandbox_process)
    running.stop()


def test_a_message_from_before_the_clock_was_set_back_is_answered_now(shop: Line, tmp_path: Path) -> None:
    shop.write("Hola", "+56911111111", wait=0)
    wait_until(lambda: shop.received() > 0, what="the message")
    shop.runtime.kill()
    with closing(sqlite3.connect(tmp_path / "runtime.db")) as store, store:
        store.execute("UPDATE inbox SET received_at = ?", (ahead(HOUR),))
    shop.runtime.start_again()
    wait_until(lambda: len(shop.outbound("+56911111111")) == 1, what="the answer")
