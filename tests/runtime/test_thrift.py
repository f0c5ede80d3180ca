"""What a client's answers took and what was saved: the same figures whichever way the store is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from runtime.store.activity_records import ReplyCounts
from runtime.store.client.history import read_reply_counts
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.errors import StoreError
from runtime.store.messages.thrift import REPLY_COUNTS
from runtime.store.tables import bots, inbox, outbox, turns
from tests.bare_server import Serve, answer
from tests.runtime.stores import new_store
from tests.runtime_process import API_TOKEN, Runtime, start_runtime
from tests.sandbox_process import Sandbox

SINCE, UNTIL = "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"
BEFORE, FIRST, LAST = "2026-10-31T23:59:59.999Z", SINCE, "2026-11-30T23:59:59.999Z"
TURNS: list[tuple[str, str, str, str | None, str | None, list[str]]] = [
    ("cocina", FIRST, "answered", None, "gpt-6-luna", ["sent"]),
    ("cocina", LAST, "answered", None, "gpt-6-luna", ["sent", "sent", "failed"]),
    ("cocina", FIRST, "answered", None, None, ["replaced", "sent"]),
    ("cocina", FIRST, "answered", None, None, ["ready"]),
    ("cocina", FIRST, "dead", None, None, ["sent"]),
    ("cocina", FIRST, "unanswered", "paused", None, []),
    ("cocina", FIRST, "unanswered", "media", None, ["sent"]),
    ("cocina", FIRST, "unanswered", "no_reply", None, []),
    ("cocina", LAST, "unanswered", "no_reply", None, []),
    ("cocina", LAST, "unanswered", "no_reply", "gpt-6-luna", []),
    ("cocina", BEFORE, "answered", None, None, ["sent"]),
    ("cocina", UNTIL, "unanswered", "no_reply", None, []),
    ("otro", FIRST, "answered", None, None, ["sent"]),
    ("otro", FIRST, "unanswered", "no_reply", None, []),
]
"""Bot, when its messages came in, state, reason, model, states of its messages."""
COUNTED = ReplyCounts(answered=4, messages=4, saved_by_list=2, saved_by_model=1)


def fill(url: str) -> None:
    """The bots `cocina` and `otro`, with two messages for each of those turns."""
    engine = open_engine(url)
    migrate(engine)
    shared = {"account_sid": "AC", "sender": "whatsapp:+1", "body": "Hola"}
    with engine.begin() as connection:
        for number, bot in enumerate(("cocina", "otro")):
            texts = {"state": "active", "functions": "{}", "metadata": "{}", "created_at": "x", "updated_at": "x"}
            values = {"id": bot, "name": bot, "twilio_phone_number": f"+1555{number}", "client": f"la-{bot}", **texts}
            connection.execute(insert(bots).values(protected=False, version=1, **values))
        for turn, (bot, at, state, reason, model, messages) in enumerate(TURNS, 1):
            named = {"bot_id": bot, "conversation_id": turn}
            ended = {"state": state, "reason": reason, "model": model, "starts": 1, "started_at": at}
            connection.execute(insert(turns).values(id=turn, **named, **ended))
            for number in range(2):
                row = {"message_sid": f"SM{turn}-{number}", "turn_id": turn, "received_at": at, "state": state}
                connection.execute(insert(inbox).values(params="{}", **shared, **named, **row))
            for part, sent in enumerate(messages):
                row = {"turn_id": turn, "part": part, "channel": "rest", "state": sent, "created_at": at}
                connection.execute(insert(outbox).values(recipient="whatsapp:+2", **shared, **named, **row))
    engine.dispose()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("thrift")
    fill(f"sqlite:///{folder}/runtime.db")
    running = start_runtime(folder, sandbox_process)
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "api"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str | None]]:
    if request.param == "api":
        yield request.getfixturevalue("api").url, API_TOKEN
        return
    with new_store(request.param, tmp_path) as url:
        fill(url)
        yield url, None


def test_a_period_has_its_answers_their_messages_and_what_was_saved(way: tuple[str, str | None]) -> None:
    assert read_reply_counts(*way, "la-cocina", SINCE, UNTIL) == COUNTED
    assert read_reply_counts(*way, "la-otro", SINCE, UNTIL) == ReplyCounts(1, 1, 1, 0)
    assert read_reply_counts(*way, "la-cocina", BEFORE, SINCE) == ReplyCounts(1, 1, 0, 0)
    assert read_reply_counts(*way, "nadie' OR '1'='1", SINCE, UNTIL) == ReplyCounts(0, 0, 0, 0)
    assert COUNTED.saved == 3


def test_a_store_that_is_not_there_yet_has_saved_nothing(tmp_path: Path) -> None:
    counts = read_reply_counts(f"sqlite:///{tmp_path}/none.db", None, "la-cocina", SINCE, UNTIL)
    assert counts == ReplyCounts(0, 0, 0, 0)


def test_a_runtime_of_an_earlier_release_does_not_say(serve: Serve) -> None:
    missing = b'{"error": {"code": "not_found", "message": "There is no such path."}}'
    url = serve(answer("404 Not Found", missing), answer("500 Oops", missing)).removesuffix("/v1")
    assert read_reply_counts(url, API_TOKEN, "la-cocina", SINCE, UNTIL) is None
    with pytest.raises(StoreError, match="answered 500"):
        read_reply_counts(url, API_TOKEN, "la-cocina", SINCE, UNTIL)


def test_only_the_messages_of_the_client_and_the_period_are_looked_at(tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path}/store.db")
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        values = {"client": "la-cocina", "since": SINCE, "until": UNTIL}
        steps = [row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {REPLY_COUNTS}", values)]
    assert [step for step in steps if step.startswith(("SCAN inbox", "SCAN turns", "SCAN outbox"))] == []
    assert any("USING INDEX inbox_bot (bot_id=? AND received_at>? AND received_at<?)" in step for step in steps)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "since is required"),
        (f"?since={SINCE}", "until is required"),
        (f"?since=2026-11&until={UNTIL}", "since must be a timestamp like 2026-11-22T12:00:00.000Z, not '2026-11'."),
        (f"?since={SINCE}&until={'9' * 99}", f"not '{'9' * 24}…'."),
    ],
)
def test_a_period_that_is_none_is_refused(api: Runtime, query: str, said: str) -> None:
    refused = api.api("GET", f"/reconcile/replies/la-cocina{query}")
    assert (refused.status, said in refused.error["message"]) == (400, True), refused.body
