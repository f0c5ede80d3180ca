"""What of a desk goes out, which of its webhooks are believed, and what people there read."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from runtime.content.parts import Content, Image, Location, Text, Voice
from runtime.desk.operator_messages import is_operators, operator_messages, seen_up_to
from runtime.desk.webhook import conversation_of, is_recent, is_signed
from runtime.desk.words import failure_of, text_of
from runtime.store.messages.desk import DeliveryReport, UnshownMessage

OPERATORS: dict[str, Any] = {
    "id": 7,
    "message_type": 1,
    "private": False,
    "content": "Hola",
    "source_id": None,
    "sender": {"id": 3, "name": "Carla", "type": "user"},
    "created_at": 1_764_345_600,
    "content_attributes": {},
}


@pytest.mark.parametrize(
    ("changes", "goes_out"),
    [
        ({}, True),
        ({"content": None, "attachments": [{"data_url": "https://x.cl/a"}]}, True),
        ({"private": True}, False),
        ({"message_type": 0, "sender": {"type": "contact"}}, False),
        ({"message_type": 2}, False),
        ({"message_type": 3}, False),
        ({"sender": {"id": 5, "type": "agent_bot"}}, False),
        ({"sender": None}, False),
        ({"source_id": "hz:out:12"}, False),
        ({"source_id": "otro"}, True),
        ({"content_attributes": {"automation_rule_id": 4}}, False),
        ({"content_attributes": {"deleted": True}}, False),
        ({"content": "", "attachments": []}, False),
    ],
)
def test_only_what_an_operator_wrote_to_the_person_goes_out(changes: dict[str, Any], goes_out: bool) -> None:
    assert is_operators({**OPERATORS, **changes}) is goes_out


def test_operators_messages_come_in_their_order_and_none_that_is_known() -> None:
    listed = [{**OPERATORS, "id": number} for number in (9, 7, 8)]
    assert [message.id for message in operator_messages(listed, {8})] == [7, 9]
    assert operator_messages(listed, ())[0].author == "Carla"


def test_messages_are_listed_again_for_a_while() -> None:
    listed = [{"id": 7, "created_at": 100}, {"id": 8, "created_at": 120}, {"id": 9, "created_at": 140}]
    assert seen_up_to(listed, 30) == 7
    assert seen_up_to(listed[:1], 30) == seen_up_to([], 30) == 0


def test_a_webhook_is_signed_over_its_time_and_its_body() -> None:
    signature = "sha256=" + hmac.digest(b"s", b"12.{}", "sha256").hex()
    assert is_signed("s", "12", b"{}", signature)
    assert not is_signed("t", "12", b"{}", signature)
    assert not is_signed("s", "13", b"{}", signature)
    assert not is_signed("s", "12", b"{ }", signature)
    assert not is_signed(None, "12", b"{}", signature)
    assert not is_signed("s", "12", b"{}", "")
    assert not is_signed("s", "12", b"{}", "sha256=ñ")


@pytest.mark.parametrize(
    ("stamp", "is_in_time"),
    [("1000", True), ("700", True), ("699", False), ("1300", True), ("1301", False), ("", False), ("-1000", False),
     ("1e3", False), ("1" * 400, False), ("١٠٠٠", False)],
)  # fmt: skip
def test_a_webhook_is_believed_for_five_minutes(stamp: str, is_in_time: bool) -> None:
    assert is_recent(stamp, 1000.0) is is_in_time


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({"event": "message_created", "account": {"id": 1}, "conversation": {"id": 42, "inbox_id": 3}}, 42),
        ({"event": "conversation_updated", "account": {"id": 1}, "id": 42, "inbox_id": 3}, 42),
        ({"event": "conversation_updated", "id": 42, "inbox_id": 3}, 42),
        ({"event": "conversation_typing_on", "conversation": {"id": 42, "inbox_id": 3}}, None),
        ({"event": "message_created", "account": {"id": 2}, "conversation": {"id": 42, "inbox_id": 3}}, None),
        ({"event": "message_created", "account": {"id": 1}, "conversation": {"id": 42, "inbox_id": 4}}, None),
        ({"event": "message_created", "account": {"id": 1}, "conversation": {"id": "42", "inbox_id": 3}}, None),
        ({"event": "message_created", "account": 1, "conversation": {"id": 42, "inbox_id": 3}}, None),
        ({"event": "message_created", "account": {"id": 1}, "conversation": [42]}, None),
        ([], None),
        ("[" * 100_000, None),
    ],
)
def test_an_event_names_a_conversation_of_the_clients_inbox_or_none(event: object, number: int | None) -> None:
    body = event if isinstance(event, str) else json.dumps(event)
    assert conversation_of(body.encode(), 1, 3) == number


def waiting(*parts: Any) -> UnshownMessage:
    return UnshownMessage("in:1", "2026-11-28T12:00:00.000Z", False, "", Content(parts), "AC1", None, None)


def test_people_read_what_was_said_and_heard_and_which_file_is_missing() -> None:
    heard = Voice("https://x/1", "audio/ogg", text="Quiero una mesa")
    assert text_of(waiting(Text("Hola"))) == "Hola"
    assert text_of(waiting(heard)) == "[audio] Quiero una mesa"
    assert text_of(waiting(Text("Mira"), Image("https://x/2", "image/png"))) == "Mira"
    assert "no se pudo descargar" in text_of(waiting(heard), frozenset({0}))
    assert "-33.4" in text_of(waiting(Location("-33.4", "-70.6")))
    by_hand = UnshownMessage("out:1", "2026", True, "Voy", None, "AC1", 1, "Ana")
    assert text_of(by_hand) == "Ana: Voy"


def test_a_failure_is_told_in_spanish_with_its_code() -> None:
    report = DeliveryReport("desk:7:0", 7, "failed", "Twilio error 63003", "63003")
    assert failure_of(report) == "El número no está en WhatsApp (63003)"
    assert failure_of(report._replace(code=None, error="No se envió")) == "No se envió"
