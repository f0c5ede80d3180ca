"""What buttons and lists need at Twilio: made once in an account, by the first client that offers choices."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.request import Request, urlopen

import pytest

from schemas.content_shapes import SHAPES, content_of, name_of
from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

PATH = "/v1/Content"
CREATE: dict[str, Any] = {"provider": "twilio", "method": "POST", "path": PATH}


def call(agency: Agency, method: str, path: str, body: Json | None = None) -> Any:
    """One call of the Content API, as another client would make it."""
    sandbox = agency.sandbox
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(sandbox.twilio_url + path, data, headers, method=method), timeout=20) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def contents(agency: Agency) -> dict[str, list[str]]:
    """The SIDs of the account's contents, by name."""
    found: dict[str, list[str]] = {}
    for item in call(agency, "GET", f"{PATH}?PageSize=500")["contents"]:
        found.setdefault(item["friendly_name"], []).append(item["sid"])
    return found


def policy_contents(agency: Agency, client: str = "la-cocina") -> dict[str, str]:
    [bot] = [bot for bot in agency.snapshot().bots if bot.client == client]
    return dict(bot.policy["contents"])


def steps(agency: Agency) -> list[tuple[str, str]]:
    return [(change["kind"], change["action"]) for change in agency.plan()["changes"]]


def test_they_are_made_before_the_bot_that_names_them(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    assert steps(agency) == [("assistant", "create"), ("content", "create"), ("bot", "create"), ("sender", "update")]
    shown = agency.reconcile("--dry-run").out
    assert "contents: 21 shapes of buttons and lists" in shown
    assert "policy.contents: 21 shapes of buttons and lists" in shown
    agency.apply()
    made = contents(agency)
    assert policy_contents(agency) == {shape: made[name_of(shape)][0] for shape in SHAPES}
    assert {len(sids) for sids in made.values()} == {1}
    assert agency.changes() == []
    assert not agency.sandbox.calls("twilio", "POST", f"{PATH}/")


def test_clients_of_one_account_share_them_and_none_deletes_them(agency: Agency) -> None:
    for client in ("cliente-a", "cliente-b", "la-cocina"):
        agency.declare(client, replies={"buttons": True})
    agency.apply()
    made = contents(agency)
    assert (len(made), {len(sids) for sids in made.values()}) == (21, {1})
    assert policy_contents(agency, "cliente-a") == policy_contents(agency, "cliente-b")
    agency.declare("cliente-a", state="absent", replies={"buttons": True})
    agency.declare("cliente-b")
    agency.apply()
    assert contents(agency) == made
    assert agency.changes() == []
    assert [record.client for record in agency.applied() if record.kind == "content"] == ["la-cocina"]
    assert "contents" not in next(bot for bot in agency.snapshot().bots if bot.client == "cliente-b").policy


def test_a_later_client_finds_them(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    agency.apply()
    agency.declare("cliente-a", replies={"buttons": True})
    assert [step for step in steps(agency) if step[0] == "content"] == []
    agency.apply()
    assert policy_contents(agency, "cliente-a") == policy_contents(agency)


def test_one_that_was_deleted_live_is_made_again_and_the_bot_gets_it(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    agency.apply()
    former = policy_contents(agency)
    call(agency, "DELETE", f"{PATH}/{former['list-3']}")
    plan = agency.plan()["changes"]
    assert [(change["kind"], change["reason"]) for change in plan] == [("content", "drift"), ("bot", "config")]
    assert plan[0]["fields"] == {"contents": {"old": None, "new": "1 shape of buttons and lists"}}
    agency.apply()
    now = policy_contents(agency)
    assert {shape for shape in SHAPES if now[shape] != former[shape]} == {"list-3"}
    assert agency.changes() == []


def test_contents_of_others_are_left_alone(agency: Agency) -> None:
    other = {**content_of("buttons-1"), "friendly_name": "promo"}
    call(agency, "POST", PATH, other)
    agency.declare("la-cocina", replies={"buttons": True})
    agency.apply()
    assert len(contents(agency)) == 22
    assert agency.changes() == []


def test_a_create_whose_answer_was_lost_is_found_again(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    agency.sandbox.faults(CREATE | {"kind": "timeout_after_write", "seconds": 0.2, "times": 2})
    agency.apply()
    assert {len(sids) for sids in contents(agency).values()} == {1}


def test_a_refusal_is_an_error_of_the_clients_that_use_them_and_of_no_other(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    agency.declare("cliente-a")
    body = {"code": 20001, "message": "Variables are not allowed here", "status": 400}
    agency.sandbox.faults(CREATE | {"kind": "status", "status": 400, "body": body})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "Variables are not allowed here" in result.said
    assert [bot.client for bot in agency.snapshot().bots] == ["cliente-a"]
    agency.sandbox.faults()
    agency.apply()
    assert agency.changes() == []


def test_buttons_that_twilio_does_not_take_are_tried_once_in_an_account_and_told_of(agency: Agency) -> None:
    agency.sandbox.settings(button_variables=False)
    for client in ("cliente-a", "la-cocina"):
        agency.declare(client, replies={"buttons": True})
    agency.apply()
    lists = {shape for shape in SHAPES if shape.startswith("list")}
    assert (set(policy_contents(agency)), set(policy_contents(agency, "cliente-a"))) == (lists, lists)
    tried = len(agency.sandbox.calls("twilio", "POST", PATH))

    agency.declare("cliente-b", replies={"buttons": True})
    agency.apply()
    assert agency.changes() == []
    assert set(policy_contents(agency, "cliente-b")) == lists
    assert len(agency.sandbox.calls("twilio", "POST", PATH)) == tried == len(SHAPES)
    shown = agency.reconcile("--dry-run").said
    assert "does not take buttons-1, buttons-2, buttons-3: buttons are shown as a list, and one alone in words" in shown


def test_they_are_tried_again_once_no_client_has_offered_any(agency: Agency) -> None:
    agency.sandbox.settings(button_variables=False)
    agency.declare("la-cocina", replies={"buttons": True})
    agency.apply()
    agency.sandbox.settings(button_variables=True)
    assert agency.changes() == []
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", replies={"buttons": True})
    agency.apply()
    assert set(policy_contents(agency)) == set(SHAPES)


@pytest.mark.parametrize("status", [401, 500])
def test_a_list_that_cannot_be_read_holds_up_the_clients_that_need_it(agency: Agency, status: int) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    agency.declare("cliente-a")
    agency.sandbox.faults({"provider": "twilio", "method": "GET", "path": PATH, "kind": "status", "status": status})
    result = agency.reconcile("--dry-run", "--format", "json")
    assert (result.code, result.document["unresolved"]) == (1, ["la-cocina"])
    assert {change["client"] for change in result.document["changes"]} == {"cliente-a"}


def test_without_buttons_the_content_api_is_not_called(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": False})
    agency.apply()
    assert agency.sandbox.calls("twilio", path=PATH) == []


def test_a_run_that_is_killed_at_any_request_leaves_no_second_one(agency: Agency) -> None:
    agency.declare("la-cocina", replies={"buttons": True})
    number = 0
    while agency.killed_at("send", number := number + 5, "--yes"):
        assert number < 120
    agency.apply()
    assert {len(sids) for sids in contents(agency).values()} == {1}
    assert agency.changes() == []
