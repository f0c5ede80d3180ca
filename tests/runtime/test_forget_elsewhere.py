"""Who is forgotten is forgotten by the providers, too: sessions and threads of the model's, and Twilio's own copies."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from openai import OpenAI

from tests.runtime_process import NO_NOTE, Answer, Line, Ran, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

SESSIONS = "/v1/agents/sessions"
DELETION: dict[str, Any] = {"provider": "openai", "method": "DELETE", "path": SESSIONS}
NAMES_SUCCESSOR = "`forget` ends with the next release: use `horizonai-whatsapp-bot person erase USER`.\n"
REFUSED = DELETION | {"kind": "status", "status": 400, "times": 1}
PICTURE = {"content_type": "image/jpeg", "base64": "c2VjcmV0bw=="}


@pytest.fixture(autouse=True)
def usage_is_known_at_once(sandbox: Sandbox) -> None:
    """So that no turn of one test is asked about in the next."""
    sandbox.settings(usage_seconds=0.0)


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[OpenAI]:
    """The provider, as the agency's own console."""
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture
def shop(runtime: Runtime, sandbox: Sandbox, live: OpenAI) -> Line:
    """A bot with a live agent."""
    agent = live.beta.agents.create(model="gpt-6-luna", name="Vivo", instructions="Eres un agente vivo.")
    return open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent.id)


@pytest.fixture
def user() -> str:
    """A user of this test only."""
    return f"+569{uuid4().int % 10**8:08d}"


def forget(runtime: Runtime, user: str, *flags: str, **settings: str) -> Ran:
    return runtime.command("forget", user, "--yes", *flags, **settings)


def forget_over_api(runtime: Runtime, user: str, query: str = "") -> Answer:
    return runtime.api("DELETE", f"/users/{quote(user)}{query}")


def sessions(live: OpenAI) -> list[str]:
    """Oldest first."""
    return [session.id for session in live.beta.agents.sessions.list(order="asc")]


def copies(sandbox: Sandbox) -> list[dict[str, Any]]:
    """The messages that Twilio keeps."""
    keys = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    url = f"{sandbox.twilio_url}/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json?PageSize=1000"
    with urlopen(Request(url, headers={"Authorization": f"Basic {keys}"})) as response:
        listed: list[dict[str, Any]] = json.load(response)["messages"]
    return listed


def parties(sandbox: Sandbox) -> set[str]:
    """Everybody whose messages Twilio keeps."""
    return {message[end] for message in copies(sandbox) for end in ("from", "to")}


def test_a_session_is_deleted_and_those_of_others_are_not(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Me llamo Ana", user)
    [session] = sessions(live)
    shop.ask("Hola", "+56922222222")
    done = forget(shop.runtime, user)
    assert (done.code, done.err) == (0, NAMES_SUCCESSOR)
    assert f"Deleted at the model's provider: {session} (bot {shop.bot['id']})." in done.out
    [other] = sessions(live)
    assert other != session
    assert shop.ask("¿Cómo me llamo?", user).endswith("¿Cómo me llamo? · turn 1")


def test_what_the_provider_does_not_delete_is_named_and_deleted_by_the_next_call(
    shop: Line, live: OpenAI, user: str
) -> None:
    shop.ask("Me llamo Ana", user, external_user_id="CL.Ana1234567")
    [session] = sessions(live)
    shop.sandbox.faults(REFUSED)
    done = forget(shop.runtime, user)
    assert done.code == 4
    assert (
        f"Left at the model's provider: {session} (bot {shop.bot['id']}): OpenAI refused the request (400" in done.err
    )
    assert "repeat the command once the problems above are solved" in done.err
    assert shop.ask("¿Cómo me llamo?", user).endswith("¿Cómo me llamo? · turn 1")
    assert len(sessions(live)) == 2
    again = forget(shop.runtime, user)
    assert (again.code, again.out.splitlines()[0]) == (0, "Erased. Conversations: 2, messages: 1.")
    assert sessions(live) == []
    assert forget_over_api(shop.runtime, user).status == 404


def test_a_provider_that_does_not_accept_the_key_keeps_its_part_until_the_next_call(
    shop: Line, live: OpenAI, user: str
) -> None:
    shop.ask("Me llamo Ana", user)
    done = forget(shop.runtime, user, OPENAI_API_KEY="sk-wrong")
    assert (done.code, "check OPENAI_API_KEY" in done.err) == (4, True)
    assert len(sessions(live)) == 1
    assert forget_over_api(shop.runtime, user).status == 200
    assert sessions(live) == []


def test_a_session_that_is_not_there_any_more_counts_as_deleted(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Hola", user)
    [session] = sessions(live)
    live.beta.agents.sessions.delete(session)
    answer = forget_over_api(shop.runtime, user)
    assert (answer.status, answer.json["complete"]) == (200, True)
    assert [(item["id"], item["state"]) for item in answer.json["provider"]] == [(session, "gone")]


def test_a_session_that_is_busy_is_stopped_and_deleted(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Hola", user)
    shop.write("piensa 60s", user, wait=0)
    [session] = sessions(live)
    wait_until(lambda: live.beta.agents.sessions.retrieve(session).status == "in_progress", what="a turn under way")
    answer = forget_over_api(shop.runtime, user)
    assert (answer.status, sessions(live)) == (200, []), answer.body
    assert len(shop.outbound(user)) == 1


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [{"kind": "latency", "seconds": 3}, {"kind": "timeout_after_write", "seconds": 3}],
    ids=lambda it: it["kind"],
)
def test_a_session_that_is_being_made_meanwhile_is_deleted_too(
    shop: Line, live: OpenAI, user: str, fault: dict[str, Any]
) -> None:
    shop.sandbox.faults({"provider": "openai", "method": "POST", "path": SESSIONS, "times": 1, **fault})
    shop.write("Me llamo Ana", user, wait=0)
    wait_until(lambda: shop.sandbox.fired() == 1, what="a session that is being made")
    answer = forget_over_api(shop.runtime, user)
    assert (answer.status, [item["state"] for item in answer.json["provider"]]) == (200, ["deleted"]), answer.body
    assert sessions(live) == []


def test_a_session_that_was_left_when_another_replaced_it_is_deleted_too(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Me llamo Ana", user)
    shop.sandbox.faults(REFUSED)
    live.beta.agents.update(shop.bot["assistant_id"], instructions="Ahora eres otro.")
    shop.ask("¿Cómo me llamo?", user)
    assert len(sessions(live)) == 2
    answer = forget_over_api(shop.runtime, user)
    assert (answer.status, len(answer.json["provider"]), sessions(live)) == (200, 2, []), answer.body


def test_a_thread_is_deleted_also_when_its_bot_answers_otherwise_by_now(
    runtime: Runtime, sandbox: Sandbox, live: OpenAI, user: str
) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assistant = live.beta.assistants.create(model="gpt-4o-mini", name="Vivo", instructions="I")
    shop = open_line(runtime, sandbox, assistant_id=assistant.id)
    shop.ask("Me llamo Ana", user)
    own = {"assistant_id": None, "instructions": "Ahora soy otro.", "model": "gpt-6-luna"}
    assert runtime.api("PUT", f"/bots/{shop.bot['id']}", own).status == 200
    answer = forget_over_api(runtime, user)
    assert (answer.status, [item["state"] for item in answer.json["provider"]]) == (200, ["deleted"]), answer.body
    [deleted] = sandbox.calls("openai", "DELETE", "/v1/threads/")
    assert deleted["status"] == 200
    assert sandbox.calls("openai", path=SESSIONS) == []


def test_the_provider_is_not_asked_about_a_conversation_that_it_does_not_have(
    line: Callable[..., Line], user: str
) -> None:
    shop = line()
    shop.ask("Hola", user)
    before = len(shop.sandbox.calls("openai"))
    assert forget_over_api(shop.runtime, user).status == 200
    assert len(shop.sandbox.calls("openai")) == before


def test_twilio_s_copies_stay_unless_they_are_asked_for(line: Callable[..., Line], user: str) -> None:
    shop = line()
    shop.ask("Hola", user)
    done = forget(shop.runtime, user)
    assert "Not deleted. At Twilio: its own copies of the messages (--at-twilio deletes them)." in done.out
    assert f"whatsapp:{user}" in parties(shop.sandbox)


def test_twilio_s_copies_are_deleted_with_their_files_and_those_of_others_are_not(
    line: Callable[..., Line], user: str
) -> None:
    shop = line()
    shop.ask("Mira", user, media=[PICTURE])
    shop.ask("Hola", "+56922222222")
    runtime = shop.runtime
    runtime.made("/messages/", {"to": user, "body": "Su mesa está lista", "bot_id": shop.bot["id"]})
    done = forget(runtime, user, "--at-twilio")
    assert (done.code, "Deleted at Twilio: 3 messages; left: 0." in done.out) == (0, True), done.err
    assert parties(shop.sandbox) == {f"whatsapp:{shop.number}", "whatsapp:+56922222222"}
    [media] = [call for call in shop.sandbox.calls("twilio", "DELETE") if "/Media/" in call["path"]]
    assert media["status"] == 204
    assert forget_over_api(runtime, user, "?at_twilio=true").status == 404


def test_what_twilio_does_not_delete_is_said_and_deleted_by_the_next_call_under_every_address(
    line: Callable[..., Line], user: str
) -> None:
    shop, user_id = line(), f"CL.{uuid4().hex[:10]}"
    shop.ask("Hola", user, external_user_id=user_id)
    shop.sandbox.inbound(shop.number, "Sin número", user_id)
    where = {"provider": "twilio", "method": "DELETE", "kind": "status", "times": 1}
    shop.sandbox.faults(where | {"status": 409, "body": {"code": 20009, "message": "Still on its way.", "status": 409}})
    done = forget(shop.runtime, user, "--at-twilio")
    assert done.code == 4
    assert "Deleted at Twilio: 3 messages; left: 1." in done.out
    assert "Left at Twilio: Twilio refused the request (409 20009)" in done.err
    assert len(copies(shop.sandbox)) == 1
    again = forget_over_api(shop.runtime, user_id, "?at_twilio=true")
    assert (again.status, copies(shop.sandbox)) == (200, []), again.body


def test_a_moment_in_which_twilio_does_not_work_is_waited_for(line: Callable[..., Line], user: str) -> None:
    shop = line()
    shop.ask("Hola", user)
    where = {"provider": "twilio", "method": "DELETE", "times": 1}
    shop.sandbox.faults(where | {"kind": "retry_after", "retry_after": 1}, where | {"kind": "drop_connection"})
    answer = forget_over_api(shop.runtime, user, "?at_twilio=true")
    assert (answer.status, shop.sandbox.fired(), copies(shop.sandbox)) == (200, 2, []), answer.body


@pytest.mark.long
def test_a_twilio_that_does_not_work_is_not_asked_about_message_after_message(
    line: Callable[..., Line], user: str
) -> None:
    shop = line()
    for text in ("Uno", "Dos", "Tres", "Cuatro", "Cinco", "Seis"):
        shop.ask(text, user)
    shop.sandbox.faults({"provider": "twilio", "method": "DELETE", "kind": "status", "status": 503})
    done = forget(shop.runtime, user, "--at-twilio")
    assert done.code == 4
    assert "Deleted at Twilio: 0 messages; left: 12." in done.out
    assert shop.sandbox.fired() <= 12


def test_a_provider_that_does_not_filter_its_lists_loses_nobody_else_s(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Hola", "+56922222222")
    [other] = sessions(live)
    shop.ask("Hola", user)
    answered = {"method": "GET", "kind": "status", "status": 200, "times": 1}
    whole = {"object": "list", "data": [live.beta.agents.sessions.retrieve(other).to_dict()], "has_more": False}
    theirs = [message for message in copies(shop.sandbox) if user not in str(message)]
    pages = f"/2010-04-01/Accounts/{shop.sandbox.account_sid}/Messages.json"
    shop.sandbox.faults(
        answered | {"provider": "openai", "path": SESSIONS, "body": whole},
        answered | {"provider": "twilio", "path": pages, "body": {"messages": theirs, "next_page_uri": None}},
    )
    answer = forget_over_api(shop.runtime, user, "?at_twilio=true")
    assert (answer.status, shop.sandbox.fired()) == (200, 2), answer.body
    assert sessions(live) == [other]
    assert sum("+56922222222" in str(message) for message in copies(shop.sandbox)) == 2


def test_the_same_over_the_api(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Me llamo Ana", user)
    [session] = sessions(live)
    answer = forget_over_api(shop.runtime, user, "?at_twilio=true")
    assert answer.status == 200, answer.body
    said = answer.json
    remains = [sentence.partition(":")[0] for sentence in said.pop("remains")]
    assert remains == ["In backups", "At Twilio", "At Meta", "At OpenAI", "In the ledger"]
    assert said.pop("receipt")["document"]["action"] == "erased"
    assert said == {
        "complete": True,
        "conversations": 1,
        "messages": 1,
        "provider": [{"id": session, "bot_id": shop.bot["id"], "state": "deleted", "reason": None}],
        "twilio": {"deleted": 2, "left": 0, "reasons": []},
        "desk": [],
    }
    assert (sessions(live), copies(shop.sandbox)) == ([], [])
    again = forget_over_api(shop.runtime, user)
    assert (again.status, again.error["code"]) == (404, "not_found")


def test_over_the_api_what_is_left_is_502_and_the_same_call_goes_on(shop: Line, live: OpenAI, user: str) -> None:
    shop.ask("Me llamo Ana", user)
    shop.sandbox.faults(REFUSED)
    answer = forget_over_api(shop.runtime, user)
    assert (answer.status, answer.error["code"]) == (502, "left_at_provider")
    assert (answer.json["complete"], answer.json["messages"]) == (False, 1)
    [left] = answer.json["provider"]
    assert (left["state"], "OpenAI refused" in left["reason"]) == ("left", True)
    assert forget_over_api(shop.runtime, user).status == 200
    assert sessions(live) == []


def test_over_the_api_a_turn_under_way_is_not_answered(line: Callable[..., Line], user: str) -> None:
    shop = line()
    shop.write("piensa 2s", user, wait=0)
    wait_until(lambda: shop.received() == 1, what="a turn under way")
    assert forget_over_api(shop.runtime, user).status == 200
    wait_until(lambda: len(shop.sandbox.calls("openai", "POST", "/v1/responses")) == 1, what="the model's answer")
    assert shop.ask("Hola", user).endswith("Hola · turn 1")
    assert len(shop.outbound(user)) == 1


def test_a_token_that_may_only_read_forgets_nobody(line: Callable[..., Line], user: str) -> None:
    shop = line()
    shop.ask("Hola", user)
    token = shop.runtime.command("token", "create", f"lector-{user}").out.strip()
    assert shop.runtime.api("DELETE", f"/users/{quote(user)}", token=token).status == 403
    assert shop.ask("¿Y ahora?", user).endswith("turn 2")


def test_a_flag_of_the_api_is_true_or_false(runtime: Runtime, user: str) -> None:
    answer = forget_over_api(runtime, user, "?at_twilio=yes")
    assert (answer.status, answer.error["field"]) == (400, "at_twilio")


@pytest.mark.parametrize("nobody", ["whatsapp%3A", "hola", "%25"])
def test_who_is_nobody_is_404_and_costs_nobody_a_message(line: Callable[..., Line], nobody: str) -> None:
    shop = line()
    shop.ask("Hola")
    answer = shop.runtime.api("DELETE", f"/users/{nobody}?at_twilio=true")
    assert (answer.status, answer.error["code"]) == (404, "not_found"), answer.body
    assert len(copies(shop.sandbox)) == 2
