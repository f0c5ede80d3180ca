"""A message comes in, the right assistant answers from the right number."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until


def test_the_assistant_of_the_number_answers_from_that_number(line: Callable[..., Line], runtime: Runtime) -> None:
    cook = runtime.made(
        "/assistants/", {"name": "Cocina", "instructions": "Eres la cocina.", "model": "gpt-6-luna", "tools": []}
    )
    doctor = runtime.made(
        "/assistants/", {"name": "Clínica", "instructions": "Eres la clínica.", "model": "gpt-6-luna", "tools": []}
    )
    kitchen, clinic = line(assistant_id=cook["id"]), line(assistant_id=doctor["id"])

    assert "Eres la cocina." in kitchen.ask("Hola")
    assert "Eres la clínica." in clinic.ask("Hola")
    assert [entry["via"] for entry in kitchen.outbound()] == ["twiml"]
    assert len(clinic.outbound()) == 1


def test_a_bot_without_an_assistant_answers_with_its_own_instructions(line: Callable[..., Line]) -> None:
    assert "Eres una florería." in line(instructions="Eres una florería.", model="gpt-6-luna").ask("Hola")


def test_a_bot_s_own_instructions_replace_the_assistant_s(line: Callable[..., Line], runtime: Runtime) -> None:
    shared = runtime.made("/assistants/", {"name": "A", "instructions": "Eres compartido.", "model": "gpt-6-luna"})
    assert "Eres propio." in line(assistant_id=shared["id"], instructions="Eres propio.").ask("Hola")


def test_a_conversation_is_remembered_from_one_message_to_the_next(line: Callable[..., Line]) -> None:
    bakery = line()
    bakery.ask("Hola")
    assert "turn 2" in bakery.ask("¿Tienen pan?")


def test_two_users_of_a_bot_share_nothing(line: Callable[..., Line]) -> None:
    bakery = line()
    bakery.ask("Hola", "+56911111111")
    assert "turn 1" in bakery.ask("Hola", "+56922222222")


def test_a_user_of_two_bots_has_two_conversations(line: Callable[..., Line]) -> None:
    line().ask("Hola")
    assert "turn 1" in line().ask("Hola")


def test_changed_instructions_count_from_the_next_message(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line(instructions="Eres antiguo.", model="gpt-6-luna")
    shop.ask("Hola")
    runtime.api("PUT", f"/bots/{shop.bot['id']}", {"instructions": "Eres nuevo."})
    assert "Eres nuevo." in shop.ask("¿Y ahora?")


def test_an_answer_that_takes_longer_than_the_webhook_may_goes_out_over_rest(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    slow = open_line(runtime_factory(REPLY_WITHIN_SECONDS="0.2"), sandbox)
    outcome = slow.write("piensa 1s")
    assert [answer["via"] for answer in outcome["answers"]] == ["rest"]
    assert [entry["via"] for entry in slow.outbound()] == ["rest"]


def test_a_paused_bot_keeps_silent(line: Callable[..., Line], runtime: Runtime) -> None:
    closed = line(state="paused")
    outcome = closed.write("Hola", wait=1.0)
    assert (outcome["http_status"], outcome["answers"]) == (200, [])
    runtime.api("PUT", f"/bots/{closed.bot['id']}", {"state": "active"})
    assert "¿Abrieron?" in closed.ask("¿Abrieron?")
    assert len(closed.outbound()) == 1


PHOTO = [{"url": "https://example.com/a.jpg", "content_type": "image/jpeg"}]
NOTE = [{"url": "https://example.com/a.ogg", "content_type": "audio/ogg"}]
WORDS_ONLY = {"version": 1, "media": {"voice": False, "images": False, "documents": False}}


def model_calls(shop: Line) -> list[dict[str, Any]]:
    return [call["body"] for call in shop.sandbox.calls("openai", "POST", "/v1/responses")]


@pytest.mark.parametrize("media", [PHOTO, NOTE])
def test_a_file_without_a_word_brings_one_sentence_and_no_request_to_the_model(
    line: Callable[..., Line], media: list[dict[str, str]]
) -> None:
    shop = line(policy=WORDS_ONLY)

    assert "¿Me lo escribes en un mensaje de texto, por favor?" in shop.ask("", media=media)

    assert model_calls(shop) == []


def test_an_album_brings_one_sentence_and_what_is_written_next_is_answered(line: Callable[..., Line]) -> None:
    shop = line(policy={"version": 1, "media": {"images": False, "not_understood": "Solo texto, por favor."}})

    answers = [shop.write("", media=PHOTO, wait=2.0)["answers"] for _ in range(3)]

    assert [[answer["body"] for answer in some] for some in answers] == [["Solo texto, por favor."], [], []]
    shop.ask("Una torta así")
    said = [item["content"] for item in model_calls(shop)[0]["input"] if item["role"] == "user"]
    assert said == [*["[picture, which cannot be seen here]"] * 3, "Una torta así"]


def test_a_picture_with_a_caption_is_answered(line: Callable[..., Line]) -> None:
    shop = line(policy=WORDS_ONLY)

    assert "¿Hacen esta?" in shop.ask("¿Hacen esta?", media=PHOTO)

    assert model_calls(shop)[0]["input"][-1]["content"] == "¿Hacen esta?\n[picture, which cannot be seen here]"


def test_a_user_who_hides_the_phone_number_is_answered_at_the_user_id(line: Callable[..., Line]) -> None:
    shop = line()
    assert "turn 1" in shop.ask("Hola", "CL.1A2B3C")
    assert "turn 2" in shop.ask("Hola", "CL.1A2B3C")


def test_a_user_who_adopts_a_user_id_keeps_the_conversation(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", "+56933333333")
    shop.ask("Hola", "+56933333333", external_user_id="CL.ADOPTED")
    # The number is known, and Twilio refuses an id while WhatsApp shows it.
    shop.write("Hola", "CL.ADOPTED", wait=0)
    wait_until(lambda: "turn 3" in shop.outbound("+56933333333")[-1]["body"])


def test_a_number_that_changed_hands_does_not_show_the_old_owner_s_conversation(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", "+56944444444", external_user_id="CL.OLDOWNER")
    assert "turn 1" in shop.ask("Hola", "+56944444444", external_user_id="CL.NEWOWNER")
    assert "turn 2" in shop.ask("Hola", "CL.OLDOWNER")


def test_messages_that_arrive_while_the_model_thinks_are_answered_next_and_in_order(line: Callable[..., Line]) -> None:
    shop = line()
    shop.write("piensa 1s, uno", wait=0)
    wait_until(lambda: len(shop.sandbox.calls("openai", "POST", "/v1/responses")) == 1)
    for count, text in enumerate(("dos", "tres"), start=2):
        shop.write(text, wait=0)
        wait_until(lambda count=count: shop.received() == count)
    wait_until(lambda: "tres" in " ".join(entry["body"] for entry in shop.outbound()))
    said = " ".join(entry["body"] for entry in shop.outbound())
    assert said.index("uno") < said.index("dos") < said.index("tres")


def test_the_provider_is_told_nothing_that_it_keeps_and_no_phone_number(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola")
    (call,) = shop.sandbox.calls("openai", "POST", "/v1/responses")
    body = call["body"]
    assert body["store"] is False
    assert "56912345678" not in str(body)
    assert len(body["safety_identifier"]) == 64
