"""Tokens that are exchanged, and callers who have none that is valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from runtime.api.failed_tries import PERIOD_SECONDS, FailedTries
from runtime.observability.metrics import Metrics
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.errors import StoreError
from runtime.store.tokens import NewToken, create_token, find_token, revoke_token, rotate_token
from tests.observability.scrape import scrape
from tests.runtime.stores import new_store
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with new_store(request.param, tmp_path) as url:
        engine = open_engine(url)
        migrate(engine)
        yield engine
        engine.dispose()


def test_of_an_exchanged_token_the_former_one_is_valid_until_its_time_is_over(store: Engine) -> None:
    shown: list[str] = []
    with store.begin() as connection:
        create_token(connection, NewToken("ci", ["write"], ["la-cocina"]), shown.append)
        rotate_token(connection, "ci", 3600, shown.append)
        former, new = (find_token(connection, token) for token in shown)
        assert former is not None
        assert new is not None
        assert (former.is_former, new.is_former) == (True, False)
        assert (new.scopes, new.clients, new.has_former) == (("write",), ("la-cocina",), True)

        connection.exec_driver_sql("UPDATE tokens SET former_until = '2026-01-01T00:00:00.000Z'")
        assert find_token(connection, shown[0]) is None
        assert find_token(connection, shown[1]) is not None


def test_of_a_token_exchanged_twice_the_first_one_ends(store: Engine) -> None:
    shown: list[str] = []
    with store.begin() as connection:
        create_token(connection, NewToken("ci", ["read"]), shown.append)
        for _ in range(2):
            rotate_token(connection, "ci", 3600, shown.append)
        assert [find_token(connection, token) is not None for token in shown] == [False, True, True]
        revoke_token(connection, "ci")
        assert [find_token(connection, token) for token in shown] == [None] * 3


def test_without_overlap_the_former_token_ends_at_once(store: Engine) -> None:
    shown: list[str] = []
    with store.begin() as connection:
        create_token(connection, NewToken("stolen", ["read"]), shown.append)
        assert rotate_token(connection, "stolen", 0, shown.append) is None
        assert [find_token(connection, token) is not None for token in shown] == [False, True]


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
def test_a_token_that_ended_is_not_exchanged(store: Engine, ended: str) -> None:
    with store.begin() as connection:
        create_token(connection, NewToken("old", ["read"]), lambda _: None)
        connection.exec_driver_sql(f"UPDATE tokens SET {ended} = '2026-01-01T00:00:00.000Z'")
        with pytest.raises(StoreError, match=r"No valid token|expired at"):
            rotate_token(connection, "old", 0, lambda _: None)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_caller_who_failed_too_often_waits_and_no_other_one() -> None:
    clock = Clock()
    tries = FailedTries(Metrics(), 2, clock)
    tries.note_valid("known")
    for _ in range(2):
        assert tries.seconds_left("x", "203.0.113.5") == 0
        tries.note("unknown_token", "203.0.113.5")
    assert tries.seconds_left("x", "203.0.113.5") == PERIOD_SECONDS
    assert tries.seconds_left("known", "203.0.113.5") == 0
    assert tries.seconds_left("x", "203.0.113.6") == 0
    clock.now = PERIOD_SECONDS
    assert tries.seconds_left("x", "203.0.113.5") == 0
    tries.note("unknown_token", "203.0.113.5")
    assert tries.seconds_left("x", "203.0.113.5") == 0


async def test_addresses_of_one_ipv6_network_are_one_caller() -> None:
    tries = FailedTries(Metrics(), 1, Clock())
    tries.note("unknown_token", "2001:db8:1:2::1")
    assert tries.seconds_left("x", "2001:db8:1:2:ffff::9") > 0
    assert tries.seconds_left("x", "2001:db8:1:3::1") == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that allows three failures a minute."""
    runtime = start_runtime(tmp_path_factory.mktemp("guarded"), sandbox_process, FAILED_TRIES="3")
    try:
        yield runtime
    finally:
        runtime.stop()


def test_guesses_are_refused_counted_and_logged_while_a_known_token_and_other_addresses_get_in(
    guarded: Runtime,
) -> None:
    known, fresh = (guarded.command("token", "create", name).out.strip() for name in ("known", "fresh"))
    from_there = {"X-Forwarded-For": "10.0.0.1, 203.0.113.5"}

    def status(token: str | None, **headers: str) -> int:
        return guarded.api("GET", "/bots/", token=token, **{"X-Forwarded-For": headers.get("by", "203.0.113.5")}).status

    assert status(known) == 200
    assert [status("guess") for _ in range(5)] == [401, 401, 401, 429, 429]
    assert status(known) == 200
    assert status(fresh) == 429
    assert status(fresh, by="203.0.113.6") == 200
    refused = guarded.api("GET", "/bots/", token="guess", **from_there)
    assert (refused.error["code"], 0 < int(refused.headers["retry-after"]) <= 60) == ("too_many_tries", True)
    seen = scrape(guarded)
    assert seen.value("horizonai_refused_calls_total", reason="unknown_token") == 3
    assert seen.value("horizonai_refused_calls_total", reason="limited") == 4
    [line] = [line for line in guarded.log() if line["event"] == "calls_refused" and line["reason"] == "limited"]
    assert line["address"] == "203.0.113.5"
