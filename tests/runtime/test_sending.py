"""What the assistant sends besides words: files, places, buttons and lists, each once, in order with its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from twilio.rest import Client

from schemas.content_shapes import SHAPES, content_of
from tests import media_files
from tests.drivers.fleet import USER, Fleet, answers, fleet_on
from tests.function_endpoint import Endpoint
from tests.runtime.test_no_reply import saying, words
from tests.runtime_process import API_TOKEN, Line
from tests.sandbox_process import Json, Sandbox, wait_until

MENU, PHOTO = media_files.pdf("Cazuela a 6.900"), media_files.jpeg()
LOCAL = {"latitude": -33.4515, "longitude": -70.6253, "name": "La Cocina", "address": "Av. Italia 1234"}
MODEL = "/v1/responses"


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(
        request.param, tmp_path_factory.mktemp("sending"), sandbox_process, REPLY_WITHIN_SECONDS="12"
    ) as fleet:
        for content in (MENU, PHOTO):
            headers = {"Authorization": f"Bearer {API_TOKEN}"}
            put = fleet.replicas[0].request("PUT", f"/files/{sha256(content).hexdigest()}", content, headers)
            assert put.status == 204
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    return served


short_on_sqlite = pytest.mark.parametrize(
    "served", ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])], indirect=True
)
"""The statements are the same on both."""


def stored(content: bytes, path: str, kind: str) -> Json:
    return {"path": path, "sha256": sha256(content).hexdigest(), "size": len(content), "type": kind}


def contents(sandbox: Sandbox) -> dict[str, str]:
    """Twilio's contents, as an apply makes them."""
    client = Client(sandbox.account_sid, sandbox.auth_token)
    made = {}
    for shape in SHAPES:
        url = f"{sandbox.twilio_url}/v1/Content"
        answer = client.http_client.request(
            "POST", url, data=content_of(shape), auth=(sandbox.account_sid, sandbox.auth_token),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        made[shape] = json.loads(answer.text)["sid"]
    return made


@pytest.fixture
def shop(fleet: Fleet) -> Line:
    """A bot that may send all there is."""
    files = {
        "menu": stored(MENU, "la-cocina/menú.pdf", "application/pdf"),
        "plato": stored(PHOTO, "la-cocina/plato.jpg", "image/jpeg"),
        "perdido": stored(b"lost", "la-cocina/perdido.pdf", "application/pdf"),
    }
    return fleet.open_line(
        fallback_message="Lo sentimos.",
        policy={
            "version": 1,
            "files": files,
            "media": {"places": {"local": LOCAL}},
            "replies": {"buttons": True},
            "contents": contents(fleet.sandbox),
        },
    )


def call(tool: str, call_id: str = "call_1", /, **arguments: object) -> Json:
    given = json.dumps(arguments, ensure_ascii=False)
    return {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": tool, "arguments": given,
            "status": "completed"}  # fmt: skip


def script(fleet: Fleet, *responses: tuple[Json, ...]) -> None:
    """The model's next responses, in order."""
    fleet.sandbox.faults(*(saying(*output) for output in responses))


def settled(fleet: Fleet, shop: Line) -> list[Json]:
    """What was sent to the user, once nothing is left to do."""
    query = f"SELECT count(*) FROM turns WHERE state = 'running' AND bot_id = '{shop.bot['id']}'"
    unsent = f"SELECT count(*) FROM outbox WHERE state IN ('ready', 'sending') AND bot_id = '{shop.bot['id']}'"
    wait_until(lambda: fleet.rows(query) == fleet.rows(unsent) == [(0,)], what="the end of the turn")
    return shop.outbound()


def ask(fleet: Fleet, shop: Line, text: str = "Hola") -> list[Json]:
    before = len(shop.outbound())
    fleet.sandbox.inbound(shop.number, text, USER, wait=0)
    wait_until(lambda: len(shop.outbound()) > before, what="an answer")
    return settled(fleet, shop)[before:]


def asked(shop: Line) -> list[Json]:
    return [entry["body"] for entry in shop.sandbox.calls("openai", "POST", MODEL)]


def results(shop: Line) -> list[Json]:
    """What the model got as results in its last request."""
    items = asked(shop)[-1]["input"]
    return [json.loads(item["output"]) for item in items if item.get("type") == "function_call_output"]


def test_the_tools_are_offered_for_what_is_declared(fleet: Fleet, shop: Line) -> None:
    ask(fleet, shop)
    offered = {tool["name"]: tool for tool in asked(shop)[-1]["tools"]}
    assert list(offered) == ["send_document", "send_image", "send_location", "offer_buttons", "offer_list"]
    assert offered["send_document"]["parameters"]["properties"]["name"]["enum"] == ["menu", "perdido"]
    assert offered["send_image"]["parameters"]["properties"]["name"]["enum"] == ["plato"]
    assert "La Cocina, Av. Italia 1234" in offered["send_location"]["description"]


def test_a_bot_without_any_is_asked_as_before(fleet: Fleet) -> None:
    plain = fleet.open_line(policy={"version": 1, "replies": {"buttons": False, "no_reply": False}})
    ask(fleet, plain)
    assert "tools" not in asked(plain)[-1]


def test_a_document_goes_out_before_the_words_of_the_answer(fleet: Fleet, shop: Line) -> None:
    script(fleet, (call("send_document", name="menu"),), (words("Esta es nuestra **carta**."),))
    document, text = ask(fleet, shop)
    [url] = document["media"]
    assert (
        url.startswith(f"{fleet.replicas[0].url}/media/{sha256(MENU).hexdigest()}/men%C3%BA.pdf?exp=")
        or len(fleet.replicas) > 1
    )
    assert (document["body"], text["body"], text["media"]) == ("", "Esta es nuestra *carta*.", [])
    fetched = [entry for entry in fleet.sandbox.ledger(kind="media") if entry["message_sid"] == document["message_sid"]]
    assert [(entry["method"], entry["status"]) for entry in fetched] == [("HEAD", 200), ("GET", 200)]
    assert fetched[1]["sha256"] == sha256(MENU).hexdigest()
    assert results(shop) == [{"result": "accepted: it is sent together with your answer"}]


def test_the_next_turn_knows_what_was_sent(fleet: Fleet, shop: Line) -> None:
    script(fleet, (call("send_document", name="menu"),), (words("Aquí está."),))
    ask(fleet, shop, "¿Me mandas la carta?")
    ask(fleet, shop, "¿Y la carta?")
    kinds = [item.get("type") or item["role"] for item in asked(shop)[-1]["input"]]
    assert kinds == ["user", "function_call", "function_call_output", "assistant", "developer", "user"]


def test_a_picture_has_its_caption_in_whatsapp_s_formats(fleet: Fleet, shop: Line) -> None:
    script(
        fleet, (call("send_image", name="plato", caption="**Cazuela** [carta](https://a.cl)"),), (words("¿Algo más?"),)
    )
    picture, text = ask(fleet, shop)
    assert (picture["body"], len(picture["media"]), text["body"]) == ("*Cazuela* carta: https://a.cl", 1, "¿Algo más?")


def test_a_place_is_shown_on_a_map(fleet: Fleet, shop: Line) -> None:
    script(fleet, (call("send_location", name="local"),), (words("Estamos aquí."),))
    place, text = ask(fleet, shop)
    assert (place["body"], text["body"]) == ("La Cocina", "Estamos aquí.")
    [sent] = [entry["body"] for entry in fleet.sandbox.calls("twilio", "POST") if "PersistentAction" in entry["body"]]
    assert sent["PersistentAction"] == "geo:-33.451500,-70.625300|Av. Italia 1234"
    [(body,)] = fleet.rows(f"SELECT body FROM outbox WHERE bot_id = '{shop.bot['id']}' AND part = 0")
    assert body == "La Cocina\nAv. Italia 1234\n[-33.4515, -70.6253]"


def test_buttons_are_the_whole_answer_and_cost_one_request(fleet: Fleet, shop: Line) -> None:
    offer = call("offer_buttons", text="¿Confirmas el **martes**?", buttons=["*Sí*, confirmo", "Otro día"])
    script(fleet, (offer,))
    [message] = ask(fleet, shop)
    assert message["content"] == {
        "type": "twilio/quick-reply",
        "body": "¿Confirmas el *martes*?",
        "buttons": [{"title": "Sí, confirmo", "id": "1"}, {"title": "Otro día", "id": "2"}],
    }
    assert len(asked(shop)) == 1
    [(body, category)] = fleet.rows(f"SELECT body, category FROM outbox WHERE bot_id = '{shop.bot['id']}'")
    assert (body, category) == ("¿Confirmas el *martes*?\n- Sí, confirmo\n- Otro día", "service")


def test_a_list_has_its_rows(fleet: Fleet, shop: Line) -> None:
    rows = [{"title": "15:30", "description": "con Ana"}, {"title": "16:00", "description": "con Luis"}]
    script(fleet, (call("offer_list", text="Tenemos:", button="Ver horas", rows=rows),))
    [message] = ask(fleet, shop)
    assert message["content"] == {
        "type": "twilio/list-picker",
        "body": "Tenemos:",
        "button": "Ver horas",
        "rows": [
            {"title": "15:30", "id": "1", "description": "con Ana"},
            {"title": "16:00", "id": "2", "description": "con Luis"},
        ],
    }


def test_of_a_list_with_a_few_descriptions_none_is_shown(fleet: Fleet, shop: Line) -> None:
    rows = [{"title": "15:30", "description": "con Ana"}, {"title": "16:00"}]
    script(fleet, (call("offer_list", text="Tenemos:", button="Ver horas", rows=rows),))
    [message] = ask(fleet, shop)
    assert [row["description"] for row in message["content"]["rows"]] == ["", ""]


def test_files_come_before_buttons_whatever_the_order_of_the_calls(fleet: Fleet, shop: Line) -> None:
    offer = call("offer_buttons", "call_1", text="¿Qué prefieres?", buttons=["Cazuela", "Charquicán"])
    script(fleet, (offer, call("send_document", "call_2", name="menu")))
    document, buttons = ask(fleet, shop)
    assert (len(document["media"]), buttons["body"]) == (1, "¿Qué prefieres?")


def test_a_tap_is_the_next_message(fleet: Fleet, shop: Line) -> None:
    script(fleet, (call("offer_buttons", text="¿Confirmas?", buttons=["Sí", "No"]),))
    ask(fleet, shop)
    fleet.sandbox.inbound(shop.number, "", USER, wait=0, button={"title": "Sí", "id": "1"})
    wait_until(lambda: len(asked(shop)) == 2, what="the next request")
    last = asked(shop)[-1]["input"]
    assert "Sí" in last[-1]["content"]
    assert (
        "¿Confirmas?"
        in json.loads(next(item for item in last if item.get("type") == "function_call")["arguments"])["text"]
    )


REFUSED: dict[str, tuple[Json, str]] = {
    "an unknown file": (call("send_document", name="carta"), "there is no such file; there are: menu, perdido, plato"),
    "a picture as a document": (call("send_document", name="plato"), "this is a picture; send_image sends it"),
    "a document as a picture": (call("send_image", name="menu"), "this is a document; send_document sends it"),
    "bytes that are not stored": (call("send_document", name="perdido"), "the file is not available now"),
    "a long caption": (
        call("send_image", name="plato", caption="a" * 1025),
        "caption has 1025 characters, 1024 at most",
    ),
    "an unknown place": (call("send_location", name="casa"), "there is no such place; there are: local"),
    "a long text": (call("offer_buttons", text="a" * 1025, buttons=["Sí"]), "text has 1025 characters, 1024 at m"),
    "no text": (call("offer_buttons", text=" ", buttons=["Sí"]), "text must be a text"),
    "a long title": (call("offer_buttons", text="¿?", buttons=["a" * 21]), "buttons[0] has 21 characters, 20 at"),
    "a title of emoji": (
        call("offer_buttons", text="¿?", buttons=["👍" * 11]),
        "buttons[0] has 11 characters, 20 at most",
    ),
    "four buttons": (
        call("offer_buttons", text="¿?", buttons=["a", "b", "c", "d"]),
        "buttons must be a list of 1 to 3",
    ),
    "two that are the same": (call("offer_buttons", text="¿?", buttons=["Sí", "*Sí*"]), "two choices say the same"),
    "one row": (call("offer_list", text="¿?", button="Ver", rows=[{"title": "a"}]), "rows must be a list of 2 to 10"),
    "eleven rows": (
        call("offer_list", text="¿?", button="Ver", rows=[{"title": str(n)} for n in range(11)]),
        "rows must be a list of 2 to 10",
    ),
    "a row of a wrong type": (call("offer_list", text="¿?", button="Ver", rows=["a", "b"]), "rows[0] is not an object"),
    "a long row": (
        call("offer_list", text="¿?", button="Ver", rows=[{"title": "a" * 25}, {"title": "b"}]),
        "rows[0].title has 25 characters, 24 at most",
    ),
    "a long description": (
        call("offer_list", text="¿?", button="Ver", rows=[{"title": "a", "description": "d" * 73}, {"title": "b"}]),
        "rows[0].description has 73 characters, 72 at most",
    ),
    "arguments of another type": (call("send_document") | {"arguments": "[1]"}, "the arguments are not an object"),
    "arguments that are not JSON": (call("send_document") | {"arguments": "{"}, "the arguments are not valid JSON"),
}


@pytest.mark.parametrize(("wanted", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_sent_is_said_to_the_model_which_answers_in_words(
    fleet: Fleet, shop: Line, wanted: Json, said: str
) -> None:
    script(fleet, (wanted,), (words("Elige: sí o no."),))
    [message] = ask(fleet, shop)
    assert (message["body"], message["media"]) == ("Elige: sí o no.", [])
    [result] = results(shop)
    assert result["error"].startswith(said)


def test_an_account_without_the_shape_gets_words(fleet: Fleet) -> None:
    bare = fleet.open_line(policy={"version": 1, "replies": {"buttons": True}})
    script(fleet, (call("offer_buttons", text="¿?", buttons=["Sí"]),), (words("¿Sí o no?"),))
    [message] = ask(fleet, bare)
    assert message["body"] == "¿Sí o no?"
    assert "write the choices as text" in results(bare)[0]["error"]


def test_buttons_that_twilio_does_not_take_are_a_list_and_a_single_one_is_words(fleet: Fleet) -> None:
    lists = {shape: sid for shape, sid in contents(fleet.sandbox).items() if shape.startswith("list")}
    policy = {"version": 1, "replies": {"buttons": True}, "contents": lists}
    shop = fleet.open_line(policy=policy)
    script(
        fleet,
        (call("offer_buttons", text="¿Confirmas?", buttons=["Sí"]),),
        (call("offer_buttons", "call_2", text="¿Confirmas?", buttons=["Sí, confirmo", "Otro día"]),),
        (words("Nada más."),),
    )
    [message] = ask(fleet, shop)
    rows = [
        {"title": "Sí, confirmo", "id": "1", "description": ""},
        {"title": "Otro día", "id": "2", "description": ""},
    ]
    assert message["content"] == {
        "type": "twilio/list-picker", "body": "¿Confirmas?", "button": "Ver opciones", "rows": rows
    }  # fmt: skip
    ask(fleet, shop, "¿Y?")
    refused, listed = results(shop)
    assert refused["error"] == "Twilio does not take these here; write the choices as text instead"
    assert listed["result"].startswith("accepted, as a list that opens with a tap, since buttons cannot be shown here")


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "/2010-04-01/Accounts/*/Messages.json", "method": "POST", "kind": "status", "status": 400,
         "body": {"code": 21656, "message": "The ContentVariables parameter is invalid", "status": 400}},
        {"kind": "undelivered", "code": 63021},
    ],
    ids=["at once", "later"],
)  # fmt: skip
def test_buttons_that_twilio_refuses_are_sent_in_words_once(fleet: Fleet, shop: Line, fault: Json) -> None:
    offer = call("offer_buttons", text="¿Confirmas el martes?", buttons=["Sí, confirmo", "Otro día"])
    fleet.sandbox.faults(shop.only(saying(offer)), {"provider": "twilio", "times": 1} | fault)
    fleet.sandbox.inbound(shop.number, "Hola", USER, wait=0)
    said = "¿Confirmas el martes?\n- Sí, confirmo\n- Otro día"
    wait_until(lambda: said in [message["body"] for message in shop.outbound()], what="the answer in words")
    settled(fleet, shop)
    assert [message["body"] for message in shop.outbound()].count(said) == 1
    assert len(asked(shop)) == 1


def test_one_answer_sends_a_thing_once_and_four_at_most_and_one_offer(fleet: Fleet, shop: Line) -> None:
    offers = [call("offer_buttons", f"call_{n}", text=f"¿{n}?", buttons=["Sí"]) for n in (7, 8)]
    sends = [
        call("send_document", "call_1", name="menu"),
        call("send_document", "call_2", name="menu"),
        call("send_image", "call_3", name="plato"),
        call("send_image", "call_4", name="plato", caption="Otra"),
        call("send_location", "call_5", name="local"),
        call("send_image", "call_6", name="plato", caption="Y otra"),
    ]
    script(fleet, (*sends, *offers), (words("Eso es todo."),))
    sent = ask(fleet, shop)
    assert [bool(message["media"]) for message in sent] == [True, True, True, False, False]
    assert [result.get("error", "")[:30] for result in results(shop)] == [
        "",
        "it is sent with this answer al",
        "",
        "",
        "",
        "one answer sends at most 4 thi",
        "one answer sends at most 4 thi",
        "one answer sends at most 4 thi",
    ]


def test_an_answer_may_be_without_words(fleet: Fleet, shop: Line) -> None:
    script(fleet, (call("send_document", name="menu"),), (words(" "),))
    [document] = ask(fleet, shop)
    assert len(document["media"]) == 1


def test_what_a_failed_turn_would_have_sent_is_not_sent_and_not_remembered(fleet: Fleet, shop: Line) -> None:
    failure = {"provider": "openai", "method": "POST", "path": MODEL, "kind": "status", "status": 400}
    refused = {"error": {"message": "no", "type": "invalid_request_error", "code": None, "param": None}}
    fleet.sandbox.faults(shop.only(saying(call("send_document", name="menu"))), failure | {"body": refused, "times": 1})
    [message] = ask(fleet, shop)
    assert (message["body"], message["media"]) == ("Lo sentimos.", [])
    ask(fleet, shop, "¿Y?")
    assert all(item.get("type") != "function_call" for item in asked(shop)[-1]["input"])


def test_a_client_s_own_function_of_an_older_program_comes_first(fleet: Fleet, endpoint: Endpoint) -> None:
    shop = fleet.open_line(policy={"version": 1, "media": {"places": {"local": LOCAL}}})
    function = json.dumps({"send_location": {"url": endpoint.url, "secret_env": None, "timeout_seconds": 5}})
    fleet.rows(f"UPDATE bots SET functions = '{function}' WHERE id = '{shop.bot['id']}' RETURNING 1")
    fleet.rows("UPDATE catalog SET version = version + 1 RETURNING 1")
    wait_until(lambda: True)
    script(fleet, (call("send_location", name="local"),), (words("Listo."),))
    [message] = ask(fleet, shop)
    assert message["body"] == "Listo."


HANGS = {"seconds": 60, "times": 1}
SEND: Json = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
ASKED: Json = {"provider": "openai", "method": "POST", "path": MODEL}
KILLED: dict[str, Json] = {
    "while the model is told that the call is accepted": ASKED | {"kind": "timeout_before_write"},
    "before Twilio has the document": SEND | {"kind": "timeout_before_write"},
    "after Twilio has the document": SEND | {"kind": "timeout_after_write"},
    "before Twilio has the buttons": SEND | {"kind": "timeout_before_write", "after": 1},
    "after Twilio has the buttons": SEND | {"kind": "timeout_after_write", "after": 1},
}


def fired(sandbox: Sandbox, steps: int) -> bool:
    """Whether both rules of the first steps have fired."""
    return sandbox.fired_each()[: 2 * steps] == [1, 1] * steps


@short_on_sqlite
def test_a_runtime_that_is_killed_at_any_step_sends_each_once(fleet: Fleet, shop: Line) -> None:
    users = {when: f"+5692222220{number}" for number, when in enumerate(KILLED)}
    rules = []
    for when, fault in KILLED.items():
        of_turn = {"containing": when if fault["path"] == MODEL else users[when][1:]}
        calls = [call("send_document", name="menu")]
        if "buttons" in when:
            calls.append(call("offer_buttons", "call_2", text="¿Reservas?", buttons=["Sí", "No"]))
        rules += [saying(*calls) | {"containing": when}, fault | HANGS | of_turn]
    fleet.sandbox.faults(*rules)
    for number, when in enumerate(KILLED, 1):
        fleet.sandbox.inbound(shop.number, when, users[when], wait=0)
        wait_until(partial(fired, fleet.sandbox, number), what=when)
    assert noted(fleet, shop)
    fleet.kill()
    fleet.sandbox.faults()
    fleet.start_again()

    for user in users.values():
        answers(shop, 2, user)
    settled(fleet, shop)
    for when, user in users.items():
        document, last = shop.outbound(user)
        assert (len(document["media"]), document["body"], last["media"]) == (1, "", [])
        assert ("content" in last) == ("buttons" in when)


def noted(fleet: Fleet, shop: Line) -> bool:
    """Whether an accepted call is in a turn's row."""
    rows: list[Any] = fleet.rows(f"SELECT progress FROM turns WHERE bot_id = '{shop.bot['id']}'")
    return any(progress and "accepted" in progress for (progress,) in rows)


@short_on_sqlite
@pytest.mark.parametrize("kind", ["timeout_after_write", "timeout_before_write"])
def test_whichever_send_has_no_answer_each_is_made_once(fleet: Fleet, shop: Line, kind: str) -> None:
    users = [f"+5693333330{number}" for number in range(3)]
    offer = call("offer_buttons", "call_3", text="¿Reservas?", buttons=["Sí", "No"])
    calls = (call("send_document", name="menu"), call("send_location", "call_2", name="local"), offer)
    lost = SEND | {"kind": kind, "seconds": 0.2, "times": 1}
    fleet.sandbox.faults(
        *(saying(*calls) | {"containing": user} for user in users),
        *(lost | {"containing": user[1:], "after": number} for number, user in enumerate(users)),
    )
    for user in users:
        fleet.sandbox.inbound(shop.number, user, user, wait=0)
    for user in users:
        answers(shop, 3, user)
    settled(fleet, shop)
    assert fleet.sandbox.fired_each() == [1] * 6
    for user in users:
        assert [(len(message["media"]), message["body"]) for message in shop.outbound(user)] == SENT


SENT = [(1, ""), (0, "La Cocina"), (0, "¿Reservas?")]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["timeout_after_write", "timeout_before_write"])
def test_a_send_without_an_answer_is_looked_up_and_made_once(fleet: Fleet, shop: Line, kind: str) -> None:
    lost = {"provider": "twilio", "method": "POST", "path": "/2010-04-01", "kind": kind, "seconds": 0.2, "times": 3}
    offer = call("offer_buttons", "call_3", text="¿Reservas?", buttons=["Sí", "No"])
    calls = (call("send_document", name="menu"), call("send_location", "call_2", name="local"), offer)
    fleet.sandbox.faults(saying(*calls), lost)
    fleet.sandbox.inbound(shop.number, "Hola", USER, wait=0)
    wait_until(lambda: len(shop.outbound()) >= 3, what="three messages")
    sent = settled(fleet, shop)
    assert [(len(message["media"]), message["body"]) for message in sent] == SENT
