"""Who answers in a conversation: kept with who, why, since and until, changed by one at a time, forgotten with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from runtime.content.parts import Content, Text
from runtime.store.audit import Actor
from runtime.store.messages.conversations import Conversation, set_state
from runtime.store.messages.erasure import forget
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Turn
from tests.runtime.stores import migrated_store

USER = "whatsapp:+56912345678"
UNTIL = "2099-01-01T00:00:00.000Z"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with migrated_store(request.param, tmp_path) as engine:
        yield engine


def written(store: Engine, message_sid: str = "SM1") -> int:
    """A message of the user; gives its conversation."""
    content = Content((Text("Hola"),), profile_name="Ana")
    with store.begin() as connection:
        taken = store_message(connection, InboundMessage("AC1", message_sid, "bot", USER, USER, content, "{}"))
    assert taken is not None
    return taken.conversation_id


def seen(store: Engine, conversation_id: int) -> Conversation:
    """The conversation as a turn sees it that begins now."""
    with store.begin() as connection:
        turn = begin_turn(connection, conversation_id, 10, 0, None, 1_000)
    assert isinstance(turn, Turn)
    return turn.conversation


def take(connection: Connection, conversation_id: int, by: str) -> Conversation | None:
    return set_state(connection, conversation_id, "human", was="assistant", by=by, reason="asked", until=UNTIL)


def test_a_conversation_begins_with_the_assistant(store: Engine) -> None:
    conversation = seen(store, written(store))

    assert conversation == Conversation(
        conversation.id, "bot", USER, "Ana", None, "assistant", None, None, None, None, phone=USER
    )


def test_who_took_it_and_why_and_until_when_is_what_the_next_turn_sees(store: Engine) -> None:
    id_ = written(store)
    before = seen(store, id_)
    with store.begin() as connection:
        taken = take(connection, id_, "ana")

    assert taken is not None
    assert taken.state_since is not None
    assert (
        taken
        == seen(store, id_)
        == before._replace(
            state="human",
            state_since=taken.state_since,
            state_by="ana",
            state_reason="asked",
            state_until=UNTIL,
        )
    )


def test_a_state_that_is_set_leaves_nothing_of_the_one_before(store: Engine) -> None:
    id_ = written(store)
    with store.begin() as connection:
        take(connection, id_, "ana")
        released = set_state(connection, id_, "assistant", was="human", by="timer")

    assert released is not None
    assert (released.state, released.state_by, released.state_reason, released.state_until) == (
        "assistant",
        "timer",
        None,
        None,
    )


def test_of_two_who_take_a_conversation_at_once_one_is_told_that_it_is_taken(store: Engine) -> None:
    id_ = written(store)

    def taken_by(name: str) -> Conversation | None:
        with store.begin() as connection:
            return take(connection, id_, name)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(taken_by, ("ana", "luis")))

    (winner,) = [result for result in results if result is not None]
    assert seen(store, id_).state_by == winner.state_by


def test_a_conversation_that_does_not_exist_cannot_be_taken(store: Engine) -> None:
    with store.begin() as connection:
        assert take(connection, 7, "ana") is None


def test_of_a_forgotten_user_it_is_not_known_who_answered_and_why(store: Engine) -> None:
    id_ = written(store)
    with store.begin() as connection:
        take(connection, id_, "ana")
        forget(connection, USER, Actor("admin", "cli"))

        row = connection.exec_driver_sql(
            "SELECT user_key, profile_name, state, state_since, state_by, state_reason, state_until FROM conversations"
        ).one()

    assert tuple(row) == ("", None, "assistant", None, None, None, None)
    assert written(store, "SM2") != id_
