"""The outbox: who may send a row, what a failure takes along, whose a status callback is. On a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from runtime.content.parts import Content, Text
from runtime.price_list import prices_of_messages
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.messages import inbox, outbox
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.outbound_content import OutboundMedia, OutboundTemplate, OutboundText
from runtime.store.messages.outbox import (
    OutboundMessage,
    OutboxRow,
    RecordedStatus,
    SendPostponed,
    SendTakenOver,
    add_to_outbox,
)
from runtime.store.usage.ledger import Line
from schemas.default_tariffs import DEFAULT

BOT, USER = "whatsapp:+15550001", "whatsapp:+56912345678"
NOW = "2026-11-28T12:00:00.000Z"
PRICES = prices_of_messages(DEFAULT, "bot", "CL")
OUT = Line(PRICES.message_out, 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('outbox') / 'store.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The time that is written down; the first of the list."""
    times = [NOW]
    monkeypatch.setattr(outbox, "timestamp", lambda: times[0])
    return times


def message(**more: Any) -> OutboundMessage:
    values: dict[str, Any] = {"account_sid": "AC1", "sender": BOT, "recipient": USER, "content": OutboundText("Hola")}
    return OutboundMessage(**{**values, "channel": "rest", "claimed": False, **more})


def columns(store: Connection, row_id: int, names: str) -> tuple[Any, ...]:
    return tuple(store.exec_driver_sql(f"SELECT {names} FROM outbox WHERE id = {row_id}").one())


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        OutboundText("Hola"),
        OutboundMedia("https://x.cl/menu.pdf", "La carta"),
        OutboundTemplate("HX1", "Te esperamos el martes", {"1": "martes"}),
    ],
)
def test_what_is_added_is_what_is_found_unsent(store, content, claimed):
    new = message(content=content, claimed=claimed, part=2, bot_id="bot", conversation_id=7)

    row = add_to_outbox(store, new, turn_id=9)

    state, claimed_at = ("sending", NOW) if claimed else ("ready", None)
    expected = OutboxRow(row.id, 9, 7, "bot", 2, "AC1", BOT, USER, content, "rest", state, claimed_at)
    assert row == expected
    assert outbox.unsent_of(store, 7) == [expected]
    assert columns(store, row.id, "body, created_at, message_sid, status") == (content.readable, NOW, None, None)


def test_a_claim_is_good_for_the_row_as_it_was_seen(store, clock):
    row = add_to_outbox(store, message(channel="twiml", conversation_id=7), turn_id=1)

    clock[0] = "2026-11-28T12:00:01.000Z"
    held = outbox.claim(store, row, "rest")

    assert (held.state, held.channel, held.claimed_at) == ("sending", "rest", clock[0])
    assert outbox.unsent_of(store, 7) == [held]
    with pytest.raises(SendTakenOver, match=f"^Message {row.id} was taken over by another replica"):
        outbox.claim(store, row, "rest")
    assert outbox.unsent_of(store, 7) == [held]


def test_who_holds_a_row_may_claim_it_again(store, clock):
    row = add_to_outbox(store, message(claimed=True))

    clock[0] = "2026-11-28T12:00:05.000Z"
    again = outbox.claim(store, row, "rest")

    assert again.claimed_at == clock[0]
    with pytest.raises(SendTakenOver):
        outbox.claim(store, row, "rest")


def test_a_settled_row_is_not_claimed(store):
    row = add_to_outbox(store, message())
    outbox.mark_failed(store, row, "63016")

    with pytest.raises(SendTakenOver):
        outbox.claim(store, row, "rest")


def test_a_failed_part_takes_those_after_it_along_and_no_others(store):
    first, second, third, fourth = (
        add_to_outbox(store, message(part=part, claimed=part == 0, conversation_id=7), turn_id=1) for part in range(4)
    )
    other = add_to_outbox(store, message(part=3, conversation_id=7), turn_id=2)
    outbox.claim(store, third, "rest")

    assert outbox.mark_failed(store, second, "63016: outside the window") == 2

    found = {
        row.id: columns(store, row.id, "state, error, settled_at") for row in (first, second, third, fourth, other)
    }
    assert found == {
        first.id: ("sending", None, None),
        second.id: ("failed", "63016: outside the window", NOW),
        third.id: ("sending", None, None),
        fourth.id: ("failed", "The part before this one could not be sent.", NOW),
        other.id: ("ready", None, None),
    }
    assert outbox.mark_failed(store, second, "again") == 0


def test_a_proactive_message_that_fails_takes_no_other_along(store):
    row, other = add_to_outbox(store, message()), add_to_outbox(store, message(part=1))

    assert outbox.mark_failed(store, row, "63016: outside the window", code="63016") == 1
    assert columns(store, row.id, "error, error_code") == ("63016: outside the window", "63016")
    assert columns(store, other.id, "state") == ("ready",)


def test_a_row_counts_the_processes_that_resumed_it_and_did_not_hand_it_back(store):
    row, other = (add_to_outbox(store, message(claimed=True, conversation_id=7), turn_id=1) for _ in range(2))

    outbox.mark_resumed(store, row.id)
    outbox.mark_resumed(store, row.id)
    outbox.release(store, row.id)

    assert [found.resumed for found in outbox.unsent_of(store, 7)] == [1, 0]
    assert other.resumed == 0


def test_unsent_answers_come_in_their_order_by_conversation(store, clock):
    rows = [add_to_outbox(store, message(conversation_id=number), turn_id=1) for number in (8, 7, 8)]
    proactive = add_to_outbox(store, message(conversation_id=8))
    gone = add_to_outbox(store, message(conversation_id=6), turn_id=1)
    outbox.mark_failed(store, gone, "x")

    assert [row.id for row in outbox.unsent_of(store, 8)] == [rows[0].id, rows[2].id]
    assert outbox.unsent_conversations(store) == [8, 7]
    assert outbox.unsent_proactive(store, NOW) == []
    later = "2026-11-28T12:00:00.001Z"
    assert [row.id for row in outbox.unsent_proactive(store, later)] == [proactive.id]
    clock[0] = "2026-11-28T13:00:00.000Z"
    outbox.claim(store, proactive, "rest")
    assert outbox.unsent_proactive(store, later) == []
    clock[0] = "2026-11-28T12:30:00.000Z"  # set back: the claim is from a time that is still to come
    assert [row.id for row in outbox.unsent_proactive(store, later)] == [proactive.id]


def test_of_a_postponed_answer_the_next_part_waits(store):
    row = add_to_outbox(store, message(conversation_id=7), turn_id=1)
    store.exec_driver_sql(f"UPDATE outbox SET state = 'postponed' WHERE id = {row.id}")

    with pytest.raises(SendPostponed, match=f"^Message {row.id} waits until the part before it is sent again"):
        outbox.claim(store, row, "rest")


def test_a_template_is_refused_for_twiml():
    with pytest.raises(ValueError, match="send it over REST"):
        message(channel="twiml", content=OutboundTemplate("HX1", "Hola"))


def write(store: Connection, sid: str, sender: str, words: str = "Hola", user_key: str | None = None) -> int:
    """A message of a user to the bot; returns their conversation."""
    received = InboundMessage("AC1", sid, "bot", sender, user_key or sender, Content((Text(words),)), "{}")
    stored = inbox.store_message(store, received)
    assert stored is not None
    return stored.conversation_id


def proactive(recipient: str, bot_id: str | None = "bot") -> OutboundMessage:
    return message(recipient=recipient, bot_id=bot_id, claimed=True)


def test_a_message_to_a_stranger_begins_their_conversation_with_the_bot_and_one_without_a_bot_none(store):
    first, last_inbound = outbox.add_proactive(store, proactive(USER))
    second, _ = outbox.add_proactive(store, proactive(USER))
    nobodys = outbox.add_proactive(store, proactive(USER, bot_id=None))

    assert (first.recipient, last_inbound) == (USER, None)
    assert first.conversation_id == second.conversation_id == write(store, "SM1", USER)
    assert (nobodys[0].conversation_id, nobodys[0].bot_id, nobodys[1]) == (None, None, None)


def test_a_message_to_a_user_is_in_the_conversation_in_which_they_wrote_last(store):
    conversation = write(store, "SM1", USER)

    row, last_inbound = outbox.add_proactive(store, proactive(USER))

    assert (row.conversation_id, row.recipient, row.content) == (conversation, USER, OutboundText("Hola"))
    (received_at,) = store.exec_driver_sql("SELECT received_at FROM inbox").one()
    assert last_inbound == received_at
    other, _ = outbox.add_proactive(store, replace(proactive(USER), bot_id="another"))
    assert other.conversation_id != conversation


def test_a_user_id_is_written_to_at_the_number_that_it_last_wrote_from(store):
    conversation = write(store, "SM1", USER, user_key="CL.1A2B3C")

    row, _ = outbox.add_proactive(store, proactive("CL.1A2B3C"))
    unknown, _ = outbox.add_proactive(store, proactive("CL.9Z"))
    never, _ = outbox.add_proactive(store, proactive("CL.9Z"))

    assert (row.conversation_id, row.recipient) == (conversation, USER)
    assert (unknown.recipient, never.recipient, never.conversation_id) == ("CL.9Z", "CL.9Z", unknown.conversation_id)


def test_a_number_is_written_to_as_it_was_given(store):
    write(store, "SM1", "whatsapp:+5491123456789")

    row, _ = outbox.add_proactive(store, proactive("whatsapp:+541123456789"))

    assert row.recipient == "whatsapp:+541123456789"


def record(
    store: Connection, status: str, sid: str = "SM1", row_id: int | None = None, **more: Any
) -> RecordedStatus | None:
    parties = {"account_sid": "AC1", "sender": BOT, "recipient": USER, "error": None, **more}
    return outbox.record_status(store, message_sid=sid, status=status, row_id=row_id, prices=PRICES, **parties)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["queued", "sent", "delivered", "read"], "read"),
        (["read", "delivered"], "read"),
        (["delivered", "sent"], "delivered"),
        (["sent", "sending"], "sent"),
        (["sending", "queued"], "sending"),
        (["queued", "accepted"], "queued"),
        (["accepted", "scheduled"], "scheduled"),
        (["sent", "something new"], "sent"),
        (["accepted", "something new"], "accepted"),
        (["something new", "accepted"], "accepted"),
        (["something new"], "something new"),
        (["sent", "failed"], "failed"),
        (["delivered", "undelivered"], "delivered"),
        (["read", "failed"], "read"),
        (["failed", "delivered"], "delivered"),
        (["failed", "sent"], "failed"),
        (["failed", "failed"], "failed"),
        (["undelivered", "failed"], "undelivered"),
        (["canceled", "sent"], "canceled"),
    ],
)
def test_callbacks_come_in_any_order_and_a_message_never_goes_back(store, told, kept):
    row = add_to_outbox(store, message(claimed=True))

    assert outbox.status_of(store, row.id) is None
    assert all(record(store, status, row_id=row.id) for status in told)
    assert outbox.status_of(store, row.id) == kept


@given(st.lists(st.sampled_from([*outbox.STATUS_RANK, "something new"]), min_size=1))
def test_in_whichever_order_and_however_often_statuses_come_the_furthest_one_counts(told):
    def after(statuses):
        return reduce(outbox.latest_status, statuses, None)

    def rank(status):
        return outbox.STATUS_RANK.get(status, 0)

    assert rank(after(told)) == max(map(rank, told))
    assert after([*told, after(told)]) == after(told)
    assert {rank(after(order)) for order in (told, told[::-1], sorted(told))} == {rank(after(told))}


@pytest.mark.parametrize(
    "stranger",
    [{"account_sid": "AC2"}, {"sender": USER}, {"recipient": BOT}],
)
def test_a_callback_counts_for_its_own_account_and_people_only(store, stranger):
    row = add_to_outbox(store, message(claimed=True))
    twiml = add_to_outbox(store, message(claimed=True, channel="twiml"))

    assert not record(store, "sent", row_id=row.id, **stranger)
    assert not record(store, "sent", **stranger)
    assert [columns(store, each.id, "status, message_sid") for each in (row, twiml)] == [(None, None)] * 2


def test_a_callback_tells_which_row_it_was_about_and_its_status_before(store):
    row = add_to_outbox(store, message(claimed=True))

    assert record(store, "queued", row_id=row.id) == RecordedStatus(row.id, None, [])
    assert record(store, "sent", row_id=row.id) == RecordedStatus(row.id, "queued", [OUT])


@pytest.mark.parametrize("channel", ["rest", "twiml"])
def test_a_callback_may_spell_the_number_in_the_other_way(store, channel):
    row = add_to_outbox(store, message(claimed=True, channel=channel, recipient="whatsapp:+541123456789"))
    named = row.id if channel == "rest" else None

    assert record(store, "sent", row_id=named, recipient="whatsapp:+5491123456789") == RecordedStatus(
        row.id, None, [OUT]
    )


def test_a_callback_is_for_the_row_with_its_sid_before_the_row_that_it_names(store):
    first, second = (add_to_outbox(store, message(claimed=True)) for _ in range(2))
    record(store, "queued", "SM1", first.id)

    assert record(store, "delivered", "SM1", second.id)

    assert columns(store, first.id, "status, message_sid") == ("delivered", "SM1")
    assert columns(store, second.id, "status, message_sid") == (None, None)


def test_a_callback_without_a_row_brings_the_oldest_answer_in_a_webhook_its_sid(store):
    unsent = add_to_outbox(store, message(channel="twiml"))
    rest = add_to_outbox(store, message(claimed=True))
    oldest, newer = (add_to_outbox(store, message(claimed=True, channel="twiml")) for _ in range(2))

    assert record(store, "sent", "SM7")
    assert record(store, "delivered", "SM7")
    assert record(store, "sent", "SM8")
    assert not record(store, "sent", "SM9")

    found = [columns(store, row.id, "message_sid, status") for row in (unsent, rest, oldest, newer)]
    assert found == [(None, None), (None, None), ("SM7", "delivered"), ("SM8", "sent")]


def test_a_callback_that_names_a_row_takes_no_answer_in_a_webhook(store):
    twiml = add_to_outbox(store, message(claimed=True, channel="twiml"))

    assert not record(store, "sent", "SM1", row_id=twiml.id + 1_000)
    assert columns(store, twiml.id, "message_sid") == (None,)


def test_the_error_that_was_told_stays(store):
    row = add_to_outbox(store, message(claimed=True))

    record(store, "undelivered", row_id=row.id, error="63016")
    record(store, "undelivered", row_id=row.id)

    assert columns(store, row.id, "error") == ("63016",)
    record(store, "undelivered", row_id=row.id, error="63024")
    assert columns(store, row.id, "error") == ("63024",)
