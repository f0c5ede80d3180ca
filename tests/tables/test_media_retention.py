"""Which messages' files are due to be deleted at Twilio, on an empty store of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runtime.content.parts import Content, Document, Flow, Image, Part, Text, Voice
from runtime.store import timers
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.messages import inbox, media_retention
from runtime.store.messages.content import load_content
from runtime.store.messages.inbox import InboundMessage
from tests.runtime.stores import new_store

USER = "whatsapp:+56912345678"
LATER = "9999-01-01T00:00:00.000Z"
URL = "https://api.twilio.com/x"
NOTE = Voice(URL, "audio/ogg")
WORDS = Text('{"url":"x"} "url":')


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    with new_store(request.param, tmp_path) as url:
        engine = open_engine(url)
        migrate(engine)
        with engine.connect() as connection, connection.begin():
            yield connection
        engine.dispose()


def stored(store: Connection, *parts: Part, bot: str = "bot", state: str = "answered", at: str | None = None) -> int:
    """The id of a message that came in with these parts."""
    sid = f"SM{store.exec_driver_sql('SELECT count(*) FROM inbox').scalar()}"
    inbox.store_message(store, InboundMessage("AC1", sid, bot, USER, USER, Content(parts), "{}"))
    found = int(store.exec_driver_sql("SELECT max(id) FROM inbox").scalar_one())
    moved = f", received_at = '{at}'" if at else ""
    store.exec_driver_sql(f"UPDATE inbox SET state = '{state}'{moved} WHERE id = {found}")
    return found


def due(store: Connection, before: str = LATER, *, also_open: bool = True, limit: int = 10) -> list[str]:
    """The messages for which timers are put."""
    earlier = set(waiting(store))
    count = media_retention.put_due_timers(store, "bot", before, also_open=also_open, limit=limit)
    new = [key for key in waiting(store) if key not in earlier]
    assert len(new) == count
    return new


def waiting(store: Connection) -> list[str]:
    rows = store.exec_driver_sql("SELECT key FROM timers WHERE kind = 'media_deletion' ORDER BY key")
    return [str(key) for (key,) in rows]


def test_a_message_is_due_with_its_files_only(store: Connection) -> None:
    first = stored(store, WORDS)
    photo = stored(store, Text("mira"), Image("", "image/jpeg"))
    stored(store, Flow('{"url":"x"}'))
    stored(store, NOTE, bot="another")
    assert due(store) == [str(photo)]
    assert media_retention.kept_files(store, first) is None


def test_each_is_put_once_the_oldest_first(store: Connection) -> None:
    ids = [stored(store, NOTE) for _ in range(3)]
    assert due(store, limit=2) == [str(one) for one in ids[:2]]
    assert due(store, limit=2) == [str(ids[2])]
    assert due(store) == []


def test_what_came_later_and_what_no_turn_has_used_wait(store: Connection) -> None:
    old = stored(store, NOTE, at="2026-11-01T00:00:00.000Z")
    unanswered = stored(store, NOTE, at="2026-11-02T00:00:00.000Z", state="open")
    stored(store, NOTE, at="2026-11-20T00:00:00.000Z")
    until = "2026-11-10T00:00:00.000Z"
    assert due(store, until, also_open=False) == [str(old)]
    assert due(store, until) == [str(unanswered)]


def test_what_was_deleted_says_when_and_is_not_due_again(store: Connection) -> None:
    found = stored(store, Text("mira"), NOTE, Document(URL, "application/pdf"))
    kept = media_retention.kept_files(store, found)
    assert kept is not None
    assert (kept.account_sid, kept.message_sid, kept.bot_id, kept.is_open) == ("AC1", "SM0", "bot", False)

    media_retention.mark_deleted(store, found)

    row: Any = store.exec_driver_sql(f"SELECT content, body, params FROM inbox WHERE id = {found}").one()
    words, *files = load_content(*row).parts
    assert words == Text("mira")
    assert all(part.deleted_at and part.deleted_at.endswith("Z") for part in files)
    assert media_retention.kept_files(store, found) is None
    assert due(store) == []
    media_retention.mark_deleted(store, found + 1)


def test_a_timer_that_waits_for_twilio_is_not_put_again(store: Connection) -> None:
    found = stored(store, NOTE)
    timers.put(store, media_retention.KIND, str(found), timers.datetime.fromisoformat(LATER), {"attempts": 3})
    assert due(store) == []
    assert timers.payload_of(store, media_retention.KIND, str(found)) == {"attempts": 3}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # PostgreSQL chooses by the size of the table
def test_the_messages_are_found_by_an_index(store: Connection) -> None:
    raw: Any = store.connection.driver_connection
    sql = media_retention.DUE["sqlite"]
    steps: list[str] = []
    raw.set_trace_callback(steps.append)
    sql.rows(store, bot_id="bot", before=LATER, also_open=True, kind="k", limit=1)
    raw.set_trace_callback(None)
    plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {steps[0]}")]
    assert "inbox_files" in plan[0]
