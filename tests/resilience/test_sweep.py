"""Messages whose webhook never arrived are found at Twilio and answered, once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import (
    Line,
    Runtime,
    inbound_fields,
    new_number,
    open_line,
    signed_webhook,
    start_runtime,
)
from tests.sandbox_process import Sandbox, wait_until

MESSAGES = "/2010-04-01/Accounts/AC00000000000000000000000000005a4d/Messages.json"


def lose(line: Line, *texts: str, **fields: object) -> list[str]:
    """Messages are written while nobody listens; gives their sids."""
    before = len(line.sandbox.ledger(kind="webhook"))
    sids = [line.write(text, wait=0, **fields)["message_sid"] for text in texts]

    def failed() -> bool:
        attempts = line.sandbox.ledger(kind="webhook")[before:]
        return all(sum(attempt["message_sid"] == sid for attempt in attempts) == 2 for sid in sids)

    wait_until(failed, what="Twilio to give up on the webhooks")
    return sids


def swept(shop: Line) -> int:
    """How many messages to a number were taken in without their webhook."""
    events = [(entry["event"], entry.get("number")) for entry in shop.runtime.log()]
    return events.count(("message taken in without its webhook", shop.number))


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that tests stop and start again."""
    running = start_runtime(tmp_path_factory.mktemp("restarted"), sandbox_process)
    yield running
    running.stop()


@pytest.fixture
def shop(restarted: Runtime, sandbox: Sandbox) -> Line:
    return open_line(restarted, sandbox)


def test_a_message_written_while_nobody_listened_is_answered_after_the_start(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "¿Hay alguien?")

    shop.runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, 20, "the answer")
    assert "¿Hay alguien?" in shop.outbound()[0]["body"]


def test_missed_messages_are_answered_in_the_order_in_which_they_were_written(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "primero")
    lose(shop, "segundo")

    shop.runtime.start_again()

    wait_until(lambda: "segundo" in said(shop), 20, "both answers")
    assert said(shop).index("primero") < said(shop).index("segundo")


def said(shop: Line) -> str:
    """Everything that the user was told, in order."""
    return " ".join(entry["body"] for entry in shop.outbound())


def test_a_webhook_that_comes_after_all_changes_nothing(shop: Line) -> None:
    shop.runtime.stop()
    (sid,) = lose(shop, "una vez")
    shop.runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 1, 20, "the answer")

    late = inbound_fields(shop.number, "una vez", MessageSid=sid)

    assert [signed_webhook(shop.runtime, late).status for _ in range(2)] == [200, 200]
    assert "turn 2" in shop.ask("otra cosa")
    assert len(shop.outbound()) == 2


def test_what_was_taken_in_before_is_left_alone(shop: Line) -> None:
    shop.ask("Hola")

    shop.runtime.stop()
    shop.runtime.start_again()

    wait_until(lambda: len(shop.sandbox.calls("twilio", "GET", MESSAGES)) == 1, what="the sweep")
    assert "turn 2" in shop.ask("¿Y ahora?")
    assert swept(shop) == 0


def test_a_picture_is_named_as_its_webhook_names_it(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "mira", media=[{"content_type": "image/png", "base64": "aGk="}])

    shop.runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, 20, "the answer")
    assert "[image/png]" in shop.outbound()[0]["body"]


def test_what_was_written_before_the_bot_was_made_is_not_answered(restarted: Runtime, sandbox: Sandbox) -> None:
    runtime = restarted
    number = new_number()
    sandbox.register(number, webhook={"callback_url": f"{runtime.url}/webhook/whatsapp"})
    sandbox.inbound(number, "antes", wait=2)
    written = int(time.time())
    wait_until(lambda: int(time.time()) > written, what="the next second, Twilio tells no less")
    bot = runtime.made(
        "/bots/", {"name": "B", "twilio_phone_number": number, "instructions": "I", "model": "gpt-6-luna"}
    )

    runtime.stop()
    runtime.start_again()
    wait_until(lambda: len(sandbox.calls("twilio", "GET", MESSAGES)) > 0, what="the sweep")

    shop = Line(runtime, sandbox, bot)
    assert "turn 1" in shop.ask("después")
    assert swept(shop) == 0


def test_a_number_that_calls_somebody_else_is_left_to_them(shop: Line) -> None:
    shop.sandbox.change(shop.number, webhook={"callback_url": "http://127.0.0.1:9/another"})
    lose(shop, "¿quién contesta?")

    shop.runtime.stop()
    shop.runtime.start_again()

    wait_until(lambda: len(shop.sandbox.calls("twilio", "GET", "/v2/Channels/Senders")) > 0, what="the sweep")
    shop.sandbox.change(shop.number, webhook={"callback_url": f"{shop.runtime.url}/webhook/whatsapp"})
    assert "turn 1" in shop.ask("Hola")
    assert swept(shop) == 0


def test_one_account_that_cannot_be_asked_does_not_keep_the_others_from_it(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(SU_TOKEN="not-its-token")
    shop = open_line(runtime, sandbox)
    theirs = {"account_sid": "AC" + "2" * 32, "auth_token_env": "SU_TOKEN", "instructions": "I", "model": "m"}
    runtime.made("/bots/", {"name": "B", "twilio_phone_number": new_number()} | theirs)
    runtime.stop()
    lose(shop, "Hola")

    runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, 20, "the answer")
    wait_until(lambda: any(entry["event"] == "sweep put off" for entry in runtime.log()), what="the complaint")


def test_a_message_missed_while_the_service_runs_is_found_by_a_later_sweep(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(SWEEP_SECONDS="0.3"), sandbox)
    shop.ask("Hola")
    asked = len(sandbox.calls("twilio", "GET", MESSAGES))

    wait_until(lambda: len(sandbox.calls("twilio", "GET", MESSAGES)) >= asked + 2, what="two more sweeps")

    assert sandbox.calls("twilio", "GET", "/v2/Channels/Senders") == []
    assert swept(shop) == 0


@pytest.mark.postgres
def test_missed_messages_are_found_on_postgresql_too(tmp_path: Path, sandbox: Sandbox) -> None:
    url = make_database()
    runtime = start_runtime(tmp_path, sandbox, DATABASE_URL=url)
    try:
        shop = open_line(runtime, sandbox)
        runtime.stop()
        lose(shop, "¿Hay alguien?")
        runtime.start_again()
        wait_until(lambda: len(shop.outbound()) == 1, 20, "the answer")
    finally:
        runtime.stop()
        drop_database(url)
