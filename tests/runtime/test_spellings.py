"""One person under a number with two spellings, or WhatsApp's user id: one conversation, under either one first."""

from collections.abc import Callable

import pytest

from tests.runtime.template_shop import REOPEN, shop_with_templates
from tests.runtime_process import Line, Runtime
from tests.sandbox_process import Sandbox

MEXICO = ("+5215511110001", "+525511110001")
ARGENTINA = ("+5491123450002", "+541123450002")
BRAZIL = ("+551187650003", "+5511987650003")


def asked(shop: Line) -> list[str]:
    """What was said on both sides, as the model's last request held it."""
    items = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    return [item["content"] for item in items if item.get("role") in ("user", "assistant")]


def send(shop: Line, to: str, text: str) -> dict[str, object]:
    made: dict[str, object] = shop.runtime.made("/messages/", {"to": to, "body": text, "bot_id": shop.bot["id"]})
    return made


@pytest.mark.parametrize(("writes", "other"), [MEXICO, ARGENTINA, BRAZIL])
def test_a_message_to_the_other_spelling_is_in_the_conversation_and_no_warning_is_given(
    line: Callable[..., Line], writes: str, other: str
) -> None:
    shop = line()
    shop.ask("Hola", writes)

    assert send(shop, other, "Su mesa es la 12.")["warning"] is None

    shop.ask("¿Cuál mesa?", writes)
    assert asked(shop)[-2:] == ["Su mesa es la 12.", "¿Cuál mesa?"]


def test_a_reply_in_the_other_spelling_continues_the_conversation_that_we_began(
    runtime: Runtime, sandbox: Sandbox
) -> None:
    shop, (writes, written) = shop_with_templates(runtime, sandbox), ("+5215511110009", "+525511110009")
    runtime.made("/messages/", {"to": written, "template": "retomar", "bot_id": shop.bot["id"]})

    assert "turn 1" in shop.ask("Gracias", writes)

    assert asked(shop) == [REOPEN["body"], "Gracias"]
    assert "turn 2" in shop.ask("¿A qué hora?", written)
    assert shop.runtime.api("DELETE", f"/users/{written}").json["conversations"] == 1
    assert "turn 1" in shop.ask("Hola", writes)


def test_a_landline_and_the_mobile_that_resembles_it_are_two_people(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", "+551133334444")

    assert "turn 1" in shop.ask("Hola", "+5511933334444")


def test_a_user_who_hides_the_number_is_reached_by_user_id(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", "CL.1A2B3C")

    sent = send(shop, "CL.1A2B3C", "Su mesa es la 12.")

    assert (sent["to"], sent["warning"]) == ("CL.1A2B3C", None)
    assert [entry["body"] for entry in shop.outbound("CL.1A2B3C")][-1] == "Su mesa es la 12."
    done = shop.runtime.command("send", "--bot", shop.bot["id"], "CL.1A2B3C", "Y la 13.")
    assert done.code == 0, done.err
    assert [entry["body"] for entry in shop.outbound("CL.1A2B3C")][-1] == "Y la 13."


def test_a_user_id_whose_number_is_known_is_reached_at_the_number(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", "+56911110004", external_user_id="CL.SHOWN")

    assert send(shop, "CL.SHOWN", "Su mesa es la 12.")["to"] == "+56911110004"

    assert shop.outbound("+56911110004")[-1]["body"] == "Su mesa es la 12."


def test_what_is_neither_a_number_nor_a_user_id_is_refused_with_both_forms(line: Callable[..., Line]) -> None:
    refused = line().runtime.api("POST", "/messages/", {"to": "cl.1", "body": "x"})

    assert refused.status == 400
    assert 'write it like "+15551234567", or WhatsApp\'s user id like "CL.1A2B3C"' in refused.error["message"]
