"""The same text twice to one user, while its outcome is unknown: as many messages go out as were sent."""

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from twilio.rest import Client

from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.database.times import timestamp
from runtime.store.messages import outbox, send_matching
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendTakenOver
from runtime.store.messages.send_matching import ListedMessage
from tests.drivers.fleet import USER, Fleet, fleet_on
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Answer, Line
from tests.sandbox_process import Sandbox, wait_until

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
WITH_EFFECT = SEND | {"kind": "timeout_after_write", "seconds": 0.1}
WITHOUT_EFFECT = SEND | {"kind": "drop_connection", "seconds": 0.1}
WORDS = "Gracias"
NOWHERE = "http://127.0.0.1:9"
"""A public URL at which no status callback arrives, so that nothing but Twilio's list tells what went out."""
ROWS = "SELECT state, message_sid FROM outbox ORDER BY id"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def deaf(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """Runtimes that no status callback reaches."""
    with fleet_on(request.param, tmp_path, sandbox, PUBLIC_URL=NOWHERE) as fleet:
        yield fleet


def say(fleet: Fleet, shop: Line, replica: int, words: str = WORDS) -> Answer:
    """Has a replica send a message that is proactive; returns the response once the outcome is known."""
    sender = fleet.replicas[replica % len(fleet.replicas)]
    return sender.api("POST", "/messages/", {"to": USER, "body": words, "bot_id": shop.bot["id"]})


@contextmanager
def said_twice(fleet: Fleet, shop: Line) -> Iterator[list[Future[Answer]]]:
    """The same words sent twice at once, by two replicas where there are two."""
    with ThreadPoolExecutor(2) as pool:
        yield [pool.submit(say, fleet, shop, replica) for replica in (0, 1)]


def sids(shop: Line) -> set[str]:
    """What Twilio sent to the user."""
    return {entry["message_sid"] for entry in shop.outbound()}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([WITH_EFFECT | {"nth": 1}, WITHOUT_EFFECT | {"nth": 2}], id="one went out"),
        pytest.param([WITH_EFFECT | {"times": 2}], id="both went out", marks=pytest.mark.long),
        pytest.param([WITHOUT_EFFECT | {"times": 2}], id="none went out", marks=pytest.mark.long),
    ],
)
def test_two_of_the_same_words_in_doubt_at_once_are_two_messages(deaf: Fleet, faults: list[dict[str, Any]]) -> None:
    shop = deaf.open_line()
    deaf.sandbox.faults(*faults)

    with said_twice(deaf, shop) as answers:
        told = {answer.result().json["message_sid"] for answer in answers}

    assert deaf.sandbox.fired() == 2
    assert (len(shop.outbound()), told) == (2, sids(shop))
    assert sorted(deaf.rows(ROWS)) == sorted(("sent", sid) for sid in told)


@pytest.mark.long
def test_a_restart_takes_one_message_for_one_of_two_that_were_cut_off(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox, PUBLIC_URL=NOWHERE) as fleet:
        shop = fleet.open_line()
        sandbox.faults(
            WITH_EFFECT | {"nth": 1, "seconds": 20}, SEND | {"kind": "timeout_before_write", "nth": 2, "seconds": 20}
        )
        with said_twice(fleet, shop):
            wait_until(lambda: sandbox.fired() == 2, what="both attempts")
            fleet.kill()

        fleet.start_again()

        unsettled = "SELECT count(*) FROM outbox WHERE state = 'sending'"
        wait_until(lambda: fleet.rows(unsettled) == [(0,)], 20, "both outcomes")
        (sid,) = sids(shop)
        assert sorted(fleet.rows(ROWS), key=str) == [("failed", None), ("sent", sid)]


def test_what_went_out_is_found_behind_many_messages_that_followed(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox, PUBLIC_URL=NOWHERE) as fleet:
        shop = fleet.open_line()
        sandbox.faults(WITH_EFFECT | {"nth": 1, "seconds": 20})
        with ThreadPoolExecutor(1) as pool:
            pool.submit(say, fleet, shop, 0)
            wait_until(lambda: sandbox.fired() == 1, what="the send")
            fleet.kill()
        account = Client(sandbox.account_sid, sandbox.auth_token)
        account.api.base_url = sandbox.twilio_url
        for number in range(60):
            account.messages.create(from_=f"whatsapp:{shop.number}", to=f"whatsapp:{USER}", body=f"Aviso {number}")

        fleet.start_again()

        wait_until(lambda: fleet.rows(ROWS)[0][0] == "sent", 20, "the outcome")
        assert len(shop.outbound()) == 61


def test_an_answer_in_a_webhook_s_response_is_not_taken_for_a_message_of_the_same_words(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with fleet_on("sqlite", tmp_path, sandbox, REPLY_WITHIN_SECONDS="5") as fleet:
        shop = fleet.open_line(fallback_message=WORDS)
        callback = {"callback_url": f"{fleet.replicas[0].url}/webhook/whatsapp", "status_callback_url": None}
        sandbox.change(shop.number, webhook=callback)
        sandbox.faults(MODEL | {"kind": "status", "status": 400}, WITHOUT_EFFECT | {"times": 1})
        shop.ask("Hola")

        assert say(fleet, shop, 0).status == 201

        assert [entry["via"] for entry in shop.outbound()] == ["twiml", "rest"]
        assert [state for state, _ in fleet.rows(ROWS)] == ["sent", "sent"]


@pytest.mark.long
@pytest.mark.postgres
def test_who_hears_late_that_its_message_was_taken_for_another_sends_it_again(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, PUBLIC_URL=NOWHERE) as fleet, ThreadPoolExecutor(2) as pool:
        shop = fleet.open_line()
        sandbox.faults(WITHOUT_EFFECT | {"nth": 2}, SEND | {"kind": "latency", "nth": 1, "seconds": 1})
        late = pool.submit(say, fleet, shop, 0)
        wait_until(lambda: sandbox.fired() == 1, what="the first attempt")
        silent = fleet.replicas[0].process
        silent.send_signal(signal.SIGSTOP)
        try:
            other = say(fleet, shop, 1)
            assert {other.json["message_sid"]} == sids(shop)
        finally:
            silent.send_signal(signal.SIGCONT)

        assert sandbox.fired() == 2
        assert late.result().json["message_sid"] != other.json["message_sid"]
        assert {late.result().json["message_sid"], other.json["message_sid"]} == sids(shop)
        assert len(shop.outbound()) == 2


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated store without a serving process."""
    url = make_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/store.db"
    engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()
    if request.param == "postgresql":
        drop_database(url)


def sending(engine: Engine) -> OutboxRow:
    """A message under way."""
    message = OutboundMessage(
        "AC1", "whatsapp:+15550000001", f"whatsapp:{USER}", OutboundText(WORDS), "rest", claimed=True
    )
    with engine.begin() as connection:
        return outbox.add_to_outbox(connection, message)


def same_words(*sids: str) -> list[ListedMessage]:
    """Messages of those words as Twilio lists them."""
    return [ListedMessage(sid, "queued", WORDS, 0, is_reply=False) for sid in sids]


def settled(engine: Engine, row: OutboxRow, *listed: str) -> str | None:
    """Which of the listed messages is a row's."""
    with engine.begin() as connection:
        found = send_matching.settle(connection, row, same_words(*listed), timestamp(0), ())
    return None if found is None else found[0]


def recorded(engine: Engine, row: OutboxRow, sid: str | None) -> bool:
    """Whether a row is recorded as sent."""
    with engine.begin() as connection:
        return send_matching.mark_sent(connection, row.id, sid, "queued")


def called_back(engine: Engine, row: OutboxRow, sid: str) -> bool:
    """A status callback about a row's message comes."""
    with engine.begin() as connection:
        return outbox.record_status(
            connection,
            account_sid=row.account_sid,
            message_sid=sid,
            sender=row.sender,
            recipient=row.recipient,
            status="queued",
            error=None,
            row_id=row.id,
        )


def test_a_message_that_counts_as_another_s_is_not_recorded_for_its_own_row(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)

    assert settled(engine, first, "SM1") == "SM1"

    assert not recorded(engine, second, "SM1")
    assert called_back(engine, second, "SM1")
    assert settled(engine, second, "SM1") is None
    assert settled(engine, second, "SM1", "SM2") == "SM2"


def test_who_was_disputed_and_not_taken_is_recorded(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)
    settled(engine, first, "SM1")

    assert recorded(engine, second, "SM2")


def test_words_handed_to_a_webhook_are_looked_for_when_they_may_have_been_taken(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)
    settled(engine, first, "SM1")

    assert not recorded(engine, second, None)


def test_what_a_callback_told_of_a_row_is_no_other_s(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)
    called_back(engine, second, "SM1")

    assert settled(engine, first, "SM1") is None
    assert settled(engine, second) == "SM1"


def test_words_that_went_out_while_twilio_was_asked_make_it_be_asked_again(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)
    recorded(engine, second, None)

    with pytest.raises(send_matching.SentMeanwhile):
        settled(engine, first, "SM1")
    with engine.begin() as connection:
        known = send_matching.nameless(connection, first, timestamp(0))
        assert set(known) == {second.id}
        assert send_matching.settle(connection, first, same_words("SM1"), timestamp(0), known) is None


def test_a_row_that_was_claimed_anew_is_not_settled_by_who_had_it(engine: Engine) -> None:
    row = sending(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET claimed_at = '2026-01-01T00:00:00.000Z'")

    with pytest.raises(SendTakenOver):
        settled(engine, row, "SM1")


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_one_message_is_taken_once_by_replicas_that_settle_at_the_same_time(engine: Engine) -> None:
    rows = [sending(engine) for _ in range(8)]
    listed = [f"SM{number}" for number in range(5)]

    with ThreadPoolExecutor(5) as pool:
        direct = pool.submit(recorded, engine, rows[0], "SM0")
        found = list(pool.map(lambda row: settled(engine, row, *listed), rows[1:]))

    taken = [sid for sid in found if sid is not None] + (["SM0"] if direct.result() else [])
    assert sorted(taken) == listed


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_who_records_its_message_while_it_is_being_taken_waits_and_is_told(engine: Engine) -> None:
    first, second = sending(engine), sending(engine)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection, engine.connect() as watching:
            send_matching.settle(connection, first, same_words("SM1"), timestamp(0), ())
            recording = pool.submit(recorded, engine, second, "SM1")
            wait_until(lambda: watching.exec_driver_sql(waiting).scalar() == 1, what="the other replica to come by")
        assert recording.result() is False
