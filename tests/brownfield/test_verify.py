"""`reconcile verify`: a number becomes a sender, with as few attempts as can be."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime, timedelta

import pytest

from runtime.store.client.writer import open_writer
from runtime.store.records import AppliedRecord
from tests.reconciler.agency import API_TOKEN, Agency

CLIENT = "la-cocina"


@pytest.fixture
def declared(agency: Agency) -> Agency:
    """A client whose number is not registered yet; its owner has to read a code."""
    agency.declare(CLIENT, registered=False)
    return agency


def attempted(agency: Agency, times: int, hours_ago: float) -> None:
    """The store remembers attempts."""
    moment = datetime.now(UTC) - timedelta(hours=hours_ago)
    number = agency.number(CLIENT)
    values = {"attempts": [moment.isoformat()] * times}
    writer = open_writer(agency.store_url, API_TOKEN)
    writer.record_applied(AppliedRecord(number, "verification", number, values))
    writer.close()


def creates(agency: Agency) -> int:
    return len([call for call in agency.sandbox.calls("twilio", "POST") if call["path"] == "/v2/Channels/Senders"])


def test_a_new_number_is_registered_under_the_clients_name_and_awaits_its_code(declared: Agency) -> None:
    result = declared.reconcile("verify", CLIENT)
    assert result.code == 2, result.said
    number = declared.number(CLIENT)
    assert result.out == f"{number} awaits its code, which an SMS brings: `reconcile verify la-cocina --code CODE`.\n"
    sender = declared.sender(CLIENT)
    assert (sender["status"], sender["profile"]["name"]) == ("PENDING_VERIFICATION", "Cliente la-cocina")


def test_the_code_completes_it_and_the_next_apply_attaches_it(declared: Agency) -> None:
    declared.reconcile("verify", CLIENT)
    result = declared.reconcile("verify", CLIENT, "--code", "123456")
    assert (result.code, result.out) == (
        0,
        f"{declared.number(CLIENT)} is ONLINE. `reconcile --client la-cocina` attaches it.\n",
    )
    declared.apply()
    assert declared.changes() == []


def test_a_number_bought_at_twilio_needs_no_code(declared: Agency) -> None:
    declared.sandbox.settings(otp="never")
    assert declared.reconcile("verify", CLIENT, "--method", "voice").code == 0
    assert declared.sender(CLIENT)["status"] == "ONLINE"


def test_asking_again_registers_nothing_again(declared: Agency) -> None:
    for _ in range(3):
        assert declared.reconcile("verify", CLIENT).code == 2
    assert creates(declared) == 1


def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(declared: Agency) -> None:
    declared.sandbox.faults(
        {"kind": "timeout_after_write", "method": "POST", "path": "/v2/Channels/Senders", "seconds": 0.1, "times": 1}
    )
    assert declared.reconcile("verify", CLIENT).code == 2
    assert creates(declared) == 1


def test_a_wrong_code_is_said_and_counted(declared: Agency) -> None:
    declared.reconcile("verify", CLIENT)
    result = declared.reconcile("verify", CLIENT, "--code", "000000")
    assert result.code == 1
    assert "the verification code is wrong" in result.err
    [kept] = [record for record in declared.snapshot().applied if record.kind == "verification"]
    assert len(kept.values["attempts"]) == 2


def test_registering_and_completing_in_one_go_are_two_attempts(declared: Agency) -> None:
    assert declared.reconcile("verify", CLIENT, "--code", "123456").code == 0
    [kept] = [record for record in declared.snapshot().applied if record.kind == "verification"]
    assert len(kept.values["attempts"]) == 2


def test_the_eleventh_attempt_is_refused_with_the_moment_of_the_next(declared: Agency) -> None:
    attempted(declared, 10, hours_ago=71)
    result = declared.reconcile("verify", CLIENT)
    assert result.code == 3
    again = datetime.now(UTC) + timedelta(hours=1)
    assert re.search(rf"is possible from {again:%Y-%m-%d} \d\d:\d\d UTC; nothing was sent", result.err)
    assert creates(declared) == 0


def test_attempts_older_than_72_hours_do_not_count(declared: Agency) -> None:
    attempted(declared, 10, hours_ago=73)
    assert declared.reconcile("verify", CLIENT).code == 2


def test_attempts_that_others_used_up_are_refused_in_twilios_words(declared: Agency) -> None:
    fault = {"kind": "status", "status": 400, "body": {"code": 20249, "message": "Registration limit", "status": 400}}
    declared.sandbox.faults({**fault, "method": "POST", "path": "/v2/Channels/Senders"})
    result = declared.reconcile("verify", CLIENT)
    assert result.code == 3
    assert "error 20249: Unable to create record: Registration limit" in result.err


@pytest.mark.parametrize("status", ["OFFLINE", "DRAFT"])
def test_a_sender_that_only_a_person_can_mend_is_left_alone(declared: Agency, status: str) -> None:
    declared.sandbox.register(declared.number(CLIENT), status=status)
    result = declared.reconcile("verify", CLIENT)
    assert result.code == 1
    assert f"is {status}; see it in Twilio's console" in result.err
    assert declared.writes() == 0


def test_a_sender_that_is_online_needs_nothing(agency: Agency) -> None:
    agency.declare(CLIENT)
    result = agency.reconcile("verify", CLIENT, "--code", "123456")
    assert result.code == 0
    assert agency.writes() == 0


def test_the_attempts_of_a_number_are_no_object_of_ours(declared: Agency) -> None:
    attempted(declared, 1, hours_ago=1)
    agency = declared
    agency.sandbox.register(agency.number(CLIENT), profile={"name": "La Cocina"})
    agency.apply()
    assert agency.plan()["orphans"] == []
    assert agency.changes() == []


def test_ctrl_c_in_the_middle_of_an_attempt_does_not_say_that_nothing_was_changed(declared: Agency) -> None:
    declared.sandbox.faults({"kind": "latency", "seconds": 300, "method": "POST", "provider": "twilio"})
    running = declared.start("verify", CLIENT)
    declared.await_fault()
    running.signal(signal.SIGINT)
    result = running.wait()
    assert (result.code, result.out) == (1, "")
    assert "Stopped; the attempt in progress is counted" in result.err
    assert "`reconcile verify la-cocina` checks the status" in result.err


def test_ctrl_c_before_the_first_attempt_says_that_nothing_was_changed(declared: Agency) -> None:
    declared.sandbox.faults({"kind": "latency", "seconds": 300, "method": "GET", "provider": "twilio"})
    running = declared.start("verify", CLIENT)
    declared.await_fault()
    running.signal(signal.SIGINT)
    assert "Stopped; nothing was changed." in running.wait().err
