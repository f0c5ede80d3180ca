"""Who has a turn, and how many processes ended with it: laws over any order of begins, ends and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from runtime.content.parts import Content, Text
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.messages import turns
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.turn_start import Suspect, begin_turn, store_and_begin
from runtime.store.messages.turns import Ending, Hold, Turn, TurnTakenOver

MANY = 1_000
STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["begin", "hand back", "end"])), max_size=25)
"""What one of three processes does next."""


@pytest.fixture(scope="module")
def store() -> Iterator[Engine]:
    """An empty store, in which each example has a conversation of its own."""
    engine = open_engine("sqlite:///:memory:")
    migrate(engine)
    yield engine
    engine.dispose()


def another(message_sid: str) -> InboundMessage:
    """A message of the user."""
    return InboundMessage("AC1", message_sid, "bot", "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}")


@contextmanager
def waiting(store: Engine) -> Iterator[tuple[Connection, int]]:
    """One message that waits; gives its conversation. Nothing of it stays."""
    with store.connect() as connection:
        transaction = connection.begin()
        taken = store_message(connection, another("SM1"))
        assert taken is not None
        yield connection, taken.conversation_id
        transaction.rollback()


@given(STEPS)
def test_a_turn_ends_once_and_by_whoever_began_it_last_and_did_not_hand_it_back(
    store: Engine, steps: list[tuple[int, str]]
) -> None:
    with waiting(store) as (connection, conversation_id):
        held: dict[int, Turn] = {}
        holder: int | None = None
        for process, step in steps:
            if step == "begin":
                turn = begin_turn(connection, conversation_id, 10, 0, None, MANY)
                assert isinstance(turn, Turn)
                held[process], holder = turn, process
            elif process in held and step == "hand back":
                turns.release(connection, held.pop(process).hold)
                holder = None if holder == process else holder
            elif process in held:
                ended = _ends(connection, held.pop(process))
                assert ended == (holder == process)
                if ended:
                    assert begin_turn(connection, conversation_id, 10, 0, None, MANY) is None
                    return


def begun(connection: Connection, conversation_id: int, mine: Hold | None = None) -> Turn:
    turn = begin_turn(connection, conversation_id, 10, 0, mine, MANY)
    assert isinstance(turn, Turn)
    return turn


def test_a_process_that_was_silent_begins_no_turn_of_a_conversation_that_another_has(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        silent = begun(connection, conversation_id)
        other = begun(connection, conversation_id)
        with pytest.raises(TurnTakenOver):
            begun(connection, conversation_id, silent.hold)
        assert _ends(connection, other)

        store_message(connection, another("SM2"))
        with pytest.raises(TurnTakenOver):
            begun(connection, conversation_id, silent.hold)
        assert begun(connection, conversation_id).starts == 1


def test_a_process_continues_what_was_handed_back_and_begins_what_follows_an_end_of_its_own(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        first = begun(connection, conversation_id)
        other = begun(connection, conversation_id)
        turns.release(connection, other.hold)
        again = begun(connection, conversation_id, first.hold)
        assert again.id == first.id

        assert _ends(connection, again)  # by a commit whose answer is lost
        store_message(connection, another("SM2"))
        assert begun(connection, conversation_id, again.hold).id > again.id


@given(STEPS)
def test_a_turn_is_suspected_for_each_begin_that_was_not_handed_back(
    store: Engine, steps: list[tuple[int, str]]
) -> None:
    with waiting(store) as (connection, conversation_id):
        held: dict[int, Turn] = {}
        holder: int | None = None
        ends = 0
        for process, step in steps:
            if step == "begin":
                turn = begin_turn(connection, conversation_id, 10, 0, None, MANY)
                assert isinstance(turn, Turn)
                held[process], holder, ends = turn, process, ends + 1
            elif step == "hand back" and process in held:
                turns.release(connection, held.pop(process).hold)
                ends, holder = (ends - 1, None) if holder == process else (ends, holder)
        if ends:
            turn_id = next(iter(connection.exec_driver_sql("SELECT id FROM turns")))[0]
            assert begin_turn(connection, conversation_id, 10, 0, None, ends - 1) == Suspect(turn_id, ends)
        assert isinstance(begin_turn(connection, conversation_id, 10, 0, None, ends), Turn)


def test_going_on_with_a_turn_of_its_own_is_no_new_start(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        first = begin_turn(connection, conversation_id, 10, 0, None, 0)
        assert isinstance(first, Turn)

        again = begin_turn(connection, conversation_id, 10, 0, first.hold, 0)

        assert again == first


@pytest.mark.parametrize("note", [turns.keep_progress, turns.keep_thread])
def test_who_lost_a_turn_can_note_nothing_about_it(
    store: Engine, note: Callable[[Connection, Hold, str], None]
) -> None:
    with waiting(store) as (connection, conversation_id):
        silent = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(silent, Turn)
        note(connection, silent.hold, "[1]")
        other = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(other, Turn)
        note(connection, other.hold, "[1, 2]")

        with pytest.raises(TurnTakenOver):
            note(connection, silent.hold, "[]")

        again = begin_turn(connection, conversation_id, 10, 0, other.hold, MANY)
        assert isinstance(again, Turn)
        assert "[1, 2]" in (again.progress, again.conversation.thread_id)


def test_a_message_of_a_turn_that_has_ended_makes_another_one(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        ended = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(ended, Turn)
        connection.exec_driver_sql("UPDATE turns SET state = 'dead'")

        turn = begin_turn(connection, conversation_id, 10, 0, None, MANY)

        assert isinstance(turn, Turn)
        assert (turn.id != ended.id, turn.starts, len(turn.messages)) == (True, 1, 1)
        assert list(connection.exec_driver_sql("SELECT state FROM turns ORDER BY id")) == [("dead",), ("running",)]


def test_what_an_ended_turn_noted_on_its_way_is_not_kept(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        turn = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(turn, Turn)
        turns.keep_progress(connection, turn.hold, '[{"arguments": "what the user said"}]')

        assert _ends(connection, turn)

        assert list(connection.exec_driver_sql("SELECT progress FROM turns")) == [(None,)]


def _ends(connection: Connection, turn: Turn) -> bool:
    try:
        with connection.begin_nested():  # as a database undoes the writes of an operation that raises
            turns.end_turn(connection, turn, Ending("answered"))
    except TurnTakenOver:
        return False
    return True


def test_a_turn_that_begins_as_its_message_comes_in_is_the_one_that_would_have_begun_next(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        first = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(first, Turn)
        turns.end_turn(connection, first, Ending("answered", items=[("{}", 1)] * 20))

        taken, turn = store_and_begin(connection, another("SM2"), 10)

        assert taken is not None
        assert turn is not None
        assert [message.inbox_id for message in turn.messages] == [taken.inbox_id]
        assert begin_turn(connection, conversation_id, 10, 0, turn.hold, 0) == turn
        assert store_and_begin(connection, another("SM2"), 10) == (None, None)


def test_the_turn_of_a_busy_conversation_is_left_to_what_is_under_way_there(store: Engine) -> None:
    with waiting(store) as (connection, conversation_id):
        first = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(first, Turn)
        turns.end_turn(connection, first, Ending("answered"))

        taken, turn = store_and_begin(connection, another("SM2"), 10, {conversation_id})

        assert (taken is not None, turn) == (True, None)
        begun = begin_turn(connection, conversation_id, 10, 0, None, MANY)
        assert isinstance(begun, Turn)
        assert [message.message_sid for message in begun.messages] == ["SM2"]


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_message_joins_what_waits_before_it(store: Engine, is_begun: bool) -> None:
    with waiting(store) as (connection, conversation_id):
        first = begin_turn(connection, conversation_id, 10, 0, None, MANY) if is_begun else None

        taken, turn = store_and_begin(connection, another("SM2"), 10)

        assert (taken is not None, turn) == (True, None)
        joined = begin_turn(connection, conversation_id, 10, 0, first.hold if isinstance(first, Turn) else None, 0)
        assert isinstance(joined, Turn)
        assert (joined.starts, len(joined.messages)) == (1, 2)
