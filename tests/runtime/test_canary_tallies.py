"""What canaries came to, as both stores count it; and who stops one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runtime.store import canaries, canary_stops
from runtime.store.activity_records import VariantRecord
from runtime.store.canaries import CanaryTally, VariantTally
from runtime.store.catalog import catalog_version, get_bot, put_bot, remove
from runtime.store.client.canaries import read_canaries, read_variants
from runtime.store.records import BotRecord
from runtime.store.usage.reporting import reading
from tests.runtime.month_rows import Rows, rows
from tests.runtime.stores import new_store

CANARY = {"percent": 50, "until": "2099-12-31", "margin": 10, "instructions": "Otra."}
POLICY = {"version": 1, "canary": CANARY}
DAY, NEXT = "2026-10-05T15:00:00.000Z", "2026-10-06T00:00:00.000Z"
_NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_store(request.param, tmp_path) as made:
        yield made


def bot_in(connection: Connection) -> BotRecord:
    bot = get_bot(connection, "la-cocina")
    assert bot is not None
    return bot


def turns(add: Rows, variant: str, count: int, version: int = 1, **fields: Any) -> None:
    """Turns of a variant, `count` of them."""
    for _ in range(count):
        add.message(DAY, add.person(f"{variant}-{next(_NUMBERS)}"), variant=variant, version=version, **fields)


def test_what_a_canary_did_is_counted_from_the_version_of_the_bot_that_declares_it(url: str) -> None:
    with rows(url) as add:
        add.bot()
        before = bot_in(add.connection)
        put_bot(add.connection, replace(before, policy=POLICY))
        turns(add, "canary", 5, version=1, state="dead")
        turns(add, "canary", 4, version=2)
        turns(add, "canary", 2, version=2, state="dead")
        turns(add, "stable", 3, version=3, state="unanswered", reason="handoff")
        turns(add, "stable", 1, version=2, state="unanswered", reason="no_reply")
        counted = canaries.tally(add.connection, bot_in(add.connection))
    assert counted == CanaryTally(VariantTally(6, 2, 0), VariantTally(4, 0, 3), 2)


def test_failures_are_counted_by_themselves_in_the_newest_thirty_turns_only(url: str) -> None:
    with rows(url) as add:
        add.bot(policy=POLICY)
        turns(add, "canary", 3, state="dead")
        turns(add, "canary", 28)
        turns(add, "stable", 40, state="dead")
        counted = canaries.tally(add.connection, bot_in(add.connection))
    assert counted is not None
    assert (counted.canary.failed, counted.newest_failed) == (3, 2)


def test_it_is_stopped_once_for_all_and_is_counted_from_zero_when_another_one_is_declared(url: str) -> None:
    with rows(url) as add:
        add.bot(policy=POLICY)
        connection, bot = add.connection, bot_in(add.connection)
        version = catalog_version(connection)
        assert canary_stops.stop(connection, bot, "failing", {})
        assert not canary_stops.stop(connection, bot, "failures", {})
        assert catalog_version(connection) > version
        assert canaries.is_stopped(connection, bot)
        assert canaries.tally(connection, bot) is None
        stopped = canary_stops.stopped(connection, "la-cocina")
        assert stopped is not None
        assert stopped.reason == "failing"

        put_bot(connection, replace(bot, name="Otro nombre"))
        assert canaries.is_stopped(connection, bot_in(connection))
        other = replace(bot, policy={"version": 1, "canary": CANARY | {"percent": 51}})
        put_bot(connection, other)
        assert not canaries.is_stopped(connection, bot_in(connection))
        assert not canary_stops.stop(connection, bot, "failing", {}), "of the former canary"
        put_bot(connection, bot)
        assert not canaries.is_stopped(connection, bot_in(connection)), "it is declared once more"

        remove(connection, BotRecord, "la-cocina")
    assert read_canaries(url, None) == []


def test_a_row_that_an_older_program_wrote_counts_all_turns_and_can_be_stopped(url: str) -> None:
    with rows(url) as add:
        add.bot(policy=POLICY)
        canaries.forget(add.connection, "la-cocina")
        turns(add, "canary", 3, state="dead")
        bot = bot_in(add.connection)
        counted = canaries.tally(add.connection, bot)
        assert counted is not None
        assert counted.newest_failed == 3
        assert canary_stops.stop(add.connection, bot, "failing", {})
        assert canaries.is_stopped(add.connection, bot)


def test_status_and_report_read_the_same_comparison(url: str) -> None:
    with rows(url) as add:
        add.bot(policy=POLICY)
        turns(add, "canary", 2)
        turns(add, "stable", 3)
        turns(add, "stable", 1, state="unanswered", reason="handoff")
        add.message(NEXT, add.person("later"), variant="canary")
        turns(add, "canary", 1, version=0)
    compared = read_variants(url, None, "la-cocina", DAY, NEXT)
    assert [replace(one, nano_usd=0) for one in compared] == [
        VariantRecord("canary", 2, 2, 0, 0, 0, 2, 80, 0),
        VariantRecord("stable", 4, 3, 0, 1, 0, 3, 120, 0),
    ]
    costs = [one.nano_usd for one in compared if one.nano_usd is not None]
    assert costs[1] / 3 == costs[0] / 2 > 0
    with reading(url) as reader:
        of_month = reader.variants("la-cocina", DAY, NEXT)
    assert [(one.variant, one.turns) for one in of_month] == [("canary", 3), ("stable", 4)]
    assert [(one.bot_id, one.stopped_at) for one in read_canaries(url, None)] == [("la-cocina", None)]
