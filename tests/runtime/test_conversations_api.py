"""People at work over the API and from the command line: what they see, what they send, and who may."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.store.database.once import run_once
from runtime.store.tokens import NewToken, Scope, create_token
from tests import media_files
from tests.runtime.test_media import rows
from tests.runtime_process import Json, Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

USER = "+56912345678"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Office]:
    runtime = start_runtime(tmp_path_factory.mktemp("office"), sandbox_process)
    try:
        yield Office(runtime, sandbox_process)
    finally:
        runtime.stop()


class Office:
    """An installation with people: carla and luis, each with a token."""

    def __init__(self, runtime: Runtime, sandbox: Sandbox) -> None:
        self.runtime = runtime
        self.sandbox = sandbox
        self.tokens: dict[str, str] = {}
        for name in ("carla", "luis"):
            self.allow(name, "messages", "write")
        self.allow("reader", "messages")
        self.allow("writer", "write")

    def allow(self, name: str, *scopes: Scope, clients: tuple[str, ...] = ()) -> None:
        """A token for a person."""

        def keep(token: str) -> None:
            self.tokens[name] = token

        run_once(self.runtime.environment["DATABASE_URL"], create_token, NewToken(name, scopes, clients), keep)

    def opened(self, **handoff: object) -> tuple[Line, int]:
        """A line on which the user has written once, and its conversation."""
        shop = open_line(
            self.runtime, self.sandbox, policy={"version": 1, "handoff": {"resume_after": "4h", **handoff}}
        )
        shop.ask("Hola")
        ((id_,),) = rows(self.runtime, f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
        return shop, id_

    def call(self, method: str, path: str, document: object = None, by: str = "carla") -> tuple[int, Json]:
        """A call with a person's token: the status, and the answer or its error."""
        answer = self.runtime.api(method, path, document, self.tokens[by])
        return answer.status, answer.json if answer.body else {}

    def asked(self, shop: Line) -> list[Any]:
        """What a model got for the turns of a line, not for summaries: those have no metadata."""
        calls = self.sandbox.calls("openai", "POST", "/v1/responses")
        return [call["body"]["input"] for call in calls if shop.bot["id"] in str(call["body"].get("metadata"))]

    def thread(self, id_: int) -> Json:
        """A conversation."""
        status, document = self.call("GET", f"/conversations/{id_}")
        assert status == 200, document
        return document


def test_a_person_takes_a_conversation_answers_in_order_and_gives_it_back(office: Office) -> None:
    shop, id_ = office.opened()
    assert office.call("POST", f"/conversations/{id_}/take") == (204, {})
    shop.write("¿Hay alguien?", wait=0)
    wait_until(lambda: office.thread(id_)["messages"][-1]["reason"] == "human", what="the turn to end")
    for text in ("Soy Carla", "¿En qué te ayudo?"):
        status, reply = office.call("POST", f"/conversations/{id_}/messages", {"text": text})
        assert (status, reply["state"]) == (202, "ready")
    wait_until(lambda: len(shop.shown()) == 3, what="both replies")
    assert shop.shown()[1:] == ["Soy Carla", "¿En qué te ayudo?"]
    wait_until(lambda: office.thread(id_)["messages"][-1]["status"] == "delivered", what="the status")
    said = [(message["author"], message["text"]) for message in office.thread(id_)["messages"][2:]]
    assert said == [("user", "¿Hay alguien?"), ("carla", "Soy Carla"), ("carla", "¿En qué te ayudo?")]

    assert office.call("POST", f"/conversations/{id_}/release") == (200, {"answered_turns": 0})
    shop.ask("Una mesa para dos")
    heard = office.asked(shop)[-1]
    assert [item["content"] for item in heard if item["role"] == "assistant"][1:] == ["Soy Carla", "¿En qué te ayudo?"]


def test_what_was_written_meanwhile_is_answered_in_one_turn(office: Office) -> None:
    shop, id_ = office.opened()
    office.call("POST", f"/conversations/{id_}/take")
    for text in ("¿Hola?", "¿Están abiertos?"):
        shop.write(text, wait=0)
    wait_until(lambda: [m["reason"] for m in office.thread(id_)["messages"][-2:]] == ["human"] * 2, what="both")
    assert len(shop.shown()) == 1
    assert office.call("POST", f"/conversations/{id_}/release")[1]["answered_turns"] in (1, 2)
    wait_until(lambda: len(shop.shown()) == 2, what="the answer")
    assert "¿Hola? / ¿Están abiertos?" in shop.shown()[1]


def test_an_answer_in_the_making_is_not_sent_once_a_person_takes_the_conversation_and_is_paid_for(
    office: Office,
) -> None:
    shop, id_ = office.opened()
    spent = f"SELECT count(*) FROM usage WHERE bot_id = '{shop.bot['id']}' AND kind = 'model_output'"
    shop.write("piensa 1.5s", wait=0)
    office.runtime.wait_for_turns(1)
    assert office.call("POST", f"/conversations/{id_}/take")[0] == 204
    wait_until(lambda: office.thread(id_)["messages"][-1]["reason"] == "human", what="the turn to end")
    assert len(shop.shown()) == 1
    # The first turn, the answer that is not sent, and the summary for the person.
    wait_until(lambda: rows(office.runtime, spent) == [(3,)], what="what it cost")
    assert rows(office.runtime, f"SELECT max(starts) FROM turns WHERE conversation_id = {id_}") == [(1,)]


def test_what_a_person_writes_while_the_assistant_makes_an_answer_is_sent_without_another_event(
    office: Office,
) -> None:
    shop, id_ = office.opened()
    before = office.runtime.ended_turns()
    shop.write("piensa 2s", wait=0)
    office.runtime.wait_for_turns(1, after=before)
    assert office.call("POST", f"/conversations/{id_}/messages", {"text": "Soy Carla"})[0] == 202
    wait_until(lambda: [sent["body"] for sent in shop.outbound(USER)][1:] == ["Soy Carla"], what="the reply")
    wait_until(lambda: office.thread(id_)["messages"][-2]["reason"] == "human", what="the turn to end")
    assert [said[-1]["content"] for said in office.asked(shop)].count("piensa 2s") == 1, "it is paid for once"


def test_the_second_of_two_operators_is_told_who_has_it(office: Office) -> None:
    _, id_ = office.opened()
    office.call("POST", f"/conversations/{id_}/take")
    for action, body in (("take", None), ("release", None), ("close", None), ("messages", {"text": "Hola"})):
        status, error = office.call("POST", f"/conversations/{id_}/{action}", body, by="luis")
        assert (status, error["error"]["code"]) == (409, "taken")
        assert "carla has this conversation" in error["error"]["message"]
    assert office.call("POST", f"/conversations/{id_}/take?force=true", by="luis") == (204, {})
    assert office.thread(id_)["conversation"]["operator"] == "luis"


def test_who_may_do_what(office: Office) -> None:
    _, id_ = office.opened()
    one = f"/conversations/{id_}"
    assert office.call("GET", one, by="writer")[0] == 403
    assert office.call("GET", "/conversations/", by="writer")[0] == 403
    for path, body in (("take", None), ("messages", {"text": "Hola"}), ("notes", {"text": "…"}), ("release", None)):
        assert office.call("POST", f"{one}/{path}", body, by="writer")[0] == 403
        assert office.call("POST", f"{one}/{path}", body, by="reader")[0] == 403
    assert office.call("GET", one, by="reader")[0] == 200
    read = f"SELECT actor, action, object_id FROM audit WHERE fields LIKE '%conversation {id_}\"%'"
    assert {(actor, action) for actor, action, _ in rows(office.runtime, read)} == {("reader", "read")}


def test_a_token_of_one_client_sees_no_other_s(office: Office) -> None:
    _, id_ = office.opened()
    office.allow("otro", "messages", "write", clients=("x",))
    assert office.call("GET", f"/conversations/{id_}", by="otro")[0] == 404
    assert office.call("POST", f"/conversations/{id_}/take", by="otro")[0] == 404
    assert office.call("GET", "/conversations/", by="otro") == (200, [])


def test_the_list_shows_who_waits_and_what_is_unread(office: Office) -> None:
    shop, id_ = office.opened()
    client = shop.bot["id"]
    other, _ = office.opened()
    shop.ask("Quiero hablar con una persona")

    def listed(query: str) -> list[int]:
        return [one["id"] for one in office.call("GET", f"/conversations/?client={client}{query}")[1]]

    assert listed("") == listed("&waiting=true") == listed("&unread=true") == listed("&state=human") == [id_]
    assert listed("&state=closed") == listed("&state=assistant") == []
    (found,) = office.call("GET", f"/conversations/?client={client}")[1]
    assert (found["unread"], found["is_waiting"], found["reason"], found["operator"]) == (2, True, "asked", None)
    assert found["window_until"] > found["last_inbound"]
    office.thread(id_)
    assert (listed("&unread=true"), listed("&waiting=true")) == ([], [id_])
    page = office.call("GET", "/conversations/?limit=1")[1]
    following = office.call("GET", f"/conversations/?limit=1&after={page[0]['newest']}")[1]
    assert page[0]["id"] == id_
    assert following[0]["id"] != id_
    assert office.call("GET", "/conversations/?state=gone")[1]["error"]["field"] == "state"
    assert other.shown() != []


def test_a_closed_conversation_is_opened_by_its_user(office: Office) -> None:
    shop, id_ = office.opened()
    office.call("POST", f"/conversations/{id_}/messages", {"text": "Listo, ¡hasta luego!"})
    assert office.call("POST", f"/conversations/{id_}/close") == (204, {})
    wait_until(lambda: len(shop.shown()) == 2, what="the reply")
    assert office.thread(id_)["conversation"]["state"] == "closed"
    shop.ask("Una cosa más")
    assert office.thread(id_)["conversation"]["state"] == "assistant"


def test_a_reply_carries_a_picture_for_a_day(office: Office) -> None:
    shop, id_ = office.opened()
    photo = media_files.jpeg()
    digest = hashlib.sha256(photo).hexdigest()
    put = f"/conversations/{id_}/files/{digest}?name="
    headers = {"Authorization": f"Bearer {office.tokens['carla']}"}
    assert office.runtime.request("PUT", f"{put}foto.pdf", photo, headers).status == 415
    assert office.runtime.request("PUT", f"{put}foto.exe", photo, headers).status == 415
    reply = {"text": "Así queda", "file": {"sha256": digest, "name": "foto.jpg"}}
    assert office.call("POST", f"/conversations/{id_}/messages", reply)[1]["error"]["code"] == "no_file"
    assert office.runtime.request("PUT", f"{put}foto.jpg", photo, headers).status == 204
    assert office.call("POST", f"/conversations/{id_}/messages", reply)[0] == 202
    wait_until(lambda: len(shop.outbound()) == 2, what="the picture")
    sent = shop.outbound()[-1]
    assert (sent["body"], len(sent["media"])) == ("Así queda", 1)
    kept = f"SELECT count(*) FROM files WHERE sha256 = '{digest}'"
    assert rows(office.runtime, kept) == [(1,)]
    office.runtime.command("forget", USER, "--yes")
    assert rows(office.runtime, kept) == [(0,)]


def test_the_command_line_does_the_same(office: Office) -> None:
    shop, id_ = office.opened()
    run = office.runtime.command
    assert f"{id_}\t{shop.bot['id']}\t{USER}" in run("conversations", "list", "--client", shop.bot["id"]).out
    assert "has conversation" in run("conversations", "take", str(id_)).out
    refused = run("conversations", "reply", "4711", "Hola")
    assert (refused.code, "There is no conversation 4711" in refused.err) == (1, True)
    assert run("conversations", "reply", str(id_), "Soy del equipo").code == 0
    wait_until(lambda: "Soy del equipo" in shop.shown(), what="the reply")
    run("conversations", "note", str(id_), "Cliente frecuente")
    shown = run("conversations", "show", str(id_)).out
    assert "Soy del equipo" in shown
    assert "Cliente frecuente" in shown
    assert "The assistant has" in run("conversations", "release", str(id_)).out
    assert "is closed" in run("conversations", "close", str(id_)).out
    assert office.thread(id_)["conversation"]["state"] == "closed"
