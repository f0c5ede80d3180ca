"""`reconcile doctor`: each link of the chain from the phone to the answer, and the first one that is broken."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing

import pytest

from reconciler.doctor.probe import leads_inside
from runtime.store.database.times import timestamp
from tests.bare_server import Serve, serve
from tests.brownfield.golden import same_as_golden
from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime
from tests.sandbox_process import wait_until

__all__ = ["serve"]

CLIENT = "la-cocina"


@pytest.fixture
def well(served: Agency) -> Agency:
    """A client that answers."""
    served.declare(CLIENT)
    served.apply()
    return served


def verdict(agency: Agency, **environment: str | None) -> str:
    """What the doctor says of a client that is broken."""
    result = agency.reconcile("doctor", CLIENT, **environment)
    assert result.code == 1, result.said
    return result.out.splitlines()[-1]


def test_a_client_that_answers_has_no_broken_link(well: Agency) -> None:
    well.sandbox.inbound(well.number(CLIENT), "Hola")
    result = well.reconcile("doctor", CLIENT)
    assert result.code == 0, result.said
    same_as_golden("doctor-well.txt", result.out)
    same_as_golden("doctor-well.es.txt", well.reconcile("doctor", CLIENT, HORIZONAI_LANG="es").out)


def test_an_agent_is_named_with_its_engine_and_missed_when_it_is_gone(served: Agency) -> None:
    served.declare(CLIENT, assistant={"engine": "agents"})
    served.apply()
    [agent] = served.agents()
    assert f"ok  assistant: {agent['id']} (engine agents)." in served.reconcile("doctor", CLIENT).out
    served.openai("DELETE", f"/agents/{agent['id']}")
    assert f"`assistant`: {agent['id']} does not exist" in verdict(served)


def test_a_client_that_is_silent_for_its_budget_is_named_by_doctor_and_status(
    agency: Agency, runtime_factory: Callable[..., Runtime]
) -> None:
    runtime = runtime_factory(API_TOKEN=API_TOKEN)
    agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
    agency.declare(CLIENT, budget={"monthly": 1, "on_exceeded": "pause"})
    agency.apply()
    assert "ok  budget: 0.00 of 1.00 USD (0 %) in" in agency.reconcile("doctor", CLIENT).out
    with closing(sqlite3.connect(runtime.environment["DATABASE_URL"].removeprefix("sqlite:///"))) as store, store:
        values = (timestamp(), timestamp()[:7], CLIENT, 1_500_000_000)
        store.execute(
            "INSERT INTO usage (at, month, client, kind, price_id, quantity, amount)"
            " VALUES (?, ?, ?, 'model_output', 1, 1, ?)",
            values,
        )
    said = verdict(agency)
    assert "The first broken link is `budget`: the client is silent, since its budget is used up: 1.50 of 1.00" in said
    assert "Raise budget.monthly in the manifest" in said
    shown = agency.reconcile("status", CLIENT).out
    assert "budget          1.50 of 1.00 USD (150 %)" in shown
    assert "it gets no answers, and proactive messages are refused" in " ".join(shown.split())


def test_nothing_is_changed_and_nobody_is_written_to(well: Agency) -> None:
    writes, seen = well.writes(), well.snapshot()
    assert well.reconcile("doctor", CLIENT).code == 0
    assert (well.writes(), well.snapshot()) == (writes, seen)
    assert well.sandbox.summary()["twilio"]["outbound"] == 0


def without_a_sender(agency: Agency) -> None:
    agency.sandbox.ask("DELETE", f"senders/{agency.number(CLIENT)}")


def offline(agency: Agency) -> None:
    reasons = [{"code": "63020", "message": "Twilio couldn't verify the business"}]
    agency.sandbox.change(agency.number(CLIENT), status="OFFLINE", offline_reasons=reasons)


def calling_elsewhere(agency: Agency) -> None:
    agency.sandbox.change(agency.number(CLIENT), webhook={"callback_url": "https://otro.cl"})


def paused(agency: Agency) -> None:
    agency.declare(CLIENT, state="paused")
    agency.apply()
    agency.declare(CLIENT)


def with_a_gone_model(agency: Agency) -> None:
    agency.declare(CLIENT, assistant={"model": "gpt-4-turbo"})


def with_a_dead_endpoint(agency: Agency) -> None:
    tool = {"type": "function", "name": "crear_reserva", "endpoint": {"url": "http://127.0.0.1:9/reservas"}}
    agency.declare(CLIENT, assistant={"tools": [tool]})
    agency.environment["ALLOW_PRIVATE_ENDPOINTS"] = "true"


def with_a_dead_last_turn(agency: Agency) -> None:
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v1/responses"})
    agency.sandbox.inbound(agency.number(CLIENT), "Hola")
    agency.sandbox.faults()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (without_a_sender, "`sender`: +56"),
        (without_a_sender, "`reconcile verify la-cocina` registers it."),
        (offline, "`online`: it is OFFLINE (Twilio couldn't verify the business [63020: the client has not accepted"),
        (calling_elsewhere, "`webhook`: Twilio calls https://otro.cl, and not http://127.0.0.1"),
        (paused, "`bot`: the bot la-cocina is paused: messages are stored and not answered"),
        (with_a_gone_model, "`model`: gpt-4-turbo is not available to this key"),
        (with_a_dead_endpoint, "`function crear_reserva`: http://127.0.0.1:9/reservas"),
        (with_a_dead_last_turn, "`answer`: the last message ("),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_first_broken_link_is_named_with_its_fix(well: Agency, broken: Callable[[Agency], None], said: str) -> None:
    broken(well)
    assert said in verdict(well)


def test_a_token_that_the_runtime_does_not_know_breaks_the_signature(well: Agency) -> None:
    well.sandbox.ask("POST", "accounts", {"sid": "AC" + "1" * 32, "auth_token": "another-token"})
    number = "+56998765999"
    well.sandbox.register(number, account_sid="AC" + "1" * 32, profile={"name": "Otra"})
    account = {"sid": "AC" + "1" * 32, "auth_token": {"env": "OTHER_TOKEN"}}
    well.declare(CLIENT, number=number, registered=False, sender={"account": account})
    result = well.reconcile("doctor", CLIENT, OTHER_TOKEN="another-token")
    assert "✗   signature: the runtime refuses this account's signature." in result.out


def test_a_runtime_that_is_not_there_is_named_and_what_lies_behind_it_is_left_open(agency: Agency) -> None:
    agency.declare(CLIENT)
    agency.environment["PUBLIC_URL"] = "http://127.0.0.1:9"
    agency.apply()
    result = agency.reconcile("doctor", CLIENT)
    assert result.code == 1
    same_as_golden("doctor-no-runtime.txt", result.out)


def test_a_wrong_openai_key_is_named(well: Agency) -> None:
    assert "`openai`: " in verdict(well, OPENAI_API_KEY="wrong-key")


def test_a_client_that_nobody_made_yet_is_told_how_it_comes_to_be(served: Agency) -> None:
    served.declare(CLIENT)
    result = served.reconcile("doctor", CLIENT)
    assert "The first broken link is `webhook`" in result.out
    assert f"✗   bot: no bot routes {served.number(CLIENT)}." in result.out


def test_a_number_that_another_clients_bot_holds_is_no_working_link(served: Agency) -> None:
    served.declare("el-viejo")
    served.apply()
    served.withdraw("el-viejo")
    served.declare(CLIENT, number=served.number("el-viejo"))
    said = f"The first broken link is `bot`: {served.number('el-viejo')} is routed to the client 'el-viejo'. "
    assert verdict(served) == f"{said}`reconcile --client la-cocina --dry-run` shows how it gets its number."
    [row] = served.reconcile("status", "--format", "json").document["clients"]
    assert (row["bot_id"], row["assistant_id"]) == (None, None)


def undelivered(agency: Agency, code: int, origin: str = "+56912345678") -> None:
    """A user writes, and the answer reaches no phone."""
    path = "/2010-04-01/Accounts/*/Messages.json"
    agency.sandbox.faults({"kind": "undelivered", "code": code, "method": "POST", "path": path})
    agency.sandbox.inbound(agency.number(CLIENT), "Hola", origin)
    agency.sandbox.faults()
    wait_until(lambda: str(code) in agency.reconcile("status", "--wide").out.split("\n\n")[0], what="the callback")


def test_answers_that_reach_no_phone_break_the_last_link_until_one_does(well: Agency) -> None:
    for user in range(2):
        undelivered(well, 63112, f"+5691234567{user}")

    assert verdict(well) == (
        "The first broken link is `delivery`: the last answer reached no phone. 2 messages of the last 24 hours reached"
        " no phone: Meta has disabled the WhatsApp Business account (63112, 2 times). Appeal in Meta Business Manager"
        " (Account quality)."
    )
    [row] = well.reconcile("status", "--format", "json").document["clients"]
    assert (row["last_undelivered"], row["undelivered"]) == ("63112", {"63112": 2})
    table = well.reconcile("status", "--wide").out
    assert "2 (63112)" in table
    assert f"{CLIENT}: 2 messages of the last 24 hours reached no phone: Meta has disabled" in table
    checklist = well.reconcile("status", "--checklist", CLIENT).out
    assert "- [ ] Test con WhatsApp real: la última respuesta no llegó al teléfono; 2 mensajes no llegaron" in checklist
    assert "Meta desactivó la cuenta de WhatsApp Business (63112): apela en Meta Business Manager" in checklist

    well.sandbox.inbound(well.number(CLIENT), "¿Y ahora?")

    result = well.reconcile("doctor", CLIENT)
    assert (result.code, "ok  delivery: 2 messages of the last 24 hours" in result.out) == (0, True)


def test_a_conversation_that_is_paused_as_a_loop_between_programs_is_shown(well: Agency) -> None:
    well.sandbox.inbound(well.number(CLIENT), "Hola", well.number(CLIENT), wait=2)

    assert f"{CLIENT}: 1 conversation is paused until " in well.reconcile("status").out
    [row] = well.reconcile("status", "--format", "json").document["clients"]
    assert (row["loops"], row["loops_until"] > row["last_message_at"]) == (1, True)


def test_a_person_who_cannot_be_reached_breaks_no_link(well: Agency) -> None:
    undelivered(well, 63014)

    result = well.reconcile("doctor", CLIENT)

    assert result.code == 0, result.said
    assert "reached no phone: the person blocked the number (63014, once)." in result.out
    assert result.out.splitlines()[-1] == f"Every link is intact: a message to {CLIENT} gets an answer."
    assert f"{CLIENT}: " not in well.reconcile("status").out


@pytest.mark.parametrize(("status", "is_ok"), [(200, True), (405, True), (501, True), (404, False), (500, False)])
def test_an_endpoint_is_there_unless_its_path_is_not(well: Agency, serve: Serve, status: int, is_ok: bool) -> None:
    url = serve(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
    tool = {"type": "function", "name": "crear_reserva", "endpoint": {"url": url}}
    well.declare(CLIENT, assistant={"tools": [tool]})

    out = well.reconcile("doctor", CLIENT, ALLOW_PRIVATE_ENDPOINTS="true").out

    sign = "ok" if is_ok else "✗ "
    assert f"{sign}  function crear_reserva: {url}: it answers {status}" in out


def test_an_endpoint_that_may_not_be_called_breaks_the_manifest_and_is_not_called(well: Agency, serve: Serve) -> None:
    tool = {"type": "function", "name": "crear_reserva", "endpoint": {"url": serve()}}
    well.declare(CLIENT, assistant={"tools": [tool]})

    result = well.reconcile("doctor", CLIENT, ALLOW_PRIVATE_ENDPOINTS="false")

    assert (result.code, "the URL does not begin with https://" in result.err) == (1, True)


def test_a_name_that_leads_into_this_machine_s_network_leads_inside() -> None:
    assert leads_inside("https://localhost/reservas")
    assert leads_inside("https://127.0.0.1:8443/reservas")
    assert not leads_inside("https://1.1.1.1/reservas")
    assert not leads_inside("https://no-such-name.invalid/reservas")


def with_a_secret(agency: Agency) -> None:
    """The client's function names a secret."""
    endpoint = {"url": "https://no-such-name.invalid/reservas", "secret": {"env": "LA_COCINA_HOOK_SECRET"}}
    agency.declare(CLIENT, assistant={"tools": [{"type": "function", "name": "reservar", "endpoint": endpoint}]})
    agency.apply()


def test_a_secret_that_is_not_set_where_the_runtime_runs_is_named(well: Agency) -> None:
    with_a_secret(well)
    said = "LA_COCINA_HOOK_SECRET is not set where the runtime runs (the function reservar: each call fails)"

    assert f"`secrets`: {said}. Set it in the runtime's environment or its .env" in verdict(well)
    # Set here, which says nothing about the runtime.
    assert f"✗   secrets: {said}." in well.reconcile("doctor", CLIENT, LA_COCINA_HOOK_SECRET="x").out
    assert f"{CLIENT}: {said}." in well.reconcile("status").out
    checklist = well.reconcile("status", "--checklist", CLIENT).out
    assert "- [ ] Secretos del cliente: faltan donde corre el servicio: LA\\_COCINA\\_HOOK\\_SECRET" in checklist


def test_without_a_token_it_is_not_known_which_secrets_are_missing(well: Agency) -> None:
    with_a_secret(well)
    near = f"sqlite:///{well.store_file}"

    out = well.reconcile("doctor", CLIENT, API_TOKEN=None, BOT_STORE_URL=near).out

    assert "–   secrets: it is not known whether they are set: only a caller with a token reads the names" in out


def test_a_messaging_service_that_takes_the_messages_is_named(well: Agency) -> None:
    number, taken = well.number(CLIENT), "https://otra.example.cl/x"
    well.sandbox.ask("POST", "services", {"number": number, "use_inbound_webhook_on_number": True})
    assert "which leaves its webhook alone." in well.reconcile("doctor", CLIENT).out

    well.sandbox.ask("POST", "services", {"number": number, "inbound_request_url": taken})

    assert f"which calls {taken} in place of the sender's webhook" in verdict(well)


def test_files_that_anyone_can_fetch_are_named(well: Agency) -> None:
    picture = [{"content_type": "image/png", "base64": b64encode(b"png").decode()}]
    well.sandbox.inbound(well.number(CLIENT), "", media=picture, wait=20)
    assert "ok  files: what people send is refused without credentials (401)." in well.reconcile("doctor", CLIENT).out

    well.sandbox.settings(media_auth=False)

    assert "anyone who has its address can fetch what people send: without credentials it answers 307" in verdict(well)
