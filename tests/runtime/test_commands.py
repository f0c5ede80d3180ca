"""The command line: tokens, proactive messages, migration, and what stops a start."""

from collections.abc import Callable
from pathlib import Path

from runtime.store.database.revision import HEAD
from tests.runtime_process import Line, Runtime, new_number, open_line
from tests.sandbox_process import Sandbox


def test_a_read_token_reads_and_does_not_write(runtime: Runtime) -> None:
    token = runtime.command("token", "create", "grafana").out.strip()
    assert runtime.api("GET", "/bots/", token=token).status == 200
    answer = runtime.api("POST", "/bots/", {}, token=token)
    assert (answer.status, answer.error["code"]) == (403, "forbidden")
    assert "grafana" in answer.error["message"]


def test_a_write_token_writes(runtime: Runtime) -> None:
    token = runtime.command("token", "create", "ci", "--scope", "write").out.strip()
    body = {"name": "A", "instructions": "I", "model": "gpt-6-luna"}
    assert runtime.api("POST", "/assistants/", body, token=token).status == 201


def test_a_token_is_not_kept_only_its_digest(runtime: Runtime) -> None:
    token = runtime.command("token", "create", "secreto").out.strip()
    assert token.encode() not in b"".join(path.read_bytes() for path in runtime.folder.glob("runtime.db*"))
    assert token not in runtime.command("token", "list").out


def test_a_revoked_token_is_refused_at_once(runtime: Runtime) -> None:
    token = runtime.command("token", "create", "antiguo").out.strip()
    assert runtime.command("token", "revoke", "antiguo").code == 0
    assert runtime.api("GET", "/bots/", token=token).status == 401
    assert "antiguo\tread" in runtime.command("token", "list").out


def test_a_token_s_name_is_taken_once(runtime: Runtime) -> None:
    runtime.command("token", "create", "doble")
    again = runtime.command("token", "create", "doble")
    assert (again.code, "already a token named 'doble'" in again.err) == (1, True)


def test_send_goes_out_from_the_bot_s_number(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola", "+56955555555")
    sent = runtime.command("send", "+56955555555", "Su pedido está listo.", "--bot", shop.bot["id"])
    assert (sent.code, "Warning" in sent.err) == (0, False)
    assert [entry["body"] for entry in shop.outbound("+56955555555")][-1] == "Su pedido está listo."


def test_send_without_a_bot_goes_out_from_the_fallback_number(runtime: Runtime, sandbox: Sandbox) -> None:
    number = new_number()
    sandbox.register(number)
    sent = runtime.command("send", "+56955555556", "Hola", TWILIO_WHATSAPP_FROM=number)
    assert f"from {number}" in sent.out
    assert "24 hours" in sent.err


def test_send_without_any_number_says_what_to_give(runtime: Runtime) -> None:
    sent = runtime.command("send", "+56955555555", "Hola")
    assert (sent.code, "TWILIO_WHATSAPP_FROM" in sent.err) == (1, True)
    assert "Traceback" not in sent.err


def test_a_proactive_message_is_remembered_in_the_conversation(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola")
    body = {"to": "+56912345678", "body": "¿Confirmas tu hora?", "bot_id": shop.bot["id"]}
    sent = runtime.made("/messages/", body)
    assert (sent["from"], sent["warning"]) == (shop.number, None)
    shop.ask("Sí")
    call = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]
    assert {"role": "assistant", "content": "¿Confirmas tu hora?"} in call["body"]["input"]


def test_a_proactive_text_to_a_silent_user_is_refused(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    refused = runtime.api("POST", "/messages/", {"to": "+56966666666", "body": "Hola", "from": shop.number})
    assert (refused.status, refused.error["code"]) == (409, "user_silent")
    sent = runtime.command("send", "+56966666666", "Hola", "--bot", shop.bot["id"])
    assert (sent.code, "has never written to this number" in sent.err, "Traceback" in sent.err) == (1, True, False)
    assert shop.outbound("+56966666666") == []


def test_a_proactive_message_that_twilio_refuses_is_502(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola", "+56966666666")
    shop.sandbox.ask("DELETE", f"senders/{shop.number}")
    answer = runtime.api("POST", "/messages/", {"to": "+56966666666", "body": "Hola", "from": shop.number})
    assert (answer.status, answer.error["code"]) == (502, "not_sent")
    assert "63007" in answer.error["message"]


def test_a_proactive_message_from_nobody_s_number_is_400(runtime: Runtime) -> None:
    answer = runtime.api("POST", "/messages/", {"to": "+56966666666", "body": "Hola", "from": "+15559999999"})
    assert (answer.status, answer.error["field"]) == (400, "from")


def test_a_second_serving_process_on_one_sqlite_file_is_refused(runtime: Runtime) -> None:
    second = runtime.command("serve", "--port", "0")
    assert second.code == 1
    assert "Another process already serves the store" in second.err
    assert "Traceback" not in second.err


def test_a_port_that_is_taken_is_one_sentence(runtime: Runtime, tmp_path: Path) -> None:
    second = runtime.command("serve", "--port", str(runtime.port), DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    assert (second.code, "Traceback" in second.err) == (1, False)
    assert "--port" in second.err


def test_a_wrong_setting_is_named(runtime: Runtime) -> None:
    second = runtime.command("serve", REPLY_WITHIN_SECONDS="soon", PUBLIC_URL="whatsapp.example.cl")
    assert second.code == 1
    assert "REPLY_WITHIN_SECONDS" in second.err
    assert "PUBLIC_URL" in second.err


def test_a_database_that_is_down_is_one_sentence_without_the_password(runtime: Runtime) -> None:
    second = runtime.command("serve", DATABASE_URL="postgresql://bot:s3cret@127.0.0.1:1/bots")
    assert (second.code, "s3cret" in second.err, "Traceback" in second.err) == (1, False, False)
    assert "cannot be reached" in second.err


def test_migrate_says_which_schema_there_is(runtime: Runtime, tmp_path: Path) -> None:
    done = runtime.command("migrate", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert (done.code, f"schema {HEAD}" in done.out) == (0, True)


def test_migrate_rewrites_a_file_that_is_not_served(runtime: Runtime, tmp_path: Path) -> None:
    done = runtime.command("migrate", "--compact", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert (done.code, "From here on it shrinks as rows are deleted." in done.out) == (0, True)
    served = runtime.command("migrate", "--compact")
    assert (served.code, "Another process already serves the store" in served.err) == (1, True)


def test_sigterm_ends_the_service_cleanly(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> None:
    runtime = runtime_factory()
    open_line(runtime, sandbox).ask("Hola")
    assert runtime.stop() == 0
    assert "Traceback" not in (runtime.folder / "runtime.log").read_text()
