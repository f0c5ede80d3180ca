"""Who gets people's data, as a manifest declares it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.manifest import Manifest
from reconciler.recipients.declared import host_of, recipients_of, unused_leaves
from reconciler.recipients.shown import by_line, shown_recipients
from reconciler.recipients.words import gets_text, line_in_spanish, line_text, shown_in_spanish, shown_text
from runtime.store.records import AssistantRecord, BotRecord
from schemas import Client

ENDPOINT = {"url": "https://api.lacocina.cl/reservas"}
FUNCTION: dict[str, Any] = {"type": "function", "name": "crear_reserva", "endpoint": ENDPOINT}
SERVER = {
    "type": "mcp",
    "name": "agenda",
    "url": "https://mcp.agenda.cl:8443/mcp",
    "allowed_tools": ["ver"],
    "require_approval": "never",
}
DESK = {
    "chatwoot": {
        "url": "https://chat.lacocina.cl",
        "account": 1,
        "inbox": 3,
        "token": {"env": "A"},
        "webhook_secret": {"env": "B"},
    }
}
LEAVE = {"contract": "Anexo 4", "since": "2026-11-01"}


OFF = {"voice": False, "images": False, "documents": False}
NOTHING = {"name": False, "phone": "none"}
SERVICE = ["openai", "twilio", "meta", "hosting", "ALERT_NOTIFY"]


def client(*tools: dict[str, Any], **keys: Any) -> Client:
    assistant = {"model": "gpt-6-luna", "instructions": "Hola", "tools": list(tools), **keys.pop("assistant", {})}
    return Client.model_validate(
        {"id": "la-cocina", "name": "La Cocina", "number": "+15551234567", "assistant": assistant, **keys}
    )


def names(of: Client) -> list[str]:
    return [recipient.name for recipient in recipients_of(of)]


def gets(of: Client, name: str) -> str:
    [recipient] = [recipient for recipient in recipients_of(of) if recipient.name == name]
    return gets_text(recipient)


def test_every_client_has_the_model_the_channel_whatsapp_and_a_host() -> None:
    assert names(client()) == SERVICE


@pytest.mark.parametrize(
    ("of", "name", "what"),
    [
        (
            client(),
            "openai",
            "what people write and the answers, voice notes, pictures and documents that people send and who writes, "
            "the number masked",
        ),
        (
            client(media=OFF, context={"phone": "full"}),
            "openai",
            "what people write and the answers and who writes, with the number",
        ),
        (
            client(media=OFF, context={"phone": "none"}),
            "openai",
            "what people write and the answers and the name that people go by",
        ),
        (client(media=OFF, context=NOTHING), "openai", "what people write and the answers"),
        (
            client({"type": "web_search"}, media=OFF, context=NOTHING),
            "openai",
            "what people write and the answers and searches on the web",
        ),
        (client(FUNCTION), "api.lacocina.cl", "the arguments of crear_reserva"),
        (
            client({**FUNCTION, "endpoint": {**ENDPOINT, "user": "full"}}, {**FUNCTION, "name": "anular"}),
            "api.lacocina.cl",
            "the arguments of crear_reserva and anular and who writes, with the number",
        ),
        (client(SERVER), "mcp.agenda.cl:8443", "what the model asks agenda"),
        (
            client(handoff={"desk": DESK}),
            "chat.lacocina.cl",
            "conversations that people have and who writes: number or WhatsApp's id, and name",
        ),
        (
            client(handoff={"desk": {**DESK, "mirror": "always"}}),
            "chat.lacocina.cl",
            "all conversations and who writes: number or WhatsApp's id, and name",
        ),
        (
            client(handoff={"notify": ["turno@lacocina.cl"]}),
            "turno@lacocina.cl",
            "who waits for a person, and a summary and the conversation",
        ),
        (client(handoff={"notify": [{"env": "TURNO_SLACK"}]}), "TURNO_SLACK", "who waits for a person, and a summary"),
    ],
)
def test_what_each_recipient_gets(of: Client, name: str, what: str) -> None:
    assert gets(of, name) == what


def test_two_functions_at_one_host_are_one_recipient() -> None:
    assert names(client(FUNCTION, {**FUNCTION, "name": "anular"}))[4:-1] == ["api.lacocina.cl"]


def test_a_host_has_its_port_and_no_case() -> None:
    assert host_of("https://API.example.cl:8443/x") == "api.example.cl:8443"


def test_a_leave_that_no_recipient_has_is_named() -> None:
    declared = client(FUNCTION, data={"recipients": {"api.lacocina.cl": LEAVE, "api.otra.cl": LEAVE}})
    assert unused_leaves(declared) == ["api.otra.cl"]


def shown(of: Client, bot: BotRecord | None = None, record: AssistantRecord | None = None) -> dict[str, bool]:
    """Name → whether it is new."""
    found = shown_recipients(Manifest("clients.d/la-cocina.yaml", of, ""), bot, record, None)
    return {one.recipient.name: one.is_new for one in found}


def live(**fields: Any) -> BotRecord:
    return BotRecord("la-cocina", "La Cocina", "+15551234567", client="la-cocina", **fields)


def test_what_a_live_bot_does_not_name_is_new_and_is_listed_until_a_leave_is_named() -> None:
    declared = client(FUNCTION, SERVER, handoff={"desk": DESK, "notify": ["turno@lacocina.cl", {"env": "SLACK"}]})
    every = ["api.lacocina.cl", "mcp.agenda.cl:8443", "chat.lacocina.cl", "turno@lacocina.cl", "SLACK"]
    assert shown(declared) == dict.fromkeys([*SERVICE[:-1], *every], True)
    assert shown(declared, live()) == dict.fromkeys(every, True)
    handoff = {"desk": DESK, "notify": ["turno@lacocina.cl", {"env": "SLACK"}]}
    bot = live(functions={"crear_reserva": ENDPOINT}, policy={"handoff": handoff})
    record = AssistantRecord("a", "A", "", "m", tools=[{"type": "mcp", "server_url": SERVER["url"]}])
    assert shown(declared, bot, record) == dict.fromkeys(every, False)
    allowed = client(FUNCTION, data={"recipients": {"api.lacocina.cl": LEAVE}})
    assert "api.lacocina.cl" not in shown(allowed, bot, record)


def test_those_that_every_client_has_are_new_with_it_and_then_listed_where_leaves_are_named_at_all() -> None:
    assert shown(client()) == dict.fromkeys(SERVICE, True)
    assert shown(client(), live()) == {}
    assert shown(client(data={"recipients": {}}), live()) == dict.fromkeys(SERVICE, False)
    assert "openai" not in shown(client(data={"recipients": {"openai": LEAVE}}), live())


def test_a_line_says_who_gets_what_and_what_to_do() -> None:
    [service, [new]] = by_line(list(shown_recipients(Manifest("x", client(FUNCTION), ""), None, None, None)))
    assert line_text(service) == (
        "openai, twilio, meta, hosting and ALERT_NOTIFY are new recipients of people's data, without leave: name them"
        " in data.recipients, for all clients in _defaults.yaml"
    )
    assert line_in_spanish(service).startswith("OpenAI, Twilio, Meta, Servidor de la agencia y Canal de avisos")
    assert shown_text(new) == (
        "api.lacocina.cl is a new recipient of the arguments of crear_reserva, without leave: name it in"
        " data.recipients"
    )
    assert shown_in_spanish(new) == (
        "api.lacocina.cl (sistema al que llama el asistente) empieza a recibir los datos que pide crear_reserva, y"
        " falta anotar la autorización del cliente (data.recipients)."
    )
