"""Free text after 24 hours of silence: it waits for the person, who is asked for an answer once, or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.store.database.once import run_once
from runtime.store.tokens import NewToken, create_token
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.template_shop import REOPEN, TEMPLATES, shop_with_templates
from tests.runtime_process import Answer, Line
from tests.sandbox_process import Json, Sandbox, wait_until

USER = "+56955510001"
WINDOW = {"reopen_with": "retomar", "expires_after": "24h"}
ASKED, NEWS = REOPEN["body"], "Su pedido está listo."


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("reopening"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def shop(served: Fleet, sandbox: Sandbox) -> Line:
    return shop_with_templates(served.replicas[0], sandbox, window=WINDOW)


def send(shop: Line, text: str = NEWS) -> Answer:
    return shop.runtime.api("POST", "/messages/", {"to": USER, "body": text, "bot_id": shop.bot["id"]})


def now(shop: Line, message: Json) -> Json:
    document: Json = shop.runtime.api("GET", f"/messages/{message['id']}").json
    return document


def shown(shop: Line) -> list[str]:
    return shop.shown(USER)


def test_it_waits_for_the_answer_to_one_template_and_is_sent_before_the_assistant_answers(shop: Line) -> None:
    first, second = send(shop).json, send(shop, "Lo esperamos hasta las 20:00.").json
    assert (first["status"], first["message_sid"], first["waits_until"] > "2026") == ("waiting", None, True)
    assert [now(shop, one)["state"] for one in (first, second)] == ["waiting", "waiting"]
    assert shown(shop) == [ASKED]
    shop.write("¿Qué pasó?", USER)
    wait_until(lambda: len(shown(shop)) == 4)
    assert {NEWS, "Lo esperamos hasta las 20:00."} <= set(shown(shop)[1:])
    wait_until(lambda: [now(shop, one)["status"] for one in (first, second)] == ["delivered", "delivered"])
    asked = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    assert [item["content"] for item in asked if item["role"] == "assistant"] == [
        ASKED,
        NEWS,
        "Lo esperamos hasta las 20:00.",
    ]
    third = send(shop, "Gracias por venir.").json
    assert (third["status"] != "waiting", third["window_until"] is not None) == (True, True)


def test_what_waited_is_sent_in_the_order_in_which_it_was_written_also_where_twilio_fails_with_the_first(
    shop: Line, sandbox: Sandbox
) -> None:
    send(shop)
    send(shop, "Lo esperamos hasta las 20:00.")
    wait_until(lambda: shown(shop) == [ASKED])
    rule = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
    sandbox.faults(rule | {"kind": "status", "status": 500, "containing": "pedido", "times": 1})
    shop.write("¿Qué pasó?", USER)
    wait_until(lambda: len(shown(shop)) == 4)
    assert [text for text in shown(shop) if not text.startswith("[")][1:] == [NEWS, "Lo esperamos hasta las 20:00."]


def test_without_a_template_for_it_nothing_is_sent(served: Fleet, sandbox: Sandbox) -> None:
    shop = shop_with_templates(served.replicas[0], sandbox)
    refused = send(shop)
    assert (refused.status, refused.error["code"]) == (409, "user_silent")
    assert "has never written to this number" in refused.error["message"]
    assert shown(shop) == []


def test_what_whatsapp_finds_too_late_within_our_own_clock_waits_too(shop: Line, sandbox: Sandbox) -> None:
    shop.ask("Hola", USER)
    before = len(shown(shop))
    sandbox.faults({"provider": "twilio", "kind": "undelivered", "code": 63016, "times": 1})
    late = send(shop).json
    wait_until(lambda: shown(shop)[before:] == [ASKED], what="the template that asks for an answer")
    assert (now(shop, late)["state"], now(shop, late)["id"] != late["id"]) == ("waiting", True)
    # Meta's clock counts from now on.
    assert send(shop, "Otra cosa.").json["status"] == "waiting"
    shop.write("¿Sí?", USER)
    wait_until(lambda: {NEWS, "Otra cosa."} <= set(shown(shop)))
    wait_until(lambda: now(shop, late)["status"] == "delivered")
    assert shown(shop).count(ASKED) == 1
    assert shown(shop).count(NEWS) == 1


def test_a_call_that_is_refused_as_too_late_waits_too(shop: Line, sandbox: Sandbox) -> None:
    shop.ask("Hola", USER)
    body = {"code": 63016, "message": "Outside the window", "status": 400}
    rule: Any = {"provider": "twilio", "method": "POST", "path": "/2010-04-01", "kind": "status", "status": 400}
    sandbox.faults(rule | {"body": body, "times": 1})
    assert send(shop).json["status"] == "waiting"
    wait_until(lambda: shown(shop)[-1] == ASKED)
    shop.write("¿Sí?", USER)
    wait_until(lambda: NEWS in shown(shop))


def test_one_whose_template_is_not_approved_fails_at_once_with_the_reason(served: Fleet, sandbox: Sandbox) -> None:
    sandbox.settings(template_review="pending")
    shop = shop_with_templates(served.replicas[0], sandbox, {"retomar": TEMPLATES["retomar"]}, window=WINDOW)
    refused = send(shop)
    assert (refused.status, "has not approved the template 'retomar'" in refused.error["message"]) == (400, True)
    assert shown(shop) == []
    shop.ask("Hola", USER)
    assert NEWS not in shown(shop)


def test_what_whatsapp_finds_too_late_closes_the_window_for_people_as_well(served: Fleet, sandbox: Sandbox) -> None:
    shop = shop_with_templates(served.replicas[0], sandbox)

    tokens: list[str] = []
    run_once(served.database_url, create_token, NewToken("carla", ("messages", "write")), tokens.append)

    def conversation() -> Json:
        [found] = shop.runtime.api("GET", f"/conversations/?client={shop.bot['id']}", token=tokens[0]).json
        return dict(found)

    sandbox.faults({"provider": "twilio", "kind": "undelivered", "code": 63016, "times": 1})
    shop.write("Hola", USER)
    wait_until(lambda: conversation()["window_until"] is None, what="the refusal to be known")
    document = {"text": "Le escribe Carla."}
    refused = shop.runtime.api("POST", f"/conversations/{conversation()['id']}/messages", document, tokens[0])
    assert (refused.status, refused.error["code"]) == (409, "window_closed")
    assert "WhatsApp refused free text to them at 20" in refused.error["message"]
    shop.ask("¿Hola?", USER)
    assert conversation()["window_until"] is not None
