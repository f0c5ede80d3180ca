"""The conversations behind a figure of a report have as many messages as the figure says, on both databases."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text

from runtime.store.database.times import timestamp
from runtime.store.usage.behind import conversations_behind
from runtime.store.usage.reporting import ReportReader
from runtime.store.usage.traffic import MonthSpan, Traffic, month_span, read_traffic
from tests.runtime.stores import migrated_store

BOTS = ["one", "two"]
CHATHAM, SANTIAGO = "Pacific/Chatham", "America/Santiago"
"""Three quarters of an hour off; and a night in September of 2026 that has no hour from 0 to 1."""
MESSAGES, PEOPLE, BLOCKED = 600, 40, 7
ADD_PERSON = text(
    "INSERT INTO conversations (id, bot_id, user_key, created_at, blocked_at) VALUES (:id, :bot, 'x', '', :at)"
)
ADD_TURN = text(
    "INSERT INTO turns (id, conversation_id, bot_id, state, starts, started_at, reason, used)"
    " VALUES (:id, :person, :bot, :state, 1, :at, :reason, :used)"
)
ADD_MESSAGE = text(
    "INSERT INTO inbox (id, account_sid, message_sid, bot_id, conversation_id, sender, body, params, state, turn_id,"
    " received_at) VALUES (:id, 'AC', CAST(:id AS text), :bot, :person, 'x', '', '{}', :state, :id, :at)"
)
STATES = [("answered", None), ("unanswered", "budget"), ("unanswered", None), ("limited", None), ("dead", None)]
STATES += [("dropped", None), ("open", None)]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two bots with messages of all sorts in September of 2026 and around it; one of their people is blocked."""
    folder: Path = tmp_path_factory.mktemp("behind")
    with migrated_store(request.param, folder) as engine:
        fill(engine, random.Random(20260901))
        yield engine


def fill(engine: Engine, chance: random.Random) -> None:
    first = datetime(2026, 8, 29, tzinfo=ZoneInfo("UTC"))
    people = [{"id": id_, "bot": BOTS[id_ % 2], "at": "x" if id_ == BLOCKED else None} for id_ in range(1, PEOPLE + 1)]
    turns, messages = [], []
    for id_ in range(1, MESSAGES + 1):
        person, (state, reason) = chance.choice(people), chance.choice(STATES)
        used = {"documents": chance.sample(["menu.pdf", "carta.pdf"], chance.randint(0, 2))} if not reason else None
        at = timestamp((first + timedelta(minutes=chance.randrange(36 * 24 * 60))).timestamp())
        shared = {"id": id_, "person": person["id"], "bot": person["bot"], "state": state, "at": at}
        turns.append({**shared, "reason": reason, "used": used and json.dumps(used)})
        messages.append(shared)
    with engine.begin() as connection:
        connection.execute(ADD_PERSON, people)
        connection.execute(ADD_TURN, turns)
        connection.execute(ADD_MESSAGE, messages)


@pytest.fixture(params=[SANTIAGO, CHATHAM])
def month(request: pytest.FixtureRequest) -> MonthSpan:
    return month_span(2026, 9, ZoneInfo(request.param))


def counted(store: Engine, month: MonthSpan, figure: str) -> int:
    """The messages behind a figure; each conversation is there once, the newest message first."""
    with store.begin() as connection:
        found = conversations_behind(connection, BOTS, month, figure)
    assert len({one.id for one in found}) == len(found)
    assert [one.newest_at for one in found] == sorted((one.newest_at for one in found), reverse=True)
    assert BLOCKED not in {one.id for one in found}
    return sum(one.messages for one in found)


def traffic(store: Engine, month: MonthSpan) -> Traffic:
    with store.begin() as connection:
        return read_traffic(ReportReader(connection), BOTS, month)


def test_each_state_and_reason_has_as_many_messages_as_the_report_counts(store: Engine, month: MonthSpan) -> None:
    whole = traffic(store, month)
    assert min(whole.answered, whole.failed, whole.waiting) > 0
    for name in ("received", "answered", "failed", "waiting"):
        assert counted(store, month, name) == getattr(whole, name), name
    assert set(whole.unanswered) == {"budget", "unanswered", "limited"}
    assert {reason: counted(store, month, f"reason:{reason}") for reason in whole.unanswered} == whole.unanswered


def test_so_has_each_day_and_hour_in_the_client_s_zone(store: Engine, month: MonthSpan) -> None:
    whole = traffic(store, month)
    assert [counted(store, month, f"day:{day}") for day in range(1, 31)] == whole.days
    for weekday, hours in enumerate(whole.hours):
        assert [counted(store, month, f"hour:{weekday}-{hour}") for hour in range(24)] == hours, weekday


def test_a_document_has_the_messages_whose_turns_cite_it(store: Engine, month: MonthSpan) -> None:
    with store.begin() as connection:
        reader = ReportReader(connection)
        used = [one.used for bot in BOTS for one in reader.received(bot, month.since, month.until) if one.used]
    cited = sum("menu.pdf" in json.loads(one).get("documents", ()) for one in used)
    assert counted(store, month, "documents:menu.pdf") == cited > 0
    assert counted(store, month, "documents:otro.pdf") == counted(store, month, "functions:menu.pdf") == 0


@pytest.mark.parametrize("figure", ["day:31", "day:x", "hour:9-9", "reason:otra"])
def test_a_value_that_nothing_has_counts_nothing(store: Engine, month: MonthSpan, figure: str) -> None:
    assert counted(store, month, figure) == 0
