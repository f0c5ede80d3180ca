"""Both drivers: a conversation that people have is at Chatwoot; what they write there goes out by WhatsApp, once."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests import media_files
from tests.drivers.desks import SETTINGS, Desk, opened, webhook
from tests.drivers.fleet import Fleet, fleet_on
from tests.sandbox_process import Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
"""SQLite is the short form: the statements are the same."""
MESSAGES = {"provider": "chatwoot", "method": "POST", "path": "/api/v1/accounts/*/messages"}


@pytest.fixture(scope="module", params=STORES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("desk"), sandbox_process, **SETTINGS) as fleet:
        yield fleet


@pytest.fixture
def desk(served: Fleet, sandbox: Sandbox) -> Desk:
    return opened(served, sandbox)


def test_a_conversation_goes_to_people_at_the_desk_and_back_to_the_assistant(desk: Desk, sandbox: Sandbox) -> None:
    desk.write("¿Tienen mesas para hoy?")
    wait_until(lambda: len(desk.phone()) == 1, what="an answer")
    assert desk.conversation == {}  # the assistant's are not shown there

    desk.handed_over()
    wait_until(lambda: len(desk.notes()) == 1, what="the note that says why")
    shown = desk.conversation
    words = [
        (row["message_type"], (row["sender"] or {}).get("type")) for row in shown["messages"] if not row["private"]
    ]
    assert words == [("incoming", "contact"), ("outgoing", "agent_bot")] * 2
    assert desk.said()[0] == "¿Tienen mesas para hoy?"
    (note,) = desk.notes()
    assert "la persona pidió hablar con alguien" in note
    wait_until(lambda: desk.conversation["assignee"] is None, what="whoever takes it")
    assert shown["contact"]["name"]

    desk.operator("Una nota para el equipo", private=True)
    desk.operator("Hola, soy **Carla**. ¿A qué hora?")
    desk.sent("Hola, soy *Carla*. ¿A qué hora?")
    photo = b64encode(media_files.jpeg(640, 480)).decode()
    desk.write("A las 8, así", media=[{"content_type": "image/jpeg", "base64": photo}])
    desk.shows("A las 8, así")
    assert desk.conversation["messages"][-1]["attachments"][0]["file_type"] == "image"

    desk.set_status("resolved")
    desk.is_assistants()
    told = len(desk.phone())
    desk.write("Otra pregunta: ¿abren el domingo?")
    wait_until(lambda: len(desk.phone()) > told, what="the assistant's answer")
    assert desk.phone().count("Hola, soy *Carla*. ¿A qué hora?") == 1
    assert not any("Una nota para el equipo" in body for body in desk.phone())
    assert not any("abren el domingo" in said for said in desk.said())


def test_files_of_operators_go_out_one_a_message(desk: Desk, sandbox: Sandbox) -> None:
    def file(name: str, content_type: str, content: bytes) -> Json:
        return {"filename": name, "content_type": content_type, "base64": b64encode(content).decode()}

    desk.handed_over()
    sandbox.settings(desk_upload_seconds=0.5)  # the file is there after its message
    photo, menu = (
        file("foto", "image/jpeg", media_files.jpeg(64, 48)),
        file("carta.pdf", "application/pdf", b"%PDF-1.7"),
    )
    desk.operator("Nuestra **carta**", attachments=[photo, menu])
    wait_until(lambda: len(desk.media()) == 2, what="two files")
    assert [(body, url.partition("?")[0].rpartition("/")[2]) for body, url in desk.media()] == [
        ("Nuestra *carta*", "foto.jpg"),
        ("", "carta.pdf"),
    ]
    refused = desk.operator("Un video", attachments=[file("video.mp4", "video/mp4", b"\0\0\0\x18ftypmp42")])
    wait_until(lambda: desk.delivery(refused)[0] == "failed", what="a refusal at the desk")
    assert desk.delivery(refused)[1] == "No se envió: por WhatsApp salen PDF, DOCX, XLSX, PPTX, JPEG y PNG"
    assert not any("Un video" in body for body in desk.phone())


def test_deliveries_and_failures_go_back_to_the_desk(desk: Desk, sandbox: Sandbox) -> None:
    desk.handed_over()
    delivered = desk.operator("Esto llega")
    desk.sent("Esto llega")
    sandbox.faults({"kind": "undelivered", "provider": "twilio", "code": 63003})
    lost = desk.operator("Esto no llega")
    desk.sent("Esto no llega")

    wait_until(lambda: desk.delivery(delivered)[0] == "delivered", what="a delivery at the desk")
    wait_until(lambda: desk.delivery(lost)[0] == "failed", what="a failure at the desk")
    assert desk.delivery(lost)[1] == "El número no está en WhatsApp (63003)"


def test_webhooks_that_are_lost_doubled_or_late_send_each_message_once(desk: Desk, sandbox: Sandbox) -> None:
    desk.handed_over()
    sandbox.faults({"kind": "duplicate_webhook", "provider": "chatwoot"}, {"kind": "reorder_webhooks"})
    for number in range(3):
        desk.operator(f"Mensaje {number}")
    desk.sent("Mensaje 2")
    sandbox.faults({"kind": "drop_webhook", "provider": "chatwoot"})
    desk.operator("Sin aviso")
    time.sleep(1)
    desk.write("¿Hola?")  # whatever brings both sides together finds it
    desk.sent("Sin aviso")
    by_operator = [body for body in desk.phone() if body.startswith(("Mensaje", "Sin"))]
    assert by_operator == ["Mensaje 0", "Mensaje 1", "Mensaje 2", "Sin aviso"]


def test_a_write_whose_answer_is_lost_is_looked_up_and_not_repeated(desk: Desk, sandbox: Sandbox) -> None:
    desk.handed_over()
    lost = {"kind": "timeout_after_write", "seconds": 0, "times": 1, "containing": "Primero"}
    failed = {"kind": "status", "status": 500, "times": 2, "containing": "Segundo"}
    sandbox.faults(MESSAGES | lost, MESSAGES | failed)
    desk.write("Primero")
    desk.write("Segundo")
    desk.shows("Segundo")
    assert desk.said()[-2:] == ["Primero", "Segundo"]


def test_what_an_operator_had_not_read_when_they_wrote_is_answered_by_the_assistant(
    desk: Desk, sandbox: Sandbox
) -> None:
    desk.handed_over()
    sandbox.faults({"kind": "status", "status": 503, "provider": "chatwoot", "path": "/api/"})
    desk.operator("Ya te ayudo")
    desk.write("¿Y cuánto cuesta?")
    wait_until(lambda: sandbox.fired() > 0, what="the desk to fail")
    desk.set_status("resolved")
    sandbox.faults()
    desk.sent("Ya te ayudo")
    desk.sent("¿Y cuánto cuesta?")
    desk.is_assistants()


def test_every_conversation_is_shown_where_the_manifest_says_always(served: Fleet, sandbox: Sandbox) -> None:
    desk = opened(served, sandbox, "always")
    desk.write("¿Tienen estacionamiento?")
    wait_until(lambda: len(desk.said()) == 2, what="question and answer at the desk")
    desk.has_status("pending")
    desk.set_status("open")
    wait_until(lambda: desk.state() == "human", what="people to have it")
    answered = len(desk.phone())
    desk.write("¿Y cuánto cuesta?")
    desk.shows("¿Y cuánto cuesta?")
    desk.set_status("pending")
    wait_until(lambda: len(desk.phone()) > answered, what="an answer to what nobody answered")
    desk.is_assistants()


def test_a_desk_writes_to_its_own_clients_people_only(served: Fleet, desk: Desk, sandbox: Sandbox) -> None:
    other = opened(served, sandbox)
    desk.handed_over()
    other.handed_over()
    theirs = other.conversation
    event = {
        "event": "message_created",
        "id": 999_999,
        "account": {"id": other.account},
        "inbox": {"id": other.inbox},
        "content": "De otro cliente",
        "message_type": "outgoing",
        "private": False,
        "sender": {"id": 1, "type": "user"},
        "conversation": {"id": theirs["id"], "inbox_id": other.inbox},
    }
    assert webhook(desk, event).status == 200  # signed, and of no effect
    forged = event | {"account": {"id": desk.account}, "conversation": {"id": theirs["id"], "inbox_id": desk.inbox}}
    assert webhook(desk, forged).status == 200
    desk.operator("De este cliente")
    desk.sent("De este cliente")
    assert not any("De este cliente" in body for body in other.phone())
    assert not any("De otro cliente" in body for body in [*desk.phone(), *other.phone()])


def test_the_desk_of_a_client_that_was_applied_just_now_is_believed(served: Fleet, sandbox: Sandbox) -> None:
    for desk in (opened(served, sandbox) for _ in range(5)):
        assert webhook(desk, {"event": "conversation_updated", "id": 1, "inbox_id": desk.inbox}).status == 200


def test_a_webhook_without_a_valid_signature_is_refused(desk: Desk) -> None:
    event: Json = {"event": "conversation_updated", "id": 1, "inbox_id": desk.inbox, "account": {"id": desk.account}}
    assert webhook(desk, event).status == 200
    assert webhook(desk, event, secret="wrong").status == 403
    assert webhook(desk, event, age=301).status == 403
    assert webhook(desk, event, age=-301).status == 403
    assert webhook(desk, event, client="nobody").status == 403
    assert desk.fleet.replicas[0].request("POST", f"/webhook/desk/{desk.line.bot['id']}", b"{}").status == 403
