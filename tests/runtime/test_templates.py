"""Templates as proactive messages: by name and with named variables, checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.template_shop import shop_with_templates
from tests.runtime_process import Line, Runtime
from tests.sandbox_process import Json, Sandbox

USER = "+56955500001"
ANA = {"nombre": "Ana", "dia": "martes"}
MESSAGES = "/2010-04-01/Accounts"


@pytest.fixture
def shop(runtime: Runtime, sandbox: Sandbox) -> Line:
    return shop_with_templates(runtime, sandbox)


def body(shop: Line, template: str = "recordatorio", **more: Any) -> Json:
    return {"to": USER, "template": template, "bot_id": shop.bot["id"], **more}


def test_one_is_delivered_to_a_person_who_never_wrote_and_is_remembered(shop: Line, sandbox: Sandbox) -> None:
    sent = shop.runtime.made("/messages/", body(shop, variables=ANA))
    assert (sent["from"], sent["warning"]) == (shop.number, None)
    assert shop.shown(USER) == ["Hola Ana, te esperamos el martes."]
    shop.ask("Ahí estaré", USER)
    asked = sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    assert {"role": "assistant", "content": "Hola Ana, te esperamos el martes."} in asked


def test_the_command_sends_one(shop: Line) -> None:
    values = ("--var", "nombre=Ana", "--var", "dia=martes")
    sent = shop.runtime.command("send", USER, "--template", "recordatorio", *values, "--bot", shop.bot["id"])
    assert (sent.code, "warning" in sent.err) == (0, False)
    assert shop.shown(USER) == ["Hola Ana, te esperamos el martes."]


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ({"variables": {"nombre": "Ana"}}, "variables", "No value for dia."),
        ({"variables": {**ANA, "hora": "3"}}, "variables", "has no variable hora; it has nombre, dia."),
        ({"variables": {**ANA, "dia": "lunes\nmartes"}}, "variables", "a line break or a tab"),
        ({"template": "recordatorios", "variables": ANA}, "template", "did you mean 'recordatorio'?"),
        ({"template": "recordatorio", "bot_id": None, "from": "+15557770001", "variables": ANA}, "from", "No bot has"),
        ({"body": "Hola"}, "", "either body or template"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    shop: Line, sandbox: Sandbox, more: Json, field: str, says: str
) -> None:
    answer = shop.runtime.api("POST", "/messages/", {**body(shop), **more})
    assert (answer.status, says in answer.error["message"], answer.error.get("field") or "") == (400, True, field)
    assert sandbox.calls("twilio", "POST", MESSAGES) == []
    command = shop.runtime.command(
        "send", USER, "--template", "recordatorio", "--var", "nombre=Ana", "--bot", shop.bot["id"]
    )
    assert (command.code, "No value for dia." in command.err) == (1, True)


@pytest.mark.parametrize(("review", "status"), [("pending", "received"), ("reject", "rejected (TAG_CONTENT_MISMATCH)")])
def test_one_that_meta_has_not_approved_is_not_sent(
    runtime: Runtime, sandbox: Sandbox, review: str, status: str
) -> None:
    sandbox.settings(template_review=review)
    answer = runtime.api("POST", "/messages/", body(shop_with_templates(runtime, sandbox), variables=ANA))
    assert (answer.status, answer.error["field"]) == (400, "template")
    assert f"it is {status}" in answer.error["message"]
    assert sandbox.calls("twilio", "POST", MESSAGES) == []


def test_marketing_needs_the_scope_for_it_also_where_meta_made_it_so(shop: Line, sandbox: Sandbox) -> None:
    runtime = shop.runtime
    write = runtime.command("token", "create", f"w{shop.number[1:]}", "--scope", "write").out.strip()
    both = runtime.command(
        "token", "create", f"c{shop.number[1:]}", "--scope", "write", "--scope", "campaigns"
    ).out.strip()
    refused = runtime.api("POST", "/messages/", body(shop, "promo"), write)
    assert (refused.status, "scope campaigns" in refused.error["message"]) == (403, True)
    assert runtime.api("POST", "/messages/", body(shop, "promo"), both).status == 201
    sandbox.ask("PATCH", f"contents/{shop.bot['policy']['template_sids']['retomar']}", {"category": "MARKETING"})
    assert runtime.api("POST", "/messages/", body(shop, "retomar"), write).status == 403
    assert shop.shown(USER) == ["Hoy 2x1 en cazuelas."]
    assert [row["kind"] for row in sandbox.prices() if row["kind"].startswith("meta")] == ["meta_marketing"]
