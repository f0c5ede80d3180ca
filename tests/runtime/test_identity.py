"""Who a person is: by number, by WhatsApp's id, or by both; and where answers to them go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from sqlalchemy import Engine

from runtime.content.parts import Content, Text
from runtime.store.errors import NumberNeeded
from runtime.store.messages import outbox
from runtime.store.messages.conversations import reply_address
from runtime.store.messages.inbox import InboundMessage, StoredMessage, store_message
from runtime.store.messages.outbound_content import OutboundTemplate
from runtime.store.messages.outbox import OutboundMessage
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Turn
from runtime.store.usage.ledger import MessageCategory
from tests.runtime.stores import migrated_store
from tests.runtime_process import Line
from tests.sandbox_process import wait_until

PHONE, OTHER_PHONE = "whatsapp:+56912345678", "whatsapp:+56987654321"
ID, OTHER_ID = "whatsapp:CL.1A2B3C", "whatsapp:CL.9Z8Y7X"
_BOTS, _SIDS = count(1), count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with migrated_store(request.param, tmp_path_factory.mktemp("store")) as engine:
        yield engine


class Shop:
    """A bot, over one store that it shares with others."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.bot = f"bot-{next(_BOTS)}"

    def hears(self, sender: str, user_id: str | None = None) -> StoredMessage:
        """A message from an address, with WhatsApp's id where Twilio gives one."""
        content = Content((Text("Hola"),))
        message = InboundMessage("AC1", f"SM{next(_SIDS)}", self.bot, sender, user_id or sender, content, "{}")
        with self.store.begin() as connection:
            stored = store_message(connection, message)
        assert stored is not None
        return stored

    def answers_to(self, stored: StoredMessage) -> str:
        """Where the answer to a conversation's newest message goes."""
        with self.store.begin() as connection:
            turn = begin_turn(connection, stored.conversation_id, 10, 0, None, 1_000)
        assert isinstance(turn, Turn)
        return reply_address(turn.messages[-1].sender, turn.conversation.phone)

    def sends(self, to: str, category: MessageCategory = "utility") -> str:
        """Where a template goes."""
        content = OutboundTemplate(f"HX{'1' * 32}", "Tu clave es 1234.")
        message = OutboundMessage(
            "AC1", "whatsapp:+15550001", to, content, "rest", claimed=True, bot_id=self.bot, template_category=category
        )
        with self.store.begin() as connection:
            return outbox.add_proactive(connection, message)[0].recipient


@pytest.fixture
def shop(store: Engine) -> Shop:
    return Shop(store)


def test_a_number_an_id_and_both_are_one_person(shop: Shop) -> None:
    first = shop.hears(PHONE)
    both = shop.hears(PHONE, ID)
    hidden = shop.hears(ID, ID)
    without = shop.hears(PHONE)

    assert len({each.conversation_id for each in (first, both, hidden, without)}) == 1


def test_while_the_number_is_known_answers_go_there_although_it_is_hidden_now(shop: Shop) -> None:
    shop.hears(PHONE, ID)
    assert shop.answers_to(shop.hears(ID, ID)) == PHONE
    assert shop.sends(ID) == PHONE


def test_who_never_showed_a_number_is_answered_by_id(shop: Shop) -> None:
    assert shop.answers_to(shop.hears(ID, ID)) == ID
    assert shop.sends(ID) == ID


def test_an_address_is_answered_as_it_was_written(shop: Shop) -> None:
    shop.hears("whatsapp:+5215512345678", ID)
    assert shop.answers_to(shop.hears("whatsapp:+525512345678", ID)) == "whatsapp:+525512345678"


def test_another_number_of_the_same_id_is_noted_and_answered(shop: Shop) -> None:
    first = shop.hears(PHONE, ID)
    changed = shop.hears(OTHER_PHONE, ID)

    assert (first.has_new_number, changed.has_new_number) == (False, True)
    assert changed.conversation_id == first.conversation_id
    assert shop.answers_to(shop.hears(ID, ID)) == OTHER_PHONE
    assert not shop.hears(OTHER_PHONE, ID).has_new_number


def test_the_same_number_with_another_id_is_another_person_and_no_longer_the_former_s(shop: Shop) -> None:
    former = shop.hears(PHONE, ID)
    owner = shop.hears(PHONE, OTHER_ID)

    assert owner.conversation_id != former.conversation_id
    assert not owner.has_new_number
    assert shop.hears(PHONE).conversation_id == owner.conversation_id
    back = shop.hears(ID, ID)
    assert back.conversation_id == former.conversation_id
    assert shop.answers_to(back) == ID
    assert shop.answers_to(shop.hears(OTHER_ID, OTHER_ID)) == PHONE


def test_a_template_that_needs_a_number_says_so(shop: Shop) -> None:
    shop.hears(ID, ID)
    for address in (ID, OTHER_ID):
        with pytest.raises(NumberNeeded, match=r"of CL\.[A-Z0-9]+ none is known; nothing was sent"):
            shop.sends(address, "authentication")
    assert shop.sends(PHONE, "authentication") == PHONE
    shop.hears(PHONE, ID)
    assert shop.sends(ID, "authentication") == PHONE


def test_a_hidden_number_is_answered_over_twilio_by_id_and_by_number_once_it_was_shown(
    line: Callable[..., Line],
) -> None:
    shop = line()
    hidden = {"origin": "CL.5T6U7V", "external_user_id": "CL.5T6U7V"}

    assert "uno" in shop.ask("uno", **hidden)
    assert "dos" in shop.ask("dos", "+56911110031", external_user_id="CL.5T6U7V")
    shop.write("tres", wait=0, **hidden)

    wait_until(lambda: len(shop.outbound("+56911110031")) == 2, what="the answer to the number")
    assert [entry["body"].count("uno") for entry in shop.outbound("CL.5T6U7V")] == [1]
