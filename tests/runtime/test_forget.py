"""A user who asks for it is forgotten: nothing of them is left in the store, on either database."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime_process import NO_NOTE, Runtime, inbound_fields
from tests.sandbox_process import Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SESSION_DELETION = {"provider": "openai", "method": "DELETE", "path": "/v1/agents/sessions"}
USER, OTHER = "+56912345678", "+56922222222"
USER_ID = "whatsapp:CL.1234567890"
TABLES = ("inbox", "turns", "items", "outbox", "conversations", "conversation_aliases")


pytestmark = pytest.mark.long


@pytest.fixture(params=STORES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path, sandbox) as fleet:
        yield fleet


def kept(fleet: Fleet) -> str:
    """Everything that the store's tables of conversations say."""
    return str([fleet.rows(f"SELECT * FROM {table}") for table in TABLES])


def forgotten(runtime: Runtime, way: str) -> tuple[int, int]:
    """Has the user forgotten that way; gives how many conversations and messages were found."""
    if way == "api":
        answer = runtime.api("DELETE", f"/users/{USER}")
        assert answer.status == 200, answer.body
        return answer.json["conversations"], answer.json["messages"]
    ran = runtime.command("forget", USER, "--yes")
    assert ran.code == 0, ran.err
    found = re.match(r"Erased\. Conversations: (\d+), messages: (\d+)\.$", ran.out.splitlines()[0])
    assert found is not None, ran.out
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("way", ["command", "api"])
def test_nothing_is_left_of_a_user_and_all_of_the_others(fleet: Fleet, sandbox: Sandbox, way: str) -> None:
    sandbox.settings(session_window=False)  # webhooks of the test's own: the sandbox has heard of no user
    (runtime, *_), shop = fleet.replicas, fleet.open_line()
    fields = {"ExternalUserId": USER_ID, "ProfileName": "Ana Secreta"}
    sid = inbound_fields("")["MessageSid"]
    fleet.deliver(shop, "Mi clave es 1234", **fields, MessageSid=sid)
    answers(shop, 1)
    sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 400, "times": 1}))
    fleet.deliver(shop, "Mi clave es 5678", **fields)
    answers(shop, 2)
    runtime.made("/messages/", {"to": USER, "body": "Le recuerdo su clave", "bot_id": shop.bot["id"]})
    fleet.deliver(shop, "Hola, otra persona", 0, OTHER)
    answers(shop, 1, OTHER)
    fleet.deliver(shop, "piensa 3s", **fields)
    fleet.wait_for_turns(shop, 1)

    assert forgotten(runtime, way) == (1, 3)

    left = kept(fleet)
    assert [word for word in ("clave", "Ana", "piensa", USER, USER_ID) if word in left] == []
    assert "otra persona" in left
    wait_until(lambda: any(entry["event"] == "taken_over" for one in fleet.replicas for entry in one.log()))
    assert len(shop.outbound()) == 3
    assert fleet.deliver(shop, "Mi clave es 1234", **fields, MessageSid=sid).status == 200
    fleet.deliver(shop, "¿Te acuerdas de mí?", **fields)
    assert "turn 1" in answers(shop, 4)[3]
    assert "clave" not in kept(fleet)
    if fleet.database_url.startswith("sqlite:///"):
        runtime.stop()
        assert b"clave" not in Path(fleet.database_url.removeprefix("sqlite:///")).read_bytes()
    again = runtime.command("forget", "+56999999999", "--yes")
    assert (again.code, "No user +56999999999 was found" in again.err) == (1, True)


def test_what_a_provider_does_not_delete_keeps_nothing_here_but_the_way_to_it(fleet: Fleet, sandbox: Sandbox) -> None:
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as live:
        agent = live.beta.agents.create(model="gpt-6-luna", instructions="Eres un agente vivo.")
        runtime, shop = fleet.replicas[-1], fleet.open_line(assistant_id=agent.id, policy=NO_NOTE)
        fleet.deliver(shop, "Mi clave es 1234", ExternalUserId=USER_ID, ProfileName="Ana Secreta")
        answers(shop, 1)
        [session] = live.beta.agents.sessions.list()
        sandbox.faults(SESSION_DELETION | {"kind": "status", "status": 400, "times": 1})

        assert runtime.api("DELETE", f"/users/{USER}").status == 502

        assert [word for word in ("clave", "Ana") if word in kept(fleet)] == []
        aliases = {alias for (alias,) in fleet.rows("SELECT alias FROM conversation_aliases")}
        assert aliases == {f"forgotten:1:whatsapp:{USER}", f"forgotten:1:{USER_ID}"}
        fleet.deliver(shop, "¿Te acuerdas de mí?", ExternalUserId=USER_ID)
        assert "turn 1" in answers(shop, 2)[1]
        assert forgotten(runtime, "command") == (2, 1)
        assert [item for item in (USER, USER_ID, session.id, "acuerdas") if item in kept(fleet)] == []
        assert list(live.beta.agents.sessions.list()) == []
