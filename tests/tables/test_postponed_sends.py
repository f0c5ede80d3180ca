"""Which undelivered messages are sent again: the reason, the number of attempts, the age, the window. On SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from runtime.price_list import prices_of_messages
from runtime.store import timers
from runtime.store.database.times import timestamp
from runtime.store.messages import outbox, postponed_sends, restored
from runtime.store.messages.outbound_content import OutboundContent, OutboundTemplate, OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendPostponed, add_to_outbox
from runtime.store.messages.postponed_sends import ReleasedSends, StatusNote
from runtime.store.timers import Timer, TimerTakenOver
from schemas.default_tariffs import DEFAULT
from tests.runtime.stores import migrated_store

BOT, USER = "whatsapp:+15550001", "whatsapp:+56912345678"
PRICES = prices_of_messages(DEFAULT, "bot", "CL")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Connection]:
    with migrated_store("sqlite", tmp_path) as engine, engine.begin() as connection:
        yield connection


def sent(store: Connection, **more: Any) -> OutboxRow:
    """A message that Twilio has accepted."""
    values: dict[str, Any] = {"account_sid": "AC1", "sender": BOT, "recipient": USER, "content": OutboundText("Hola")}
    turn_id = more.pop("turn_id", None)
    row = add_to_outbox(store, OutboundMessage(**{**values, "channel": "rest", "claimed": True, **more}), turn_id)
    store.exec_driver_sql(f"UPDATE outbox SET state = 'sent', message_sid = 'SM{row.id}' WHERE id = {row.id}")
    return row


def called_back(store: Connection, row_id: int, status: str = "failed", code: str = "63018") -> StatusNote:
    return postponed_sends.record_callback(
        store,
        account_sid="AC1",
        message_sid=f"SM{row_id}",
        sender=BOT,
        recipient=USER,
        status=status,
        code=code,
        row_id=row_id,
        prices=PRICES,
    )


def rows(store: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.exec_driver_sql("SELECT part, attempt, state, error_code FROM outbox")]


def timer(store: Connection) -> Timer:
    """The one timer, claimed as if it were due."""
    store.exec_driver_sql("UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z'")
    (claimed,) = timers.claim(store, [postponed_sends.KIND], "me", 8, may_take_over=True)
    return claimed


OFFER = OutboundTemplate("HX1", "¿Confirmas?", {"1": "¿Confirmas?", "2": "Sí"}, ("Sí",))


def test_buttons_that_whatsapp_refuses_wait_as_words_for_nothing(store: Connection) -> None:
    row = sent(store, content=OFFER)
    assert called_back(store, row.id, "undelivered", "63021").failure == "sent again"
    stored = store.exec_driver_sql("SELECT state, body, content FROM outbox ORDER BY id").all()
    assert [tuple(one) for one in stored][1] == ("postponed", "¿Confirmas?\n- Sí", None)
    (due,) = store.exec_driver_sql("SELECT due_at FROM timers").one()
    assert due <= timestamp()


@pytest.mark.parametrize(
    ("content", "code"),
    [(OutboundTemplate("HX1", "Hola", {}), "63021"), (OutboundText("Hola"), "63021"), (OFFER, "63024")],
    ids=["an approved template", "words", "buttons to nobody"],
)
def test_nothing_else_is_sent_in_words(store: Connection, content: OutboundContent, code: str) -> None:
    row = sent(store, content=content)
    assert called_back(store, row.id, "undelivered", code).failure == "for good"


def release(store: Connection) -> ReleasedSends:
    return postponed_sends.release(store, timer(store))


def aged(store: Connection, **age: float) -> None:
    moment = timestamp((datetime.now(UTC) - timedelta(**age)).timestamp())
    store.exec_driver_sql(f"UPDATE outbox SET created_at = '{moment}'")


def heard(store: Connection, conversation_id: int, **age: float) -> None:
    """The user last wrote that long ago."""
    moment = timestamp((datetime.now(UTC) - timedelta(**age)).timestamp())
    store.exec_driver_sql(
        "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
        " received_at)"
        f" VALUES ('AC1', 'SM', 'b', {conversation_id}, '{USER}', '', '{{}}', 'answered', '{moment}')"
    )


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        ("failed", "63018", "sent again"),
        ("undelivered", "30001", "sent again"),
        ("undelivered", "63016", "for good"),
        ("failed", "", "for good"),
        ("canceled", "63018", None),
        ("delivered", "", None),
        ("queued", "63018", None),
    ],
)
def test_the_status_and_the_code_decide(store, status, code, failure):
    row = sent(store)

    first, again = called_back(store, row.id, status, code), called_back(store, row.id, status, code)

    assert (first.is_ours, first.failure) == (True, failure)
    assert again == StatusNote(True, None, [])


def test_a_message_that_was_delivered_is_not_sent_again(store):
    row = sent(store)
    called_back(store, row.id, "delivered", "")

    assert called_back(store, row.id).failure is None
    assert rows(store) == [(0, 1, "sent", None)]


def test_a_message_of_somebody_else_is_nobody_s_failure(store):
    assert called_back(store, 7) == StatusNote(False, None)


def test_a_message_is_sent_five_times_at_most(store):
    row_id, failures = sent(store).id, []
    for _ in range(5):
        failures.append(called_back(store, row_id).failure)
        if failures[-1] == "sent again":
            row = release(store).proactive
            assert row is not None
            row_id = row.id
            store.exec_driver_sql(f"UPDATE outbox SET state = 'sent', message_sid = 'SM{row_id}' WHERE id = {row_id}")

    assert failures == [*["sent again"] * 4, "for good"]
    assert rows(store) == [*((0, attempt, "replaced", None) for attempt in range(1, 5)), (0, 5, "sent", "63018")]


def test_a_failure_that_is_reported_after_an_hour_is_for_good(store):
    row = sent(store)
    aged(store, minutes=61)

    assert called_back(store, row.id).failure == "for good"


def test_an_attempt_that_would_come_after_the_window_is_not_made(store):
    row = sent(store, conversation_id=7, bot_id="b", turn_id=1)
    heard(store, 7, hours=24, minutes=1)
    called_back(store, row.id)

    assert release(store) == ReleasedSends(expired=1, bot_id="b", code="63018")
    assert rows(store) == [(0, 1, "replaced", None), (0, 2, "failed", "63018")]


def test_a_template_needs_no_window(store):
    row = sent(store, conversation_id=7, bot_id="b", content=OutboundTemplate("HX1", "Hola"))
    heard(store, 7, hours=30)
    called_back(store, row.id)

    assert release(store).proactive is not None


def test_parts_that_fail_together_are_released_together_and_come_in_their_order(store):
    parts = [sent(store, conversation_id=7, bot_id="b", turn_id=1, part=part) for part in range(2)]
    ready = add_to_outbox(
        store,
        OutboundMessage("AC1", BOT, USER, OutboundText("Hola"), "rest", False, part=2, bot_id="b", conversation_id=7),
        turn_id=1,
    )
    other = sent(store, conversation_id=7, bot_id="b", turn_id=2)
    heard(store, 7, minutes=1)
    for row in reversed(parts):
        called_back(store, row.id)
    with pytest.raises(SendPostponed):
        outbox.claim(store, ready, "rest")

    assert release(store).conversation_id == 7

    unsent = outbox.unsent_of(store, 7)
    assert [(row.part, row.state) for row in unsent] == [(0, "ready"), (1, "ready"), (2, "ready")]
    assert other.id not in [row.id for row in unsent]


def test_what_is_put_again_while_it_is_released_stays_postponed(store):
    row = sent(store, conversation_id=7, bot_id="b", turn_id=1)
    called_back(store, row.id)
    claimed = timer(store)
    later = sent(store, conversation_id=7, bot_id="b", turn_id=1, part=1)
    called_back(store, later.id)

    with pytest.raises(TimerTakenOver):
        postponed_sends.release(store, claimed)


def test_a_person_who_was_erased_meanwhile_gets_nothing(store):
    row = sent(store)
    called_back(store, row.id)
    store.exec_driver_sql("DELETE FROM outbox")

    assert release(store) == ReleasedSends()


def test_a_restored_backup_looks_up_what_was_postponed_before_it_is_sent(store):
    row = sent(store, conversation_id=7, bot_id="b", turn_id=1)
    called_back(store, row.id)
    claimed = timer(store)

    assert restored.oldest_unsent(store) is not None
    restored.settle(store, ())

    (unsent,) = outbox.unsent_of(store, 7)
    assert (unsent.state, unsent.claimed_at) == ("sending", restored.oldest_unsent(store))
    assert postponed_sends.release(store, claimed) == ReleasedSends()
