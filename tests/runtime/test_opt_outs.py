"""The lists of people who want no more proactive messages, as the store keeps them: what puts people on them, what they
hold back, and what is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from runtime.content.opting import opting_of
from runtime.content.parts import ButtonReply, Content, Part, Quoted, Text
from runtime.price_list import prices_of_messages
from runtime.store import timers
from runtime.store.errors import OptedOut
from runtime.store.messages import outbox, postponed_sends
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.opt_outs import list_opt_outs
from runtime.store.messages.outbound_content import OutboundContent, OutboundTemplate, OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.send_matching import mark_sent
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Turn
from runtime.turns.opting_out import optings_of
from schemas import Policy
from schemas.default_tariffs import DEFAULT
from tests.runtime.stores import migrated_store

BOT = "whatsapp:+15550001"
_NUMBERS = count(1)
PROMO = OutboundTemplate("HX" + "1" * 32, "Hoy 2x1 en cazuelas.")
PRICES = prices_of_messages(DEFAULT, "bot", "CL")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with migrated_store(request.param, tmp_path_factory.mktemp("store")) as engine:
        yield engine


class Shop:
    """A bot and its user, over one store that it shares with others."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.bot = f"bot-{next(_NUMBERS)}"
        self.user = f"whatsapp:+569{next(_NUMBERS):08}"
        self.number = 0

    @property
    def sid(self) -> str:
        """Of the newest message."""
        return f"SM-{self.bot}-{self.number}"

    def hears(self, part: Part | str, quoted: str | None = None) -> int:
        """A message of the user; gives its conversation."""
        self.number += 1
        content = Content((Text(part) if isinstance(part, str) else part,), Quoted(quoted, "") if quoted else None)
        message = InboundMessage(
            "AC1", self.sid, self.bot, self.user, self.user, content, "{}",
            opting=opting_of(content), opted_by="button" if isinstance(part, ButtonReply) else "word",
        )  # fmt: skip
        with self.store.begin() as connection:
            taken = store_message(connection, message)
        assert taken is not None
        return taken.conversation_id

    def sends(self, content: OutboundContent, category: Any = "marketing") -> OutboxRow:
        """A proactive message, which Twilio accepts. Raises OptedOut."""
        message = OutboundMessage(
            "AC1", BOT, self.user, content, "rest", claimed=True, bot_id=self.bot, template_category=category
        )
        self.number += 1
        with self.store.begin() as connection:
            row, _ = outbox.add_proactive(connection, message)
            mark_sent(connection, row.id, self.sid, "queued", None)
        return row

    def is_refused(self, content: OutboundContent, category: Any = "marketing") -> bool:
        """Whether such a message is held back; nothing is left of one that is not."""
        try:
            with self.store.connect() as connection:
                message = OutboundMessage(
                    "AC1", BOT, self.user, content, "rest", claimed=True, bot_id=self.bot, template_category=category
                )
                outbox.add_proactive(connection, message)
        except OptedOut:
            return True
        return False

    def listed(self) -> list[tuple[str, str]]:
        with self.store.connect() as connection:
            return [(record.list, record.by) for record in list_opt_outs(connection, clients=[self.bot])]

    def turn(self, conversation_id: int) -> Turn:
        with self.store.begin() as connection:
            turn = begin_turn(connection, conversation_id, 10, 0, None, 1_000)
        assert isinstance(turn, Turn)
        return turn

    def fails(self, row: OutboxRow, code: str) -> None:
        """Twilio reports that a message was not delivered."""
        with self.store.begin() as connection:
            postponed_sends.record_callback(
                connection, account_sid="AC1", message_sid=self.sid, sender=BOT, recipient=self.user,
                status="undelivered", code=code, row_id=row.id, prices=PRICES,
            )  # fmt: skip


@pytest.fixture
def shop(store: Engine) -> Shop:
    return Shop(store)


def test_words_hold_back_marketing_and_free_text_and_leave_what_serves_the_person(shop: Shop) -> None:
    shop.hears("Stop. Gracias")

    assert shop.listed() == [("marketing", "word")]
    assert shop.is_refused(OutboundText("Hola, ¿te ayudo?"))
    assert shop.is_refused(PROMO)
    assert shop.is_refused(PROMO, "template")
    assert not shop.is_refused(PROMO, "utility")
    assert not shop.is_refused(PROMO, "authentication")


def test_start_brings_back(shop: Shop) -> None:
    shop.hears("BAJA")
    shop.hears("¡Alta!")

    assert shop.listed() == []
    assert not shop.is_refused(PROMO)


def test_whatsapp_s_own_button_holds_back_marketing(shop: Shop) -> None:
    shop.hears(ButtonReply("Detener promociones", "STOP"))
    assert shop.listed() == [("marketing", "button")]


CASES = {
    "after a promotion": (PROMO, "marketing", False),
    "after a promotion that asked": (OutboundTemplate("HX" + "2" * 32, "¿Quieres 2x1?"), "marketing", True),
    "after one with buttons": (OutboundTemplate("HX" + "3" * 32, "Hoy 2x1.", {}, ("Ver",)), "marketing", True),
    "after a reminder": (OutboundTemplate("HX" + "4" * 32, "Te esperamos mañana."), "utility", True),
    "after free text": (OutboundText("Hoy 2x1."), "marketing", True),
    "after nothing": (None, "marketing", True),
}


@pytest.mark.parametrize("word", ["CANCELAR", "Salir", "parar, gracias"])
@pytest.mark.parametrize("case", CASES)
def test_a_booking_s_word_opts_out_only_after_a_promotion_that_asked_nothing(shop: Shop, word: str, case: str) -> None:
    content, category, is_booking = CASES[case]
    if content is not None:
        shop.sends(content, category)

    conversation = shop.hears(word)

    assert shop.listed() == ([] if is_booking else [("marketing", "word")])
    (opting,) = optings_of(shop.turn(conversation), Policy())
    assert opting == ((None, False) if is_booking else ("out", True))


def test_of_two_such_words_only_the_first_one_comes_first(shop: Shop) -> None:
    shop.sends(PROMO)
    shop.hears("¿Hasta cuándo?")
    shop.hears("cancelar")
    assert shop.listed() == []


def test_such_a_word_that_replies_to_another_message_is_about_that_one(shop: Shop) -> None:
    shop.sends(PROMO)
    shop.hears("cancelar", quoted="SM_other")
    assert shop.listed() == []


def test_such_a_button_is_a_booking_s(shop: Shop) -> None:
    shop.sends(PROMO)
    shop.hears(ButtonReply("Cancelar", "cancelar"))
    assert shop.listed() == []


@pytest.mark.parametrize(
    ("content", "category", "code", "listed"),
    [
        (PROMO, "marketing", "63014", [("marketing", "63014")]),
        (PROMO, "template", "63014", [("marketing", "63014")]),
        (PROMO, "utility", "63014", [("all", "63014")]),
        (OutboundText("Hola"), "service", "63014", [("all", "63014")]),
        (PROMO, "marketing", "21610", [("all", "21610")]),
        (PROMO, "marketing", "63049", []),
        (PROMO, "marketing", "63016", []),
    ],
)
def test_a_refusal_puts_on_the_list_that_it_speaks_of(
    shop: Shop, content: OutboundContent, category: str, code: str, listed: list[tuple[str, str]]
) -> None:
    shop.fails(shop.sends(content, category), code)

    assert shop.listed() == listed
    assert shop.is_refused(PROMO, "utility") is (listed == [("all", code)])


def test_a_refusal_at_once_counts_like_one_that_is_reported_later(shop: Shop) -> None:
    message = OutboundMessage("AC1", BOT, shop.user, OutboundText("Hola"), "rest", claimed=True, bot_id=shop.bot)
    with shop.store.begin() as connection:
        row, _ = outbox.add_proactive(connection, message)
        outbox.mark_failed(connection, row, "refused", "21610")

    assert shop.listed() == [("all", "21610")]


def test_who_wants_nothing_is_not_brought_to_less_by_a_word_and_is_confirmed_then(shop: Shop) -> None:
    shop.fails(shop.sends(OutboundText("Hola")), "63014")

    turn = shop.turn(shop.hears("BAJA"))

    assert shop.listed() == [("all", "word")]
    assert [one.is_new for one in optings_of(turn, Policy())] == [True]


def test_a_second_word_changes_nothing_and_needs_no_confirmation(shop: Shop) -> None:
    shop.hears("BAJA")
    turn = shop.turn(shop.hears("STOP"))
    assert [tuple(one) for one in optings_of(turn, Policy())] == [("out", True), ("out", False)]
    # So too where both came within a millisecond.
    first, second = turn.messages
    at_once = replace(turn, messages=[first, second._replace(received_at=first.received_at)])
    assert [tuple(one) for one in optings_of(at_once, Policy())] == [("out", True), ("out", False)]


def test_a_proactive_message_that_waits_to_be_sent_again_is_not_sent_to_who_opts_out_meanwhile(shop: Shop) -> None:
    row = shop.sends(OutboundText("Hola"))
    shop.fails(row, "63012")
    shop.hears("BAJA")

    with shop.store.begin() as connection:
        connection.exec_driver_sql("UPDATE timers SET due_at = '2026-01-01T00:00:00.000000Z'")
        (timer,) = timers.claim(connection, [postponed_sends.KIND], "test", 9, may_take_over=True)
        released = postponed_sends.release(connection, timer)

    assert (released.proactive, released.expired) == (None, 1)
