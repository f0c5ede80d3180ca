"""The note that the model gets with each message: the time in the client's zone, and who writes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from openai import OpenAI

from runtime.turns.context import LENGTH, clock
from runtime.turns.request import STARTS_OVER
from tests.runtime_process import Json, Line, Runtime, inbound_fields, open_line, signed_webhook
from tests.sandbox_process import Sandbox, wait_until


def asked(line: Line) -> list[Json]:
    """The input of the last request to the model."""
    said: list[Json] = line.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    return said


def told(line: Line) -> str:
    """The note in it, which must stand just before the new message, and nowhere else."""
    notes = [index for index, item in enumerate(asked(line)) if item["role"] == "developer"]
    assert notes == [len(asked(line)) - 2]
    return str(asked(line)[-2]["content"])


def hour(zone: str) -> str:
    """ "Saturday 2026-11-28 18:": the hour that it is there."""
    return clock(datetime.now(ZoneInfo(zone)))[:-2]


def test_each_message_brings_its_own_note_and_none_is_remembered(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola", profile_name="Ana Rojas")
    assert 'Person: first contact, calls themselves "Ana Rojas", phone +569****5678.' in told(shop)
    shop.ask("¿Abren hoy?", profile_name="Ana Rojas")
    assert "Person: returning," in told(shop)


def test_all_before_the_note_stays_the_same_so_that_a_provider_can_cache_it(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Hola")
    shop.ask("¿Abren hoy?")
    second = asked(shop)
    shop.ask("¿Y mañana?")
    assert asked(shop)[: len(second) - 2] == second[:-2]


@pytest.mark.parametrize(
    ("policy", "zone"),
    [({}, "Asia/Kathmandu"), ({"timezone": "Pacific/Apia"}, "Pacific/Apia")],
    ids=["the setting's", "the client's own"],
)
def test_the_time_is_that_of_the_client(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, policy: Json, zone: str
) -> None:
    shop = open_line(runtime_factory(TIMEZONE="Asia/Kathmandu"), sandbox, policy=policy)
    before = hour(zone)
    shop.ask("Hola")
    assert f"Now: {before}" in told(shop) or f"Now: {hour(zone)}" in told(shop)
    assert f"({zone}, UTC+" in told(shop)


def test_a_client_s_context_says_what_is_told(line: Callable[..., Line]) -> None:
    shop = line(policy={"context": {"now": False, "name": False, "phone": "full"}})
    shop.ask("Hola", profile_name="Ana Rojas")
    assert told(shop).splitlines()[-2:] == ["Person: first contact, phone +56912345678.", LENGTH]
    assert "Now:" not in told(shop)


def test_the_message_that_one_replies_to_is_told(line: Callable[..., Line], runtime: Runtime) -> None:
    shop, other = line(), line()
    shop.write("Quiero la 2")
    ours = shop.outbound()[-1]
    reply = {"OriginalRepliedMessageSid": ours["message_sid"], "MessageType": "text"}
    signed_webhook(runtime, inbound_fields(shop.number, "Esta", **reply))
    wait_until(lambda: asked(shop)[-1]["content"] == "Esta", what="the reply")
    assert 'The message replies to "[bot_' in told(shop)
    signed_webhook(runtime, inbound_fields(other.number, "Esa", **reply))
    wait_until(lambda: asked(other)[-1]["content"] == "Esa", what="a reply to another bot's message")
    assert "replies to" not in told(other)
    # and one to their own
    own = inbound_fields(shop.number, "Una mesa")
    signed_webhook(runtime, own)
    reply = {"OriginalRepliedMessageSid": own["MessageSid"], "MessageType": "text"}
    signed_webhook(runtime, inbound_fields(shop.number, "Para dos", **reply))
    wait_until(lambda: asked(shop)[-1]["content"] == "Para dos", what="the second reply")
    assert 'The message replies to "Una mesa".' in told(shop)


def age(shop: Line, to: str) -> None:
    """Makes what the shop's conversations remember as old as that."""
    with closing(sqlite3.connect(shop.runtime.folder / "runtime.db")) as store, store:
        store.execute(
            "UPDATE items SET created_at = ? WHERE conversation_id IN (SELECT id FROM conversations WHERE bot_id = ?)",
            (to, shop.bot["id"]),
        )


def remembered(line: Line) -> list[str]:
    """What was sent of the conversation before the note."""
    return [str(item["content"]) for item in asked(line)[:-2]]


def test_what_was_said_on_another_day_is_sent_with_its_date(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("Quiero anular mi pedido 77")
    age(shop, "2026-03-01T10:00:00.000Z")
    shop.ask("Hola")
    assert remembered(shop)[:2] == ["On Sunday 2026-03-01:", "Quiero anular mi pedido 77"]


def test_after_a_long_silence_a_conversation_begins_over(line: Callable[..., Line]) -> None:
    shop = line(policy={"memory": {"expires_after": "30d"}})
    shop.ask("Quiero anular mi pedido 77")
    age(shop, "2026-03-01T10:00:00.000Z")
    shop.ask("Hola")
    assert remembered(shop) == []
    assert "Person: returning," in asked(shop)[-2]["content"]
    shop.ask("¿Abren hoy?")
    assert remembered(shop)[0] == "Hola"


def test_a_declared_word_begins_a_conversation_over(line: Callable[..., Line]) -> None:
    shop = line(policy={"memory": {"reset_words": ["reiniciar", "/reset"]}})
    shop.ask("Quiero anular mi pedido 77")
    shop.ask("Reiniciar.")
    assert remembered(shop) == []
    assert asked(shop)[-2]["content"].splitlines()[-1] == STARTS_OVER
    shop.ask("Hola")
    assert remembered(shop)[0] == "Reiniciar."
    assert STARTS_OVER not in asked(shop)[-2]["content"]


def test_an_agent_s_session_is_replaced_when_the_user_starts_over(line: Callable[..., Line], sandbox: Sandbox) -> None:
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as live:
        agent = live.beta.agents.create(model="gpt-6-luna", name="Vivo", instructions="Eres vivo.")
        shop = line(assistant_id=agent.id, policy={"memory": {"reset_words": ["reiniciar"]}})
        shop.ask("Quiero anular mi pedido 77")
        (before,) = live.beta.agents.sessions.list().data
        shop.ask("reiniciar")
        (after,) = live.beta.agents.sessions.list().data
        shop.ask("Hola")
        assert [session.id for session in live.beta.agents.sessions.list().data] == [after.id] != [before.id]
    said = sandbox.calls("openai", "POST", "/v1/agents/sessions")[-2]["body"]["input"]
    assert "77" not in str(said)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_a_thread_is_replaced_when_the_user_starts_over(line: Callable[..., Line], sandbox: Sandbox) -> None:
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as live:
        made = live.beta.assistants.create(model="gpt-6-luna", instructions="Eres vivo.")
    shop = line(assistant_id=made.id, policy={"memory": {"reset_words": ["reiniciar"]}})
    shop.ask("Quiero anular mi pedido 77")
    assert "turn 1" in shop.ask("reiniciar")
    assert "turn 2" in shop.ask("Hola")
    assert len(sandbox.calls("openai", "DELETE", "/v1/threads")) == 1


def test_a_zone_that_does_not_exist_stops_the_start(runtime_factory: Callable[..., Runtime]) -> None:
    with pytest.raises(RuntimeError, match="TIMEZONE: must be a name of the tz database"):
        runtime_factory(TIMEZONE="America/Santigo")
