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

from runtime.price_list import prices_of_messages
from runtime.store.database.times import timestamp
from runtime.store.messages import outbox, send_matching
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendTakenOver
from runtime.store.messages.send_matching import ListedMessage
from schemas.default_tariffs import DEFAULT
from tests.drivers.fleet import USER, Fleet, fleet_on
from tests.runtime.stores import migrated_store
from tests.runtime_process import Answer, Line
from tests.sandbox_process import Sandbox, wait_until

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
WITH_EFFECT = SEND | {"kind": "timeout_after_write", "seconds": 0.1}
WITHOUT_EFFECT = SEND | {"kind": "drop_connection", "seconds": 0.1}
WORDS = "Gracias"
PRICES = prices_of_messages(DEFAULT, "bot", "CL")
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
    deaf.heard(shop)
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
        fleet.heard(shop)
        sandbox.faults(
            WITH_EFFECT | {"nth": 1, "seconds": 20}, SEND | {"kind": "timeout_before_write", "nth": 2, "seconds": 20}
        )
        with said_twice(fleet, shop):
            wait_until(lambda: sandbox.fired() == 2, what="both attempts")
            fleet.kill()

        fleet.start_again()

        unsettled = "SELECT count(*) FROM outbox WHERE state = 'sending'"
        wait_until(lambda: fleet.rows(unsettled) == [(0,)], what="both outcomes")
        (sid,) = sids(shop)
        assert sorted(fleet.rows(ROWS), key=str) == [("failed", None), ("sent", sid)]


def test_what_went_out_is_found_behind_many_messages_that_followed(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("sqlite", tmp_path, sandbox, PUBLIC_URL=NOWHERE) as fleet:
        shop = fleet.open_line()
        fleet.heard(shop)
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

        wait_until(lambda: fleet.rows(ROWS)[0][0] == "sent", what="the outcome")
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
        fleet.heard(shop)
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
    with migrated_store(request.param, tmp_path) as engine:
        yield engine


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
        found = send_matching.settle(connection, row, same_words(*listed), timestamp(0), (), PRICES)
    return None if found is None else found[0]


def recorded(engine: Engine, row: OutboxRow, sid: str | None) -> bool:
    """Whether a row is recorded as sent."""
    with engine.begin() as connection:
        return send_matching.mark_sent(connection, row.id, sid, "queued", PRICES) is not None


def called_back(engine: Engine, row: OutboxRow, sid: str, *, names_row: bool = True) -> bool:
    """A status callback about a row's message comes; that of a webhook's response names no row."""
    with engine.begin() as connection:
        return outbox.record_status(
            connection,
            account_sid=row.account_sid,
            message_sid=sid,
            sender=row.sender,
            recipient=row.recipient,
            status="queued",
            error=None,
            row_id=row.id if names_row else None,
            prices=PRICES,
        )


def replying(engine: Engine, words: str) -> OutboxRow:
    """An answer under way in a webhook's response."""
    message = OutboundMessage(
        "AC1", "whatsapp:+15550000001", f"whatsapp:{USER}", OutboundText(words), "twiml", claimed=True
    )
    with engine.begin() as connection:
        return outbox.add_to_outbox(connection, message)


def found_of(engine: Engine, row: OutboxRow, **listed: str) -> str | None:
    """Which of the replies that Twilio lists, with their words, is a row's."""
    messages = [ListedMessage(sid, "queued", words, 0, is_reply=True) for sid, words in listed.items()]
    with engine.begin() as connection:
        known = send_matching.replies(connection, row, timestamp(0))
        found = send_matching.settle(connection, row, messages, timestamp(0), known, PRICES)
    return None if found is None else found.message_sid


def sids_of(engine: Engine) -> list[str | None]:
    with engine.begin() as connection:
        return [sid for _, sid in connection.exec_driver_sql(ROWS)]


def test_lost_callbacks_of_one_answer_do_not_hide_the_next(engine: Engine) -> None:
    first, second = replying(engine, "uno"), replying(engine, "dos")
    recorded(engine, first, None)  # and its callbacks are lost, so those of the second go to its row
    called_back(engine, second, "SM2", names_row=False)
    assert sids_of(engine) == ["SM2", None]

    assert found_of(engine, second, SM1="uno", SM2="dos") == "SM2"
    assert sids_of(engine) == [None, "SM2"]


def test_a_callback_of_another_answer_does_not_make_one_sent(engine: Engine) -> None:
    first, second = replying(engine, "uno"), replying(engine, "dos")
    recorded(engine, first, None)
    called_back(engine, first, "SM0", names_row=False)  # of an answer before it, whose row has another's id
    called_back(engine, first, "SM1", names_row=False)
    assert sids_of(engine) == ["SM0", "SM1"]

    assert found_of(engine, second, SM0="cero", SM1="uno") is None
    assert found_of(engine, second, SM0="cero", SM1="uno", SM2="dos") == "SM2"


def test_an_answer_that_is_attributed_elsewhere_is_not_taken_for_one_of_the_same_words(engine: Engine) -> None:
    rows = [replying(engine, words) for words in ("uno", WORDS, "tres", WORDS)]
    for row in rows[:3]:
        recorded(engine, row, None)
    called_back(engine, rows[1], "SM2", names_row=False)
    called_back(engine, rows[2], "SM3", names_row=False)
    assert sids_of(engine) == ["SM2", "SM3", None, None]

    listed = {"SM1": "uno", "SM2": WORDS, "SM3": "tres"}
    assert found_of(engine, rows[3], **listed) is None
    assert found_of(engine, rows[3], **listed, SM4=WORDS) == "SM4"


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
        known = send_matching.replies(connection, first, timestamp(0))
        assert set(known) == {second.id}
        assert send_matching.settle(connection, first, same_words("SM1"), timestamp(0), known, PRICES) is None


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
            send_matching.settle(connection, first, same_words("SM1"), timestamp(0), (), PRICES)
            recording = pool.submit(recorded, engine, second, "SM1")
            wait_until(lambda: watching.exec_driver_sql(waiting).scalar() == 1, what="the other replica to come by")
        assert recording.result() is False
