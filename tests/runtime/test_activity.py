"""When bots were last written to, and how that went: for every bot at once, whatever lies in the inbox."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from runtime.store.activity_records import LOOP_PAUSE_SECONDS, ActivityRecord
from runtime.store.client.history import LATEST_ACTIVITY, loops_query, read_activity, undelivered_query
from runtime.store.database.engine import open_engine
from runtime.store.database.times import timestamp
from runtime.store.tables import conversations, inbox, outbox, turns
from tests.runtime.stores import make_file, new_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of ours with nothing in it."""
    with new_store(request.param, tmp_path) as made:
        yield made


def received(engine: Engine, number: int, bot: str, turn: int | None, state: str = "answered") -> None:
    """A message to a bot, the later the higher its number, and its turn."""
    message = {"account_sid": "AC", "sender": "whatsapp:+56912345678", "body": "Hola", "params": "{}"}
    with engine.begin() as connection:
        connection.execute(
            insert(inbox).values(
                id=number,
                message_sid=f"SM{number}",
                bot_id=bot,
                conversation_id=number,
                state=state,
                turn_id=turn,
                received_at=f"2026-11-22T10:00:{number:02}.000000Z",
                **message,
            )
        )
        if turn is not None:
            error = "the model is gone" if state == "dead" else None
            connection.execute(
                insert(turns).values(
                    id=turn, conversation_id=number, bot_id=bot, state=state, starts=1, started_at="x", error=error
                )
            )


def test_each_bot_shows_its_newest_message_and_the_turn_that_was_last(url: str) -> None:
    engine = open_engine(url)
    for number, (bot, turn, state) in enumerate(
        [
            ("cliente-b", 7, "dead"),
            ("la-cocina", 3, "answered"),
            ("cliente-a", None, "open"),
            ("cliente-b", 9, "answered"),
            ("la-cocina", 8, "dead"),
            ("la-cocina", None, "limited"),
        ]
    ):
        received(engine, number, bot, turn, state)
    engine.dispose()

    assert read_activity(url, None) == [
        ActivityRecord("cliente-a", "2026-11-22T10:00:02.000000Z", None, None),
        ActivityRecord("cliente-b", "2026-11-22T10:00:03.000000Z", "answered", None),
        ActivityRecord("la-cocina", "2026-11-22T10:00:05.000000Z", "dead", "the model is gone"),
    ]


def test_what_reached_no_phone_is_counted_by_code_for_a_day(url: str) -> None:
    engine = open_engine(url)
    received(engine, 1, "la-cocina", 3)
    received(engine, 2, "cliente-a", 4)
    hours_ago = {hours: timestamp(time.time() - hours * 3600) for hours in (1, 23, 25)}
    messages = [(3, 0, 1, "63112"), (3, 1, 1, None), (2, 0, 23, "63112"), (1, 0, 23, "63014"), (0, 0, 25, "63112")]
    with engine.begin() as connection:
        for turn, part, age, code in messages:
            row = {"turn_id": turn, "part": part, "created_at": hours_ago[age], "error_code": code}
            parties = {"account_sid": "AC", "sender": "whatsapp:+1", "recipient": "whatsapp:+2", "body": ""}
            connection.execute(
                insert(outbox).values(bot_id="la-cocina", channel="rest", state="sent", **row, **parties)
            )
    engine.dispose()

    other, kitchen = read_activity(url, None)

    assert (kitchen.last_undelivered, kitchen.undelivered) == ("63112", {"63014": 1, "63112": 2})
    assert (other.last_undelivered, other.undelivered) == (None, {})


DELIVERIES: list[tuple[list[tuple[str, str | None, str | None]], str | None]] = [
    ([], None),
    ([("sent", "delivered", None)], "delivered"),
    ([("sent", "read", None), ("sent", "delivered", None)], "delivered"),
    ([("sent", "delivered", None), ("sent", "sent", None)], "sent"),
    ([("sending", None, None)], "sent"),
    ([("sent", "delivered", None), ("sent", "undelivered", "63112")], "undelivered"),
    ([("failed", None, None)], "undelivered"),
    ([("replaced", "failed", None), ("sent", "delivered", None)], "delivered"),
]
"""The messages of the last turn (state, Twilio's status, code), and their outcome."""


def test_the_outcome_of_the_last_answer_follows_from_its_messages(url: str) -> None:
    engine = open_engine(url)
    parties = {"account_sid": "AC", "sender": "whatsapp:+1", "recipient": "whatsapp:+2", "body": "", "created_at": "x"}
    for number, (messages, _) in enumerate(DELIVERIES, start=1):
        received(engine, number, f"bot-{number}", number)
        with engine.begin() as connection:
            for part, (state, status, code) in enumerate(messages):
                row = {"turn_id": number, "part": part, "state": state, "status": status, "error_code": code}
                connection.execute(insert(outbox).values(bot_id=f"bot-{number}", channel="rest", **row, **parties))
    engine.dispose()

    assert [item.last_delivery for item in read_activity(url, None)] == [expected for _, expected in DELIVERIES]


def test_conversations_that_are_paused_as_loops_are_counted(url: str) -> None:
    engine = open_engine(url)
    received(engine, 1, "la-cocina", 3)
    received(engine, 2, "cliente-a", 4)
    since = [timestamp(time.time() - age) for age in (60, 600, LOOP_PAUSE_SECONDS + 60)]
    with engine.begin() as connection:
        for loop_since in (*since, None):
            row = {"bot_id": "la-cocina", "user_key": "whatsapp:+1", "created_at": since[0], "loop_since": loop_since}
            connection.execute(insert(conversations).values(**row))
    engine.dispose()

    other, kitchen = read_activity(url, None)

    assert (kitchen.loops, kitchen.loops_since) == (2, since[0])
    assert (other.loops, other.loops_since) == (0, None)


def test_an_empty_inbox_has_nothing_to_tell(url: str) -> None:
    assert read_activity(url, None) == []


def test_no_pass_over_all_messages_is_made(tmp_path: Path) -> None:
    make_file(tmp_path / "store.db")
    engine = open_engine(f"sqlite:///{tmp_path}/store.db")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        steps = [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {LATEST_ACTIVITY}")]
        loops = [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {loops_query()}")]
        undelivered = [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {undelivered_query()}")]
    assert [step for step in steps if step.startswith(("SCAN inbox", "SCAN turns"))] == []
    assert "USING INDEX outbox_undelivered" in undelivered[0]
    assert "USING INDEX conversations_loops" in loops[0]
    assert sum("USING COVERING INDEX inbox_bot" in step for step in steps) >= 3
