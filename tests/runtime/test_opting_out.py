"""A person who wrote STOP or BAJA gets no proactive message until they write START or ALTA."""

from base64 import b64encode
from collections.abc import Callable

import pytest

from tests import media_files
from tests.runtime_process import Answer, Line, Ran

BYE = "Listo: no te enviaremos más avisos."
BACK = "Listo: volverás a recibir nuestros avisos."


def send(shop: Line, to: str = "+56912345678") -> Answer:
    return shop.runtime.api("POST", "/messages/", {"to": to, "body": "Promo 2x1", "bot_id": shop.bot["id"]})


def by_command(shop: Line) -> Ran:
    return shop.runtime.command("send", "--bot", shop.bot["id"], "+56912345678", "Promo 2x1")


@pytest.mark.parametrize(("stop", "start"), [("BAJA", "ALTA"), ("stop!", "Start")])
def test_who_opted_out_is_sent_nothing_until_they_opt_in(line: Callable[..., Line], stop: str, start: str) -> None:
    shop = line()
    assert shop.ask(stop).startswith(BYE)

    refused = send(shop)

    assert (refused.status, refused.error["code"]) == (409, "opted_out")
    assert "wanted no more marketing since 20" in refused.error["message"]
    told = by_command(shop)
    assert (told.code, "nothing was sent" in told.err) == (1, True)
    assert len(shop.outbound()) == 1
    assert shop.ask(start).startswith(BACK)
    assert send(shop).status == 201
    assert shop.sandbox.calls("openai", "POST", "/v1/responses") == []


def test_who_opted_out_is_answered_and_stays_opted_out(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("BAJA")

    assert "¿Abren mañana?" in shop.ask("¿Abren mañana?")

    assert send(shop).status == 409


def test_opting_out_is_of_one_client_and_of_one_person(line: Callable[..., Line]) -> None:
    shop, other = line(), line()
    shop.ask("BAJA")
    other.ask("Hola")
    shop.ask("Hola", "+56911110011")

    assert send(other).status == 201
    assert send(shop, "+56911110011").status == 201


def test_opting_out_counts_for_the_other_spelling_of_the_number(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("BAJA", "+5215511110012")

    assert send(shop, "+525511110012").status == 409


def test_start_is_a_greeting_of_who_never_opted_out(line: Callable[..., Line]) -> None:
    assert "start" in line().ask("start")


def test_whatsapp_s_own_button_is_confirmed_and_stops_marketing(line: Callable[..., Line]) -> None:
    shop = line()
    outcome = shop.write("", stop_promotions="pt")
    assert [answer["body"][: len(BYE)] for answer in outcome["answers"]] == [BYE]
    assert send(shop).status == 409
    listed = shop.runtime.command("opt-outs", "--client", shop.bot["id"]).out.splitlines()
    assert listed[0] == "id,client,user,list,by,since"
    assert f",{shop.bot['id']},+56912345678,marketing,button,20" in listed[1]


def test_a_voice_note_is_asked_about_and_never_opts_out(line: Callable[..., Line]) -> None:
    shop = line()
    note = [{"content_type": "audio/ogg", "base64": b64encode(media_files.voice_note("Baja.", 2)).decode()}]

    (asked,) = shop.write("", media=note)["answers"]

    assert asked["body"] == "¿Quieres dejar de recibir nuestros avisos? Para confirmarlo, escribe BAJA."
    assert send(shop).status == 201
    assert shop.sandbox.calls("openai", "POST", "/v1/responses") == []
