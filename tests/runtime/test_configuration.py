"""What another process writes into the store counts from the next message on; secrets never show."""

from collections.abc import Callable
from dataclasses import replace

from runtime.store.client.writer import open_writer
from runtime.store.records import AssistantRecord, BotRecord
from tests.runtime_process import API_TOKEN, Line, Runtime, new_number, open_line
from tests.sandbox_process import AUTH_TOKEN, Sandbox, wait_until


def test_what_the_reconciler_writes_counts_from_the_next_message(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola")
    reconciler = open_writer(runtime.environment["DATABASE_URL"])
    reconciler.put_assistant(AssistantRecord(id="tienda", name="T", instructions="Eres de git.", model="gpt-6-luna"))
    bot = BotRecord(
        id=shop.bot["id"], name="T", twilio_phone_number=shop.number, assistant_id="tienda", client="tienda"
    )
    reconciler.put_bot(bot)
    assert shop.ask("¿Y ahora?").startswith("[tienda] Eres de git.")
    reconciler.put_bot(replace(bot, state="paused"))
    assert shop.write("¿Hola?", wait=1)["answers"] == []
    reconciler.close()


def test_a_number_that_moves_to_another_bot_is_answered_by_it(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line(instructions="Eres el primero.", model="gpt-6-luna")
    shop.ask("Hola")
    reconciler = open_writer(runtime.environment["DATABASE_URL"])
    reconciler.delete_bot(shop.bot["id"])
    reconciler.put_bot(
        BotRecord(
            id=f"segundo{shop.number}",
            name="Segundo",
            twilio_phone_number=shop.number,
            instructions="Eres el segundo.",
            model="gpt-6-luna",
        )
    )
    reconciler.close()
    wait_until(lambda: "Eres el segundo." in str(shop.write("Hola", wait=3)["answers"]), what="the second bot")


def test_no_secret_and_no_text_of_a_user_is_logged(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> None:
    runtime = runtime_factory(LOG_LEVEL="debug", PROPIO="token-propio")
    open_line(runtime, sandbox).ask("mi secreto")
    body = {"name": "B", "twilio_phone_number": new_number(), "instructions": "I", "model": "m"}
    runtime.made("/bots/", body | {"account_sid": "AC" + "3" * 32, "auth_token_env": "PROPIO"})
    runtime.api("GET", "/bots/", token="wrong-token")
    runtime.stop()
    written = (runtime.folder / "runtime.log").read_text()
    for secret in (API_TOKEN, AUTH_TOKEN, sandbox.api_key, "token-propio", "wrong-token", "mi secreto"):
        assert secret not in written
