"""Answers that Twilio accepted and did not deliver: sent again after a passing failure, counted after any other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.drivers.fleet import USER, Fleet, answers, fleet_on
from tests.runtime_process import Line, signed_webhook
from tests.sandbox_process import Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
"""SQLite is the short form: the statements are the same."""
SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
NOT_DELIVERED = SEND | {"kind": "undelivered"}
STATES = "SELECT part, attempt, state, error_code FROM outbox ORDER BY id"


@pytest.fixture(params=STORES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path, sandbox, STOP_GRACE_SECONDS="1") as fleet:
        yield fleet


def count(fleet: Fleet, line: Line, metric: str, code: str) -> float:
    """A counter of a bot's messages with a code, over all replicas."""
    series = f'{metric}{{client="{line.bot["id"]}",code="{code}"}} '
    pages = [replica.api("GET", "/metrics").body.decode() for replica in fleet.replicas]
    return sum(
        float(each.removeprefix(series)) for page in pages for each in page.splitlines() if each.startswith(series)
    )


def called_back(fleet: Fleet, line: Line, sid: str, status: str, code: str) -> None:
    """Twilio calls us about one of a bot's messages."""
    fields = {"AccountSid": line.sandbox.account_sid, "MessageSid": sid, "MessageStatus": status, "ErrorCode": code}
    parties = {"From": f"whatsapp:{line.number}", "To": f"whatsapp:{USER}"}
    assert signed_webhook(fleet.replicas[0], fields | parties, "/webhook/whatsapp/status").status == 204


@pytest.mark.parametrize(
    "code", [63018, *(pytest.param(code, marks=pytest.mark.long) for code in (63012, 63010, 30001))]
)
def test_an_answer_that_fails_later_for_a_passing_reason_is_sent_again_once(
    tmp_path: Path, sandbox: Sandbox, code: int
) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        sandbox.faults(NOT_DELIVERED | {"code": code, "times": 1})

        shop.write("Hola", wait=0)

        wait_until(lambda: len(shop.shown()) == 1, what="the second attempt on the phone")
        first, second = shop.outbound()
        assert first["body"] == second["body"]
        wait_until(lambda: fleet.rows(STATES) == [(0, 1, "replaced", None), (0, 2, "sent", None)], what="the end")
        called_back(fleet, shop, first["message_sid"], "failed", str(code))
        assert fleet.rows("SELECT count(*) FROM timers WHERE kind = 'postponed_send'") == [(0,)]
        assert count(fleet, shop, "horizonai_sends_again_total", str(code)) == 1
        assert count(fleet, shop, "horizonai_undelivered_total", str(code)) == 0


def test_a_failure_for_good_is_counted_and_not_sent_again(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        sandbox.faults(NOT_DELIVERED | {"code": 63112})
        assert count(fleet, shop, "horizonai_undelivered_total", "63112") == 0

        shop.write("Hola", wait=0)

        wait_until(lambda: fleet.rows(STATES) == [(0, 1, "sent", "63112")], what="the callback")
        (sent,) = shop.outbound()
        called_back(fleet, shop, sent["message_sid"], "undelivered", "63112")
        assert count(fleet, shop, "horizonai_undelivered_total", "63112") == 1
        assert fleet.rows("SELECT count(*) FROM timers WHERE kind = 'postponed_send'") == [(0,)]


def test_a_code_that_nobody_knows_shares_one_series(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        sandbox.faults(NOT_DELIVERED | {"code": 99999})

        shop.write("Hola", wait=0)

        wait_until(lambda: fleet.rows(STATES) == [(0, 1, "sent", "99999")], what="the callback")
        assert count(fleet, shop, "horizonai_undelivered_total", "other") == 1


def test_the_parts_after_one_that_is_sent_again_wait_for_it(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    sandbox.faults(NOT_DELIVERED | {"code": 63018, "times": 1})

    shop.write("escribe 3500 letras", wait=0)

    wait_until(lambda: len(shop.shown()) == 3, what="all parts on the phone")
    sent = [entry["body"] for entry in shop.outbound()]
    assert sent[0] == sent[1]
    assert shop.shown() == sent[1:]
    assert len(set(sent)) == 3


def test_an_answer_waits_for_its_second_attempt_across_a_restart(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    sandbox.faults(NOT_DELIVERED | {"code": 63018, "times": 1})
    shop.write("Hola", wait=0)
    wait_until(
        lambda: fleet.rows("SELECT count(*) FROM outbox WHERE state = 'postponed'") == [(1,)], what="the callback"
    )

    fleet.kill()
    fleet.start_again()

    assert len(set(answers(shop, 2))) == 1
    wait_until(lambda: len(shop.shown()) == 1, what="the second attempt on the phone")


def test_a_proactive_message_is_sent_again_too(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    shop.write("Hola", wait=0)
    answers(shop, 1)
    sandbox.faults(NOT_DELIVERED | {"code": 63012, "times": 1})

    sent = fleet.replicas[0].api("POST", "/messages/", {"to": USER, "body": "Recordatorio", "bot_id": shop.bot["id"]})

    assert sent.status == 201
    wait_until(lambda: shop.shown()[1:] == ["Recordatorio"], what="the second attempt on the phone")
    assert [entry["body"] for entry in shop.outbound()][1:] == ["Recordatorio"] * 2


def test_what_cannot_be_delivered_for_an_hour_is_counted_and_not_sent_again(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        sandbox.faults(NOT_DELIVERED | {"code": 63018, "times": 1})
        shop.write("Hola", wait=0)
        wait_until(lambda: fleet.rows("SELECT 1 FROM outbox WHERE state = 'postponed'") == [(1,)], what="the callback")
        fleet.kill()
        with closing(sqlite3.connect(fleet.database_url.removeprefix("sqlite:///"))) as store, store:
            store.execute("UPDATE outbox SET created_at = '2026-01-01T00:00:00.000Z'")

        fleet.start_again()

        wait_until(lambda: fleet.rows(STATES)[1:] == [(0, 2, "failed", "63018")], what="the end of its wait")
        assert count(fleet, shop, "horizonai_undelivered_total", "63018") == 1
        assert len(shop.outbound()) == 1


@pytest.mark.parametrize("refusal", [{"status": 400}, pytest.param({"status": 403}, marks=pytest.mark.long)])
def test_a_passing_failure_that_twilio_reports_at_once_is_tried_again(
    tmp_path: Path, sandbox: Sandbox, refusal: Json
) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        body = {"code": 63018, "message": "Rate limit exceeded for Channel", "status": refusal["status"]}
        sandbox.faults(SEND | {"kind": "status", "body": body, "times": 2} | refusal)

        shop.write("Hola", wait=0)

        assert len(answers(shop, 1)) == 1
        assert sandbox.fired() == 2
        assert count(fleet, shop, "horizonai_undelivered_total", "63018") == 0


def test_a_refusal_for_good_is_counted_with_its_code(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        body = {"code": 63007, "message": "Channel not found", "status": 400}
        sandbox.faults(SEND | {"kind": "status", "status": 400, "body": body})

        shop.write("Hola", wait=0)

        wait_until(lambda: fleet.rows(STATES) == [(0, 1, "failed", "63007")], what="the refusal")
        wait_until(lambda: count(fleet, shop, "horizonai_undelivered_total", "63007") == 1, what="the metric")
