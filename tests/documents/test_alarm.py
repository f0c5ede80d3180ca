"""Drift as an alarm: notified once while it lasts, once when it is resolved, and never lost."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from notifications.channels import channel_of
from runtime.store.client.writer import open_writer
from tests.documents.receiver import Receiver
from tests.reconciler.agency import WEBHOOK, Agency
from tests.runtime.stores import drop_database, make_database

BROKEN = {"callback_url": "https://otro.cl/webhook"}
ELSEWHERE = {"callback_url": "https://tercero.cl/webhook"}


def drifting(agency: Agency) -> None:
    """One client, whose webhook was changed in Twilio's console."""
    agency.declare("la-cocina")
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), webhook=BROKEN)


def test_a_finding_is_told_once_and_not_every_night(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    for _ in range(2):
        assert agency.reconcile("drift", "--notify", receiver.url()).code == 2
    [message] = receiver.messages
    assert message["title"] == "WhatsApp assistants: 1 changed outside of git"
    assert message["type"] == "warning"
    assert f"la-cocina: sender {agency.number('la-cocina')} (drift)" in message["message"]
    assert "webhook.callback_url: it is https://otro.cl/webhook, declared https://whatsapp" in message["message"]


def test_what_is_gone_is_told_once(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.reconcile("drift", "--notify", receiver.url())
    agency.apply()
    for _ in range(2):
        assert agency.reconcile("drift", "--notify", receiver.url()).code == 0
    [_, message] = receiver.messages
    assert message["title"] == "WhatsApp assistants: 1 in sync again"
    assert message["type"] == "success"
    assert message["message"].strip() == f"In sync again: la-cocina/sender/{agency.number('la-cocina')}"


def test_a_finding_that_changes_once_more_is_news(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.reconcile("drift", "--notify", receiver.url())
    agency.sandbox.change(agency.number("la-cocina"), webhook=ELSEWHERE)
    agency.reconcile("drift", "--notify", receiver.url())
    assert ["tercero.cl" in message["message"] for message in receiver.messages] == [False, True]


def test_what_comes_back_after_it_was_gone_is_news(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.reconcile("drift", "--notify", receiver.url())
    agency.sandbox.change(agency.number("la-cocina"), webhook=WEBHOOK)
    agency.reconcile("drift", "--notify", receiver.url())
    agency.sandbox.change(agency.number("la-cocina"), webhook=BROKEN)
    agency.reconcile("drift", "--notify", receiver.url())
    assert [message["type"] for message in receiver.messages] == ["warning", "success", "warning"]


def test_a_message_that_is_not_taken_is_an_error_and_sent_again(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    receiver.status = 500
    result = agency.reconcile("drift", "--notify", receiver.url())
    assert result.code == 1
    assert "json://… did not accept the notification" in result.err
    assert "the next `reconcile drift` sends it again." in result.err
    assert "secret-of-the-address" not in result.said
    assert agency.number("la-cocina") in result.out
    receiver.status = 200
    assert agency.reconcile("drift", "--notify", receiver.url()).code == 2
    assert len(receiver.messages) == 2


def test_an_address_that_fails_is_told_later_and_the_other_not_twice(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    unreachable = "json://127.0.0.1:9/secret-of-the-address"
    result = agency.reconcile("drift", "--notify", unreachable, DRIFT_NOTIFY=receiver.url())
    assert result.code == 1
    assert agency.reconcile("drift", DRIFT_NOTIFY=receiver.url()).code == 2
    assert len(receiver.messages) == 1


def test_a_client_that_could_not_be_read_is_not_in_sync_again(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.reconcile("drift", "--notify", receiver.url())
    assert agency.reconcile("drift", "--notify", receiver.url(), TWILIO_AUTH_TOKEN="wrong-token").code == 1
    assert len(receiver.messages) == 1


def test_a_client_that_was_not_looked_at_is_not_in_sync_again(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.declare("cliente-a")
    agency.reconcile("drift", "--notify", receiver.url())
    assert agency.reconcile("drift", "--client", "cliente-a", "--notify", receiver.url()).code == 0
    assert len(receiver.messages) == 1


def test_a_client_whose_manifest_was_removed_is_not_in_sync_again(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    agency.declare("cliente-a")
    agency.reconcile("drift", "--notify", receiver.url())
    agency.withdraw("la-cocina")
    assert agency.reconcile("drift", "--notify", receiver.url()).code == 0
    assert len(receiver.messages) == 1


def test_in_sync_nobody_is_told_and_nothing_is_written(agency: Agency, receiver: Receiver) -> None:
    agency.declare("la-cocina")
    agency.apply()
    store, writes = agency.store_file.read_bytes(), agency.writes()
    result = agency.reconcile("drift", "--notify", receiver.url())
    assert (result.code, result.out, receiver.arrived) == (0, "", [])
    assert (agency.store_file.read_bytes(), agency.writes()) == (store, writes)


def test_an_address_that_apprise_does_not_understand_is_named_without_its_secret(agency: Agency) -> None:
    agency.declare("la-cocina")
    result = agency.reconcile("drift", "--notify", "slak://TokenOfTheChannel")
    assert result.code == 1
    assert "Notification address 1 (slak://…) is not one that Apprise understands" in result.err
    assert "TokenOfTheChannel" not in result.said


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_what_another_run_is_sending_is_left_to_it(agency: Agency, receiver: Receiver, store: str) -> None:
    if store == "postgresql":
        agency.environment["BOT_STORE_URL"] = make_database()
    drifting(agency)
    claimed = channel_of(receiver.url()), f"la-cocina/sender/{agency.number('la-cocina')}"
    with closing(open_writer(agency.store_url)) as another:
        assert another.claim_notice(*claimed, "as it is now", "another", 300)
        assert agency.reconcile("drift", "--notify", receiver.url()).code == 2
        assert receiver.messages == []
        another.release_claim(*claimed, "another")
        agency.reconcile("drift", "--notify", receiver.url())
        agency.apply()
        assert another.claim_notice(*claimed, None, "another", 300)
        assert agency.reconcile("drift", "--notify", receiver.url()).code == 0
        assert [message["type"] for message in receiver.messages] == ["warning"]
    if store == "postgresql":
        drop_database(agency.store_url)


def listed(agency: Agency, days: int) -> None:
    """From now on the provider shuts `gpt-4o-mini` down in so few days."""
    on = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    models = [{"id": "gpt-4o-mini", "object": "model", "shutdown_date": on}]
    body = {"object": "list", "data": models}
    agency.sandbox.faults({"kind": "status", "status": 200, "body": body, "path": "/v1/models", "times": 99})


def test_a_model_that_ends_is_told_at_90_30_and_7_days_and_is_never_in_sync_again(
    agency: Agency, receiver: Receiver
) -> None:
    agency.declare("la-cocina", assistant={"model": "gpt-4o-mini"})
    agency.apply()
    said = []
    for days in (91, 89, 30, 29, 7):
        listed(agency, days)
        result = agency.reconcile("drift", "--notify", receiver.url())
        assert (result.code, result.out) == (0, "")
        said.append((len(receiver.messages), "gpt-4o-mini is shut down on" in result.err))
    assert said == [(0, False), (1, False), (2, False), (2, False), (3, True)]
    first = receiver.messages[0]
    assert (first["title"], first["type"]) == ("WhatsApp assistants: 1 model in use ends", "warning")
    assert "in 89 days; reconcile upgrade-model gpt-4o-mini gpt-6-luna" in first["message"]
    agency.declare("la-cocina", assistant={"model": "gpt-6-luna"})
    agency.sandbox.faults()
    agency.apply()
    agency.reconcile("drift", "--notify", receiver.url())
    assert len(receiver.messages) == 3
