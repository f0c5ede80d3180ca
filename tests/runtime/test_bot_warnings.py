"""What the API says about a bot that will not answer as is meant."""

from collections.abc import Callable

from tests.reconciler.live import openai_call
from tests.runtime_process import Line, Runtime, new_number
from tests.sandbox_process import Json, Sandbox


def made(runtime: Runtime, **fields: object) -> Json:
    return runtime.made("/bots/", {"name": "Bot", "twilio_phone_number": new_number(), **fields})


def test_an_assistant_that_openai_does_not_have_is_named(runtime: Runtime) -> None:
    for assistant_id in ("asst_abc123def456", "agent_nobody"):
        bot = made(runtime, assistant_id=assistant_id)

        (warning,) = bot["warnings"]
        assert f"OpenAI has no assistant {assistant_id!r}, so each user gets the fallback message" in warning
        assert runtime.api("GET", f"/bots/{bot['id']}").json == bot


def test_a_bot_of_an_agent_that_exists_has_no_warning(runtime: Runtime, sandbox: Sandbox) -> None:
    agent = openai_call(
        sandbox, "POST", "/agents", {"name": "A", "instructions": "Eres un agente.", "model": "gpt-6-luna"}
    )

    assert made(runtime, assistant_id=agent["id"])["warnings"] == []


def test_a_provider_that_cannot_be_asked_keeps_no_bot_from_being_made(runtime: Runtime, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "status": 500, "provider": "openai", "method": "GET", "path": "/v1/assistants/"})

    (warning,) = made(runtime, assistant_id="asst_abc123def456")["warnings"]

    assert "could not be asked" in warning


def test_instructions_beside_an_assistant_are_said_to_replace_its_own(
    runtime: Runtime, line: Callable[..., Line]
) -> None:
    shared = runtime.made("/assistants/", {"name": "A", "instructions": "Eres compartido.", "model": "gpt-6-luna"})
    shop = line(assistant_id=shared["id"], instructions="Bot de atención")

    (warning,) = shop.bot["warnings"]
    assert warning.startswith("instructions: the bot's own instructions (15 characters) replace those of the assistant")
    assert "Bot de atención" in shop.ask("Hola")
    changed = runtime.api("PUT", f"/bots/{shop.bot['id']}", {"instructions": None})
    assert changed.json["warnings"] == []
    assert "Eres compartido." in shop.ask("Hola")
