"""An account's subscription to what Meta decides about templates: one for all of its clients, made, completed, moved
with the runtime's address, and deleted."""

from __future__ import annotations

import json

import pytest

from tests.reconciler.agency import Agency
from tests.runtime.template_shop import post_form
from tests.sandbox_process import Json

SINKS, SUBSCRIPTIONS = "/v1/Sinks", "/v1/Subscriptions"
TYPE = "com.twilio.messaging.template.approval.updated"


def declare(agency: Agency, client: str = "la-cocina", *, events: bool | None = True, **keys: object) -> None:
    agency.declare(client, sender={} if events is None else {"template_events": events}, **keys)


def sinks(agency: Agency) -> list[str]:
    """Where the account's events go."""
    return [item["sink_configuration"]["destination"] for item in agency.twilio("GET", SINKS)["sinks"]]


def subscribed(agency: Agency) -> list[str]:
    """What is subscribed to, with repetitions."""
    sids = [item["sid"] for item in agency.twilio("GET", SUBSCRIPTIONS)["subscriptions"]]
    return [
        one["type"] for sid in sids for one in agency.twilio("GET", f"{SUBSCRIPTIONS}/{sid}/SubscribedEvents")["types"]
    ]


def steps(agency: Agency, *args: str) -> list[tuple[str, str]]:
    """What the plan does about it."""
    changes = agency.plan(*args)["changes"]
    return [(change["action"], change["reason"]) for change in changes if change["kind"] == "event_stream"]


def ours(agency: Agency, address: str | None = None) -> str:
    base = address or agency.environment["PUBLIC_URL"]
    return f"{base}/webhook/templates/{agency.sandbox.account_sid}"


def sink_by_hand(agency: Agency, destination: str) -> str:
    where = json.dumps({"destination": destination, "method": "POST", "batch_events": False})
    form = {"Description": "a mano", "SinkType": "webhook", "SinkConfiguration": where}
    return str(post_form(agency.sandbox, SINKS, form)["sid"])


def test_one_serves_all_clients_of_an_account_and_what_was_changed_there_is_drift(agency: Agency) -> None:
    declare(agency)
    declare(agency, "cliente-a")
    declare(agency, "cliente-c", events=None)
    sink_by_hand(agency, "https://otra.example/eventos")
    assert steps(agency) == [("create", "config")]
    assert steps(agency, "--client", "la-cocina") == []
    agency.apply()
    assert sorted(sinks(agency)) == sorted([ours(agency), "https://otra.example/eventos"])
    assert subscribed(agency) == [TYPE]
    assert agency.changes() == []
    assert agency.reconcile("drift").out == ""
    assert "template events" in agency.reconcile("status", "la-cocina").out

    [subscription] = agency.twilio("GET", SUBSCRIPTIONS)["subscriptions"]
    agency.twilio("DELETE", f"{SUBSCRIPTIONS}/{subscription['sid']}")
    found = agency.reconcile("drift")
    assert (found.code, "event_stream" in found.out) == (2, True)
    assert steps(agency) == [("update", "drift")]
    agency.apply()
    assert (subscribed(agency), len(sinks(agency)), agency.changes()) == ([TYPE], 2, [])


def test_one_that_was_made_by_hand_for_the_runtime_is_used_and_not_doubled(agency: Agency) -> None:
    sink_by_hand(agency, ours(agency))
    declare(agency)
    assert steps(agency) == [("update", "config")]
    agency.apply()
    assert (sinks(agency), subscribed(agency), agency.changes()) == ([ours(agency)], [TYPE], [])


def test_it_moves_with_the_runtimes_address(agency: Agency) -> None:
    declare(agency)
    agency.apply()
    agency.environment["PUBLIC_URL"] = "https://nuevo.example.cl"
    assert steps(agency) == [("update", "config")]
    agency.apply()
    assert (sinks(agency), subscribed(agency), agency.changes()) == ([ours(agency)], [TYPE], [])


@pytest.mark.parametrize("way", ["false", "absent", "undeclared"])
def test_it_goes_with_the_last_client_that_declares_it(agency: Agency, way: str) -> None:
    declare(agency)
    agency.declare("cliente-b")
    agency.apply()
    if way == "absent":
        declare(agency, state="absent")
    else:
        declare(agency, events=False if way == "false" else None)
    prune = ("--prune",) if way == "undeclared" else ()
    if prune:
        assert steps(agency) == []
        [said] = [item["message"] for item in agency.plan()["findings"] if "template_events" in item["message"]]
        assert "--prune deletes the subscription" in said
    assert steps(agency, *prune) == [("delete", "config")]
    agency.apply(*prune, "--max-delete-percent", "100")
    assert (sinks(agency), subscribed(agency), agency.changes(*prune)) == ([], [], [])
    assert [record for record in agency.snapshot().applied if record.kind == "event_stream"] == []


@pytest.mark.parametrize("path", [SINKS, SUBSCRIPTIONS])
def test_a_write_whose_answer_was_lost_makes_no_second_one(agency: Agency, path: str) -> None:
    declare(agency)
    rule: Json = {"provider": "twilio", "method": "POST", "path": path, "kind": "timeout_after_write"}
    agency.sandbox.faults(rule | {"seconds": 0.2, "times": 1})
    agency.apply()
    assert (sinks(agency), subscribed(agency), agency.changes()) == ([ours(agency)], [TYPE], [])


def test_a_list_that_cannot_be_read_is_an_error_and_changes_nothing(agency: Agency) -> None:
    declare(agency)
    agency.sandbox.faults({"provider": "twilio", "method": "GET", "path": SINKS, "kind": "status", "status": 404})
    result = agency.reconcile("--dry-run", "--format", "json")
    assert (result.code, [change["kind"] for change in result.document["changes"]]) == (
        1,
        ["assistant", "bot", "sender"],
    )
    assert any("remove sender.template_events" in item["message"] for item in result.document["findings"])


@pytest.mark.long
def test_a_sink_that_the_runtime_never_confirms_is_told_and_holds_up_nothing_else(agency: Agency) -> None:
    agency.sandbox.settings(sink_status="initialized")
    declare(agency)

    result = agency.reconcile("--yes")

    assert result.code == 4
    assert "the runtime has not confirmed its test event. It must run at PUBLIC_URL with" in result.out
    assert (sinks(agency), subscribed(agency)) == ([ours(agency)], [])
    assert [bot.client for bot in agency.snapshot().bots] == ["la-cocina"]
    assert steps(agency) == [("update", "config")]


@pytest.mark.long
def test_a_run_that_is_killed_at_any_request_leaves_one(agency: Agency) -> None:
    declare(agency)
    number = 0
    while agency.killed_at("send", number := number + 2, "--yes"):
        assert number < 80
    agency.apply()
    assert (sinks(agency), subscribed(agency), agency.changes()) == ([ours(agency)], [TYPE], [])
    declare(agency, events=False)
    number = 0
    while agency.killed_at("send", number := number + 2, "--yes"):
        assert number < 80
    agency.apply()
    assert (sinks(agency), subscribed(agency), agency.changes()) == ([], [], [])
