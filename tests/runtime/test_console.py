"""The console over HTTP: signing in, what each page shows and does, and to whom."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from runtime.store.database.times import timestamp
from tests import media_files
from tests.runtime.console import Browser, change, sign_in, text_of
from tests.runtime.template_shop import PROMO, REMINDER, made
from tests.runtime.test_media import rows, sent
from tests.runtime_process import Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime of the module's own, without operators until the first test invites one."""
    runtime = start_runtime(tmp_path_factory.mktemp("console"), sandbox_process)
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def ana(installation: Runtime) -> Browser:
    """An administrator who has signed in. The console is off before."""
    for path in ("/console", "/console/sign-in", "/console/static/console.css"):
        assert installation.request("GET", path).status == 404
    return sign_in(installation, "ana@horizonai.cl", "--role", "admin")


def opened(runtime: Runtime, sandbox: Sandbox, **fields: object) -> tuple[Line, int]:
    """A line on which a user has written once, and its conversation."""
    shop = open_line(runtime, sandbox, policy={"version": 1, "handoff": {"resume_after": "4h"}}, **fields)
    shop.ask("Hola")
    ((id_,),) = rows(runtime, f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    return shop, id_


def test_the_fleet_shows_who_answers(installation: Runtime, ana: Browser, sandbox_process: Sandbox) -> None:
    shop, _ = opened(installation, sandbox_process, name="Panadería Sol")

    page = text_of(ana.get("/console"))

    assert "Panadería Sol" in page
    assert shop.number in page


def test_a_person_is_answered_from_the_console(installation: Runtime, ana: Browser, sandbox_process: Sandbox) -> None:
    shop, id_ = opened(installation, sandbox_process)
    one = f"/console/conversations/{id_}"
    assert "Asistente" in text_of(ana.get(one))
    assert "La tienes tú" in text_of(ana.post(f"{one}/take"))
    assert "Soy Ana" in text_of(ana.post(f"{one}/reply", text="Soy Ana"))
    wait_until(lambda: "Soy Ana" in shop.shown(), what="the reply")
    assert "La tienes tú" not in text_of(ana.post(f"{one}/release"))
    assert "Cerrada" in text_of(ana.post(f"{one}/close"))


def test_a_client_s_month_is_shown_and_written_as_csv(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, _ = opened(installation, sandbox_process, name="Óptica Norte")
    client = shop.bot["id"]

    page = text_of(ana.get(f"/console/reports?client={client}"))
    csv = ana.get(f"/console/reports/csv?client={client}")

    assert "Óptica Norte recibió mensajes de 1 persona en 1 conversación" in page
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert "Óptica Norte" in csv.body.decode()
    assert ana.get("/console/reports?month=2099-01").status == 404


def test_a_picture_is_shown_in_its_thread(installation: Runtime, ana: Browser, sandbox_process: Sandbox) -> None:
    shop, id_ = opened(installation, sandbox_process)
    photo = media_files.jpeg(640, 480, "receta")
    shop.ask("mira", media=sent("image/jpeg", photo))

    page = ana.get(f"/console/conversations/{id_}").body.decode()
    source = re.search(r'<img src="(/console/conversations/[0-9/a-z]+)"', page)

    assert source is not None
    answer = ana.send("GET", source[1])
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", photo)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert ana.send("GET", source[1][:-1] + "7").status == 404


def test_conversations_are_found_by_number_and_by_what_people_wrote_to_one_client(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, id_ = opened(installation, sandbox_process)
    shop.ask("¿Tienen menú sin gluten?", "+56987654321")
    client, link = shop.bot["id"], re.compile(r'class="p"><bdi>')

    def found(query: str) -> int:
        return len(link.findall(ana.get(f"/console/conversations?{query}").body.decode()))

    assert found(f"client={client}&q=MENU+sin") == 1
    assert found(f"client={client}&q=pizza") == 0
    assert found("q=%2B56+9+8765+4321") >= 1
    assert found(f"client={client}&q=56912345678") == 1
    assert "elige un cliente" in text_of(ana.get("/console/conversations?q=menu"))
    read = rows(installation, f"SELECT conversations FROM audit WHERE fields LIKE '%search%' AND client = '{client}'")
    assert (f"[{id_}]",) in read


def closed(runtime: Runtime, sandbox: Sandbox) -> tuple[Line, int]:
    """A line with two templates, and its conversation, in which the user last wrote more than 24 hours ago."""
    templates = {"recordatorio": REMINDER, "promo": PROMO}
    sids = {name: made(sandbox, name, document) for name, document in templates.items()}
    shop = open_line(runtime, sandbox, policy={"version": 1, "templates": templates, "template_sids": sids})
    shop.ask("Hola")
    ((id_,),) = rows(runtime, f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    change(runtime, "UPDATE inbox SET received_at = '2026-11-01T10:00:00.000Z' WHERE conversation_id = ?", id_)
    return shop, id_


def test_after_the_window_an_approved_template_is_sent_in_place_of_free_text(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, id_ = closed(installation, sandbox_process)
    one = f"/console/conversations/{id_}"
    assert re.search(r'<button class="main" type="submit" disabled>', ana.get(one).body.decode())
    picker = text_of(ana.get(f"{one}/templates"))
    assert "Hola {nombre}, te esperamos el {dia}." in picker
    assert "Utilidad · US$" in picker

    empty = ana.post(f"{one}/templates", name="recordatorio", **{"v.nombre": "Ana", "v.dia": " "})
    assert (empty.status, "cada dato necesita un texto" in text_of(empty)) == (409, True)
    sent = ana.post(f"{one}/templates", name="recordatorio", **{"v.nombre": "Ana", "v.dia": "martes"})

    assert "Hola Ana, te esperamos el martes." in text_of(sent)
    wait_until(lambda: "Hola Ana, te esperamos el martes." in shop.shown(), what="the template on the phone")
    assert rows(installation, f"SELECT author FROM outbox WHERE conversation_id = {id_} ORDER BY id DESC LIMIT 1") == [
        ("ana@horizonai.cl",)
    ]


def test_marketing_is_not_offered_to_who_wants_none_nor_sent_by_an_operator(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    _, id_ = closed(installation, sandbox_process)
    path = f"/console/conversations/{id_}/templates"
    olga = sign_in(installation, f"olga{id_}@horizonai.cl", "--role", "operator")

    assert "la envía quien administra" in text_of(olga.get(path))
    assert olga.post(path, name="promo").status == 409
    change(
        installation,
        "UPDATE conversations SET opted_out_at = '2026-11-01', opted_out_of = 'marketing' WHERE id = ?",
        id_,
    )
    assert "Esta persona no quiere promociones." in text_of(ana.get(path))
    assert ana.post(path, name="promo").status == 409


def test_an_open_page_is_told_what_changed_until_its_session_ends(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, id_ = opened(installation, sandbox_process)
    luz = sign_in(installation, f"luz{id_}@horizonai.cl", "--role", "operator")
    page = luz.get(f"/console/conversations/{id_}").body.decode()
    found = re.search(r'data-live="([^"]+)" data-page="[^"]+" data-seen="([0-9a-f]+)"', page)
    assert found is not None
    with luz.stream(f"{found[1]}?seen={found[2]}") as events:
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        shop.write("¿Hay pan?", wait=0)
        assert next(line for line in events if line.startswith(b"event: thread"))
        luz.post("/console/sign-out")
        assert b"event: thread\n" not in [*events], "the stream ends, and says nothing more"


def test_an_operator_keeps_a_bounded_number_of_streams(installation: Runtime, ana: Browser) -> None:
    with ExitStack() as streams:
        opened_streams = [streams.enter_context(ana.stream("/console/conversations/0/live")) for _ in range(7)]
        assert [stream.status for stream in opened_streams] == [200] * 6 + [429]


def test_a_turn_shows_what_it_got_said_and_cost_and_becomes_a_test_once_it_was_read(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, id_ = opened(installation, sandbox_process)
    answer = shop.ask("Soy Marta Pérez, +56 9 8765 4321. ¿Tienen mesa?")
    ((turn,),) = rows(installation, f"SELECT max(id) FROM turns WHERE conversation_id = {id_}")
    one = f"/console/conversations/{id_}/turns/{turn}"

    page = text_of(ana.get(one))
    case = text_of(ana.get(f"{one}/test?contains=mesa"))

    assert answer in page
    assert f"Atiendes el número {shop.number}." in page
    assert re.search(r"Costo US\$ 0,0\d", page)
    assert "Modelo, documentos y funciones" in page
    assert "¿Tienen mesa?" in case
    assert "8765 4321" not in case
    assert ana.post(f"{one}/test", name="mesa", contains="mesa").status == 400
    sent = ana.post(f"{one}/test", name="mesa", contains="mesa", confirmed="yes")
    assert sent.headers["content-disposition"] == 'attachment; filename="mesa.yaml"'
    assert '"mesa":' in sent.body.decode() or "mesa:" in sent.body.decode()
    assert ana.get(f"/console/conversations/{id_}/turns/{turn + 999}").status == 404


def test_no_test_is_made_of_a_turn_where_people_write_about_sensitive_data(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    policy = {"version": 1, "data": {"sensitive": ["salud"]}}
    shop = open_line(installation, sandbox_process, policy=policy)
    shop.ask("Hola")
    ((id_, turn),) = rows(installation, f"SELECT conversation_id, id FROM turns WHERE bot_id = '{shop.bot['id']}'")

    refused = ana.get(f"/console/conversations/{id_}/turns/{turn}/test")

    assert (refused.status, "datos sensibles" in text_of(refused)) == (409, True)


RESERVE = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
}


def test_an_assistant_is_tried_without_sending_calling_or_remembering_anything(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    assistant = installation.made(
        "/assistants/", {"name": "Bot", "instructions": "Tomas reservas.", "model": "gpt-6-luna", "tools": [RESERVE]}
    )
    shop = open_line(installation, sandbox_process, name="Fuente de soda", assistant_id=assistant["id"])
    client = shop.bot["id"]
    # The installation is other tests' too, whose turns may still be ending.
    others = f"SELECT id FROM bots WHERE id <> '{client}'"
    kept = (
        "SELECT count(*) FROM items WHERE conversation_id NOT IN"
        f" (SELECT id FROM conversations WHERE bot_id IN ({others}))"
        f" UNION ALL SELECT count(*) FROM usage WHERE bot_id NOT IN ({others})"
    )
    before = rows(installation, kept)

    def say(page: str, **fields: str) -> str:
        state = re.search(r'name="state" value="([^"]+)"', page)
        assert state is not None
        answer = ana.post("/console/trying", client=client, variant="stable", state=state[1], **fields)
        assert answer.status == 200, text_of(answer)
        return answer.body.decode()

    begun = ana.get(f"/console/trying?client={client}").body.decode()
    asked = say(begun, text="Quiero crear_reserva")
    call = re.search(r'name="result\.([^"]+)"', asked)
    assert call is not None
    assert "crear_reserva" in asked
    answered = say(asked, **{f"result.{call[1]}": "mesa 7, a las nueve"})
    again = say(answered, text="Gracias, ¿y el menú?")

    assert "mesa 7, a las nueve" in answered
    assert "Quiero crear_reserva" in again
    assert "Gracias, ¿y el menú?" in again
    assert "Ensayo: no se envía nada" in again
    assert shop.outbound() == []
    assert rows(installation, kept) == before
    assert len(rows(installation, f"SELECT 1 FROM audit WHERE action = 'tried' AND client = '{client}'")) == 2
    forged = ana.post("/console/trying", client=client, variant="canary", state=begun, text="Hola")
    assert forged.status == 409


def test_a_canary_is_tried_in_place_of_what_is_applied(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    canary = {"percent": 10, "until": "2099-12-31", "instructions": "Eres el canario."}
    shop = open_line(installation, sandbox_process, policy={"version": 1, "canary": canary})
    plain = open_line(installation, sandbox_process)
    page = ana.get(f"/console/trying?client={shop.bot['id']}&variant=canary").body.decode()
    state = re.search(r'name="state" value="([^"]+)"', page)
    assert state is not None

    said = ana.post("/console/trying", client=shop.bot["id"], variant="canary", state=state[1], text="Hola")

    assert "Eres el canario." in text_of(said)
    refused = ana.get(f"/console/trying?client={plain.bot['id']}&variant=canary")
    assert (refused.status, "no tiene un canario" in text_of(refused)) == (409, True)


def test_conversations_of_a_client_are_listed_by_when_people_last_wrote(
    installation: Runtime, ana: Browser, sandbox_process: Sandbox
) -> None:
    shop, id_ = opened(installation, sandbox_process)
    client, link = shop.bot["id"], f'id="open-{id_}"'
    change(installation, "UPDATE inbox SET received_at = '2026-03-05T02:30:00.000Z' WHERE conversation_id = ?", id_)

    def lists(query: str) -> bool:
        return link in ana.get(f"/console/conversations?list=all&{query}").body.decode()

    assert lists(f"client={client}&from=2026-03-04&to=2026-03-04"), "in Santiago it was still the fourth"
    assert not lists(f"client={client}&from=2026-03-05")
    assert not lists(f"client={client}&to=2026-03-03")
    assert lists(f"client={client}&from=yesterday")
    assert "elige también un cliente" in text_of(ana.get("/console/conversations?list=all&from=2026-03-04"))


def test_a_page_that_updates_itself_does_not_keep_a_session_alive(installation: Runtime, ana: Browser) -> None:
    eva = sign_in(installation, "eva@horizonai.cl")
    seen = "SELECT seen_at FROM console_sessions WHERE email = 'eva@horizonai.cl'"
    change(installation, "UPDATE console_sessions SET seen_at = ? WHERE email = 'eva@horizonai.cl'", half_an_hour_ago())
    before = rows(installation, seen)

    eva.headers["X-Live"] = "1"
    eva.get("/console/conversations")
    with eva.stream("/console/conversations/0/live"):
        assert rows(installation, seen) == before
    del eva.headers["X-Live"]
    eva.get("/console/conversations")

    assert rows(installation, seen) > before


def half_an_hour_ago() -> str:
    return timestamp(time.time() - 1800)


@pytest.mark.long
def test_an_open_page_does_not_keep_the_service_from_stopping(
    tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> None:
    runtime = start_runtime(tmp_path_factory.mktemp("stopping"), sandbox_process)
    try:
        ana = sign_in(runtime, "ana@horizonai.cl", "--role", "admin")
        with ana.stream("/console/conversations/0/live") as events:
            assert events.readline() == b"retry: 5000\n"
            runtime.stop()
            assert [*events] == [b"\n", b": still here\n", b"\n"], "the stream ends as a whole answer"
    finally:
        runtime.stop()
