"""A runtime deletes what is over while people write, continues after kill -9, and deletes Twilio's copies too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.test_no_reply import STATE
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

OLD = "2026-01-01T00:00:00.000Z"
POLICY = {"version": 1, "data": {"retention": {"messages": "30d", "at_twilio": True}}}


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("retention"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    return served


def made_old(fleet: Fleet, shop: Line, copies: int) -> None:
    """What was said until now was said long ago, and often."""
    bot = shop.bot["id"]
    for table, column in (("inbox", "received_at"), ("outbox", "created_at"), ("turns", "finished_at")):
        fleet.rows(f"UPDATE {table} SET {column} = '{OLD}' WHERE bot_id = '{bot}' RETURNING 1")
    fleet.rows(
        f"UPDATE items SET created_at = '{OLD}' WHERE conversation_id IN"
        f" (SELECT id FROM conversations WHERE bot_id = '{bot}') RETURNING 1"
    )
    if not copies:
        return
    fleet.rows(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < "
        f"{copies}) INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
        " received_at) SELECT 'AC', 'old' || CAST(n AS TEXT) || bot_id, bot_id, conversation_id, sender, body, params,"
        f" 'limited', received_at FROM inbox, numbers WHERE bot_id = '{bot}' RETURNING 1"
    )


def left(fleet: Fleet, shop: Line) -> int:
    [(count,)] = fleet.rows(f"SELECT count(*) FROM inbox WHERE bot_id = '{shop.bot['id']}' AND received_at = '{OLD}'")
    return int(count)


def said(fleet: Fleet, shop: Line, text: str) -> None:
    """A person writes, and is answered."""
    fleet.sandbox.inbound(shop.number, text, wait=0)
    stored = f"SELECT count(*) FROM inbox WHERE bot_id = '{shop.bot['id']}' AND body = '{text}'"
    wait_until(lambda: fleet.rows(stored)[0][0] > 0, what="the message")
    state = STATE.format(bot=shop.bot["id"])
    wait_until(lambda: fleet.rows(state)[0][1:] == (0, 0), what="the end of the turn")


def due(fleet: Fleet) -> None:
    """Makes the timer due, unless it is running: the end of a run would make it due in an hour."""
    fleet.rows(f"UPDATE timers SET due_at = '{OLD}' WHERE kind = 'retention' AND holder IS NULL RETURNING 1")


def test_it_continues_after_kill_9_and_answers_meanwhile(fleet: Fleet) -> None:
    shop = fleet.open_line(policy={"version": 1, "data": {"retention": {"messages": "30d"}}})
    said(fleet, shop, "Hola")
    made_old(fleet, shop, 6_000)

    def is_begun() -> bool:
        due(fleet)
        return left(fleet, shop) < 6_001

    wait_until(is_begun, what="the first bite")
    fleet.kill()
    fleet.start_again()

    said(fleet, shop, "¿Siguen ahí?")
    wait_until(lambda: left(fleet, shop) == 0, what="the rest")
    runs = f"SELECT deleted FROM retention_runs WHERE client = '{shop.bot['id']}' AND ended_at IS NOT NULL"
    wait_until(lambda: any("messages" in text for (text,) in fleet.rows(runs)), what="the end of the run")
    [(deleted,)] = [row for row in fleet.rows(runs) if "messages" in row[0]]
    assert '"messages":6001' in deleted


def test_twilio_s_copies_go_too_where_that_is_declared(fleet: Fleet) -> None:
    shop, other = fleet.open_line(policy=POLICY), fleet.open_line()
    for one in (shop, other):
        said(fleet, one, "Hola")
        made_old(fleet, one, 0)
    sids = [sid for (sid,) in fleet.rows(f"SELECT message_sid FROM inbox WHERE bot_id = '{shop.bot['id']}'")]

    def deleted() -> set[str]:
        due(fleet)
        calls = fleet.sandbox.calls("twilio", "DELETE")
        return {call["path"].rpartition("/")[2].removesuffix(".json") for call in calls}

    wait_until(lambda: deleted() >= set(sids), what="Twilio's copies")
    [(kept,)] = fleet.rows(f"SELECT message_sid FROM inbox WHERE bot_id = '{other.bot['id']}'")
    assert kept not in deleted()
