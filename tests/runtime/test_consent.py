"""No model gets anything of a person before their yes, where the client asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.turns.consent import SENTENCES
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.test_media import asked, note, transcribed
from tests.runtime.test_no_reply import STATE
from tests.runtime.test_scopes import made
from tests.runtime.test_sending import contents
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

TEXT = "Un asistente automático lee lo que escribes. ¿Aceptas?"
QUESTION = f"{TEXT}\n\nResponde SÍ para aceptar, o NO."
ES = SENTENCES["es"]
USER = "+56912345678"


@pytest.fixture(scope="module", params=["sqlite"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("consent"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    return served


on_both = pytest.mark.parametrize(
    "served", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def opened(fleet: Fleet, text: str = TEXT, **more: object) -> Line:
    policy = {"version": 1, "data": {"consent": {"text": text, **more}}}
    return fleet.open_line(policy=policy)


def sent(fleet: Fleet, shop: Line) -> list[str]:
    return [body for (body,) in fleet.rows(f"SELECT body FROM outbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id")]


def wrote(fleet: Fleet, shop: Line, text: str, **fields: object) -> list[str]:
    """A person writes; gives what was sent to them by the end of the turn."""
    state = STATE.format(bot=shop.bot["id"])
    [(received, _, _)] = fleet.rows(state)
    before = len(sent(fleet, shop))
    fleet.sandbox.inbound(shop.number, text, USER, wait=0, **fields)
    wait_until(lambda: fleet.rows(state) == [(received + 1, 0, 0)], what="the end of the turn")
    return sent(fleet, shop)[before:]


def words(body: Any) -> str:
    """What a request has of people's words."""
    return str([item for item in body["input"] if item.get("role") == "user"])


def said(fleet: Fleet, shop: Line) -> list[tuple[str, ...]]:
    """The record."""
    return fleet.rows(f"SELECT state, \"by\", text FROM consents WHERE bot_id = '{shop.bot['id']}' ORDER BY id")


@on_both
def test_what_was_written_before_the_yes_is_answered_with_it(fleet: Fleet) -> None:
    shop = opened(fleet)

    assert wrote(fleet, shop, "Me duele una muela") == [QUESTION]
    assert wrote(fleet, shop, "", media=note("¿tienen hora mañana?")) == []
    assert (asked(shop), transcribed(shop)) == ([], 0)

    assert len(wrote(fleet, shop, "Sí, acepto")) == 1

    [request] = asked(shop)
    assert transcribed(shop) == 1
    assert "¿tienen hora mañana?" in words(request)
    assert words(request).count("Me duele una muela") == 1
    ended = fleet.rows(f"SELECT state, reason FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")
    assert ended == [("unanswered", "consent")] * 2 + [("answered", None)]
    assert said(fleet, shop) == [("yes", "word", TEXT)]

    wrote(fleet, shop, "¿Y el martes?")
    assert len(asked(shop)) == 2

    found = fleet.replicas[0].command("person", "find", USER, "--format", "json", DATABASE_URL=fleet.database_url)
    assert '"consents": 1' in found.out, found.err


def test_a_no_is_recorded_and_asked_about_again_after_a_day_only(fleet: Fleet) -> None:
    shop = opened(fleet)
    wrote(fleet, shop, "Me duele una muela")
    assert wrote(fleet, shop, "no, gracias") == [ES.refused]
    assert wrote(fleet, shop, "¿hola?") == []
    assert asked(shop) == []
    assert said(fleet, shop) == [("no", "word", TEXT)]

    wrote(fleet, shop, "sí")
    [request] = asked(shop)
    assert "muela" in words(request)
    assert "gracias" not in words(request)


def test_a_yes_to_nothing_is_not_one(fleet: Fleet) -> None:
    shop = opened(fleet)
    assert wrote(fleet, shop, "sí") == [QUESTION]
    assert (asked(shop), said(fleet, shop)) == ([], [])


@on_both
def test_a_yes_that_is_taken_back_holds_until_the_next_one(fleet: Fleet) -> None:
    shop = opened(fleet)
    wrote(fleet, shop, "Hola")
    wrote(fleet, shop, "acepto")
    before = len(asked(shop))

    assert wrote(fleet, shop, "Quiero retirar mi consentimiento") == [ES.revoked]
    assert wrote(fleet, shop, "¿tienen hora?") == []
    assert len(asked(shop)) == before

    token = made(fleet.replicas[0], f"consents-{shop.bot['id']}", "--scope", "messages")
    [(conversation,)] = fleet.rows(f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    shown = fleet.replicas[0].api("GET", f"/conversations/{conversation}", token=token).json
    assert shown["conversation"]["consent"].startswith("revoked since 20")

    wrote(fleet, shop, "sí")
    assert "¿tienen hora?" in words(asked(shop)[-1])
    assert "retirar" not in words(asked(shop)[-1])
    assert [state for state, *_ in said(fleet, shop)] == ["yes", "revoked", "yes"]


def test_a_notice_stands_before_the_first_answer_and_can_be_objected_to(fleet: Fleet) -> None:
    shop = opened(fleet, required=False)
    [first], [second] = wrote(fleet, shop, "Hola"), wrote(fleet, shop, "¿Abren hoy?")
    assert first.startswith(f"{TEXT}\n\n")
    assert TEXT not in second

    assert wrote(fleet, shop, "retiro mi consentimiento") == [ES.revoked]
    wrote(fleet, shop, "¿Y mañana?")
    assert len(asked(shop)) == 2


def test_another_text_is_asked_again(fleet: Fleet) -> None:
    shop, runtime = opened(fleet), fleet.replicas[0]
    wrote(fleet, shop, "Hola")
    wrote(fleet, shop, "sí")
    bot = runtime.api("GET", f"/bots/{shop.bot['id']}").json
    fields = ("name", "twilio_phone_number", "instructions", "model")
    policy = {"version": 1, "data": {"consent": {"text": "Ahora otra empresa lee. ¿Aceptas?"}}}
    changed = {name: bot[name] for name in fields} | {"policy": policy}
    assert runtime.api("PUT", f"/bots/{shop.bot['id']}", changed).status == 200
    before = len(asked(shop))
    [question] = wrote(fleet, shop, "¿Abren hoy?")
    assert question.startswith("Ahora otra empresa lee.")
    assert len(asked(shop)) == before


def test_stop_is_confirmed_without_a_yes(fleet: Fleet) -> None:
    shop = opened(fleet)
    [confirmed] = wrote(fleet, shop, "BAJA")
    assert TEXT not in confirmed
    assert asked(shop) == []


def test_where_there_are_buttons_it_is_asked_with_them(fleet: Fleet) -> None:
    data = {"consent": {"text": TEXT}}
    policy = {"version": 1, "data": data, "replies": {"buttons": True}, "contents": contents(fleet.sandbox)}
    shop = fleet.open_line(policy=policy)

    assert wrote(fleet, shop, "Hola") == [f"{TEXT}\n- Acepto\n- No acepto"]
    wrote(fleet, shop, "Acepto", extra={"ButtonText": "Acepto", "ButtonPayload": "1"})

    assert said(fleet, shop) == [("yes", "button", TEXT)]
    assert len(asked(shop)) == 1
