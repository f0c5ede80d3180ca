"""People in a conversation: nothing of the assistant is claimed after one takes it, one of two has it, what they write
goes out in order and is remembered, and what no person answered is answered when they give it back. Each on both
databases."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from runtime.content.parts import Content, Text
from runtime.memory import remembered
from runtime.store.audit import Actor
from runtime.store.database.times import timestamp
from runtime.store.errors import ConversationTaken, NoConversation, WindowClosed
from runtime.store.messages import handoffs, operators, outbox, postponed_sends, threads
from runtime.store.messages.handoffs import Handoff
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendWithheld
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Ending, Turn, TurnTakenOver, end_turn
from runtime.store.timers import Timer, claim
from tests.runtime.stores import migrated_store, readable

USER = "whatsapp:+56912345678"
BOT = "whatsapp:+15550000001"
HOURS = 4 * 3600.0
ON_POSTGRESQL = pytest.mark.parametrize(
    "store", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True, scope="module"
)
"""Of transactions that write at the same time: SQLite has none."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with migrated_store(request.param, tmp_path_factory.mktemp("store")) as engine:
        yield engine


@pytest.fixture
def chat(store: Engine) -> Iterator[Chat]:
    yield Chat(store)
    with store.begin() as connection:
        for table in ("timers", "outbox", "items", "turns", "inbox", "conversation_aliases", "conversations"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def person(name: str) -> Actor:
    """Who acts over the API."""
    return Actor(name, "api")


class Chat:
    """One conversation, as the runtime and its operators work on it."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.count = 0
        self.id = self.hears("Hola")

    def hears(self, text: str) -> int:
        """The user writes."""
        self.count += 1
        message = InboundMessage("AC1", f"SM{self.count}", "bot", USER, USER, Content((Text(text),)), "{}")
        with self.store.begin() as connection:
            taken = store_message(connection, message)
        assert taken is not None
        return taken.conversation_id

    def begins(self) -> Turn:
        """A turn begins with what waits."""
        with self.store.begin() as connection:
            turn = begin_turn(connection, self.id, 10, 0, None, 1_000)
        assert isinstance(turn, Turn)
        return turn

    def ends(self, turn: Turn, *texts: str, **ending: object) -> list[OutboxRow]:
        """It ends with an answer in these parts, or with another ending."""
        messages = [said(text, self.id, claimed=number == 0, part=number) for number, text in enumerate(texts)]
        values = {"state": "answered" if texts else "unanswered", "outbound": messages} | ending
        with self.store.begin() as connection:
            return end_turn(connection, turn, Ending(**values))

    def replies(self, text: str, by: str = "carla", **how: object) -> OutboxRow:
        """A person writes."""
        item = remembered({"role": "assistant", "content": text})
        with self.store.begin() as connection:
            return operators.reply(connection, self.id, person(by), said(text, self.id, author=by), item, HOURS, **how)

    def takes(self, by: str = "carla", **how: object) -> handoffs.Held:
        """A person takes it."""
        with self.store.begin() as connection:
            return operators.take(connection, self.id, person(by), HOURS, **how)

    def released(self, by: str = "carla") -> int:
        """A person gives it back; the number of turns to answer."""
        with self.store.begin() as connection:
            return operators.release(connection, self.id, person(by))

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """The store's rows."""
        with self.store.begin() as connection:
            return readable(connection.exec_driver_sql(sql))

    def rows_changed(self, sql: str) -> None:
        """Changes the store behind the runtime's back."""
        with self.store.begin() as connection:
            connection.exec_driver_sql(sql)

    def schedules_resume(self) -> None:
        """The timer's time has come."""
        with self.store.begin() as connection:
            handoffs.schedule_resume(connection, self.id, timestamp())

    def resumes(self) -> int | None:
        """The timer is run, in any process; None where the assistant does not have it then."""
        self.rows_changed(f"UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z' WHERE kind = '{handoffs.RESUME}'")
        with self.store.begin() as connection:
            (timer,) = claim(connection, [handoffs.RESUME], "me", 1, may_take_over=True)
            assert isinstance(timer, Timer)
            return operators.resume(connection, timer)

    def unsent(self) -> list[str]:
        """What is to be sent, in its order."""
        with self.store.begin() as connection:
            return [row.content.readable for row in outbox.unsent_of(connection, self.id)]


def said(
    text: str, conversation_id: int, *, claimed: bool = False, part: int = 0, author: str | None = None
) -> OutboundMessage:
    content = OutboundText(text)
    return OutboundMessage("AC1", BOT, USER, content, "rest", claimed, part, "bot", conversation_id, author=author)


def claimed(store: Engine, row: OutboxRow) -> OutboxRow:
    with store.begin() as connection:
        return outbox.claim(connection, row, "rest")


def test_an_answer_that_is_ready_when_a_person_takes_the_conversation_is_not_sent(chat: Chat) -> None:
    turn = chat.begins()
    chat.takes()

    with pytest.raises(TurnTakenOver):
        chat.ends(turn, "Hola, soy el asistente")

    assert chat.rows("SELECT count(*) FROM outbox") == [(0,)]
    again = chat.begins()
    assert (again.conversation.state, again.conversation.state_by, again.starts) == ("human", "carla", 1)
    chat.ends(again, reason="human")
    assert chat.rows("SELECT state FROM inbox") == [("unanswered",)]


@ON_POSTGRESQL
def test_a_turn_that_begins_before_a_take_and_is_stored_after_it_does_not_end_with_an_answer(chat: Chat) -> None:
    with chat.store.connect() as beginning:
        beginning.begin()
        turn = begin_turn(beginning, chat.id, 10, 0, None, 1_000)
        chat.takes()
        beginning.commit()

    assert isinstance(turn, Turn)
    assert turn.conversation.state == "assistant"
    with pytest.raises(TurnTakenOver):
        chat.ends(turn, "Hola")


@ON_POSTGRESQL
def test_an_answer_that_is_stored_while_a_take_is_under_way_waits_for_it_and_is_not_sent(chat: Chat) -> None:
    with ThreadPoolExecutor(1) as pool:
        with chat.store.connect() as taking, chat.store.connect() as beginning:
            taking.begin(), beginning.begin()
            turn = begin_turn(beginning, chat.id, 10, 0, None, 1_000)
            assert isinstance(turn, Turn)
            operators.take(taking, chat.id, person("carla"), HOURS)  # which does not see the turn
            beginning.commit()
            ending = pool.submit(chat.ends, turn, "Hola")
            time.sleep(0.3)
            assert not ending.done()
            taking.commit()
        with pytest.raises(TurnTakenOver):
            ending.result()
    assert chat.rows("SELECT count(*) FROM outbox") == [(0,)]


@ON_POSTGRESQL
def test_a_take_waits_for_an_answer_that_is_being_stored_and_withholds_the_rest_of_it(chat: Chat) -> None:
    turn = chat.begins()
    messages = [said(text, chat.id, claimed=text == "uno", part=part) for part, text in enumerate(("uno", "dos"))]
    with ThreadPoolExecutor(1) as pool, chat.store.connect() as ending:
        ending.begin()
        end_turn(ending, turn, Ending("answered", outbound=messages))
        taking = pool.submit(chat.takes)
        time.sleep(0.3)
        assert not taking.done()
        ending.commit()
        taking.result()
    assert chat.rows("SELECT body, state FROM outbox ORDER BY id") == [("uno", "sending"), ("dos", "withheld")]


def test_parts_that_are_not_sent_yet_are_withheld_and_one_on_its_way_is_not_sent_again(chat: Chat) -> None:
    first, second, third = chat.ends(chat.begins(), "uno", "dos", "tres")
    second = claimed(chat.store, second)
    chat.takes()

    for row in (first, second, third):
        with pytest.raises(SendWithheld):
            claimed(chat.store, row)

    assert chat.rows("SELECT body, state FROM outbox ORDER BY id") == [
        ("uno", "sending"),
        ("dos", "sending"),
        ("tres", "withheld"),
    ]
    with chat.store.begin() as connection:
        outbox.settle_withheld(connection, second.id)
    assert chat.unsent() == ["uno"]
    remembered_ = [str(item) for (item,) in chat.rows("SELECT item FROM items")]
    assert len(remembered_) == 1
    assert "part of your last answer was not sent" in remembered_[0]


def test_an_answer_that_twilio_lost_is_not_sent_again_once_a_person_has_the_conversation(chat: Chat) -> None:
    (row,) = chat.ends(chat.begins(), "uno")
    with chat.store.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET state = 'sent'")
        due = postponed_sends._postpone(
            connection, row.id, row.turn_id, 0, "63018", handoffs.datetime.now(handoffs.UTC)
        )
    assert due
    # A person has it since the callback, and nothing was withheld yet.
    chat.rows_changed("UPDATE conversations SET state = 'human'")
    chat.rows_changed("UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z'")
    with chat.store.begin() as connection:
        (timer,) = claim(connection, [postponed_sends.KIND], "me", 1, may_take_over=True)
        assert postponed_sends.release(connection, timer).conversation_id is None
    assert chat.rows("SELECT state FROM outbox ORDER BY id") == [("replaced",), ("withheld",)]


def test_no_claim_is_committed_after_a_take(chat: Chat) -> None:
    """Takes race with turns that end and parts that are claimed; each claim's time is compared with the take's."""
    late: list[object] = []
    for _ in range(12):
        with chat.store.begin() as connection:
            connection.exec_driver_sql("UPDATE conversations SET state = 'assistant', operator = NULL")
        chat.hears("¿Y?")
        turn = chat.begins()
        start = threading.Barrier(2)

        def answers(turn: Turn = turn, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                rows = chat.ends(turn, "uno", "dos", "tres")
                for row in rows[1:]:
                    time.sleep(0.001)
                    claimed(chat.store, row)
            except (TurnTakenOver, SendWithheld):
                pass

        def takes(start: threading.Barrier = start) -> str:
            start.wait()
            time.sleep(0.002)
            chat.takes()
            return timestamp()

        with ThreadPoolExecutor(2) as pool:
            answering, taking = pool.submit(answers), pool.submit(takes)
            answering.result()
            committed = taking.result()
        late += chat.rows(f"SELECT claimed_at FROM outbox WHERE claimed_at > '{committed}'")
        assert chat.rows("SELECT count(*) FROM outbox WHERE state = 'ready'") == [(0,)]
    assert late == []


def test_of_two_operators_one_has_it_and_the_other_is_told_who(chat: Chat) -> None:
    def taken_by(name: str) -> str:
        try:
            return str(chat.takes(name).operator)
        except ConversationTaken as taken:
            return f"taken by {taken.operator}"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(taken_by, ("ana", "luis")))

    winner = results[0]
    assert results == [winner, f"taken by {winner}"]
    with pytest.raises(ConversationTaken, match=f"{winner} has this conversation"):
        chat.replies("Hola", "otra")
    assert chat.takes("otra", force=True).operator == "otra"


def test_what_people_write_goes_out_in_order_and_is_remembered(chat: Chat) -> None:
    chat.ends(chat.begins(), reason="paused")
    first = chat.replies("Soy Carla")
    chat.replies("¿En qué te ayudo?")

    assert chat.unsent() == ["Soy Carla", "¿En qué te ayudo?"]
    assert claimed(chat.store, first).state == "sending"
    chat.hears("Una reserva")
    turn = chat.begins()
    assert [json.loads(item.item)["content"] for item in turn.history] == ["Soy Carla", "¿En qué te ayudo?"]
    assert (turn.conversation.state, turn.last_answer) == ("human", None)
    assert chat.rows("SELECT operator, state_by FROM conversations") == [("carla", "carla")]


def test_a_reply_that_whatsapp_would_not_deliver_is_refused(chat: Chat) -> None:
    chat.rows_changed("UPDATE inbox SET received_at = '2026-01-01T00:00:00.000Z'")
    with pytest.raises(WindowClosed, match="24 hours"):
        chat.replies("Hola")
    assert chat.rows("SELECT state FROM conversations") == [("assistant",)]


def test_what_nobody_answered_is_answered_in_one_turn_when_it_is_given_back(chat: Chat) -> None:
    chat.ends(chat.begins(), "Hola")
    chat.takes()
    for text in ("¿Hola?", "¿Hay alguien?"):
        chat.hears(text)
        left = [remembered({"role": "user", "content": text})]
        chat.ends(chat.begins(), reason="human", items=left)

    assert chat.released() == 2

    turn = chat.begins()
    assert [message.content.parts[0] for message in turn.messages] == [Text("¿Hola?"), Text("¿Hay alguien?")]
    assert (turn.conversation.state, turn.history, turn.starts) == ("assistant", [], 1)
    chat.ends(turn, "Sí, aquí estoy")
    assert chat.rows("SELECT DISTINCT state FROM inbox") == [("answered",)]


def test_a_whole_answer_that_was_withheld_is_made_again_when_it_is_given_back(chat: Chat) -> None:
    (row,) = chat.ends(chat.begins(), "Hola", items=[remembered({"role": "user", "content": "Hola"})])
    chat.takes()
    with chat.store.begin() as connection:
        outbox.settle_withheld(connection, row.id)  # Twilio does not have it
    assert chat.released() == 1
    assert [message.content.parts[0] for message in chat.begins().messages] == [Text("Hola")]


def test_an_answer_that_may_have_left_is_looked_up_when_it_is_given_back(chat: Chat) -> None:
    (row,) = chat.ends(chat.begins(), "Hola")
    chat.takes()
    assert chat.released() == 0
    assert chat.unsent() == ["Hola"]
    assert claimed(chat.store, row).state == "sending"


def test_a_withheld_answer_is_not_made_again_after_a_person_s(chat: Chat) -> None:
    (row,) = chat.ends(chat.begins(), "Hola")
    chat.replies("Soy Carla")
    assert chat.released() == 0
    with pytest.raises(SendWithheld):
        claimed(chat.store, row)


def test_what_a_person_answered_is_not_answered_again(chat: Chat) -> None:
    chat.takes()
    chat.ends(chat.begins(), reason="human")
    chat.replies("Hola, soy Carla")
    assert chat.released() == 0


def test_messages_of_another_day_are_not_answered_when_it_is_given_back(chat: Chat) -> None:
    chat.takes()
    chat.ends(chat.begins(), reason="human")
    chat.rows_changed("UPDATE inbox SET received_at = '2026-01-01T00:00:00.000Z'")
    assert chat.released() == 0


def test_who_writes_in_a_closed_conversation_opens_it_with_the_assistant(chat: Chat) -> None:
    chat.ends(chat.begins(), "Hola")
    chat.replies("Listo, ¡gracias!")
    with chat.store.begin() as connection:
        operators.close(connection, chat.id, person("carla"))
    assert chat.rows("SELECT state, operator FROM conversations") == [("closed", None)]

    chat.hears("Otra cosa")
    chat.ends(chat.begins(), "Dime")

    assert chat.rows("SELECT state, state_by FROM conversations") == [("assistant", "assistant")]


def test_a_handoff_of_a_turn_is_told_and_timed(chat: Chat) -> None:
    handoff = Handoff("model", "Pide un reembolso.", HOURS, 900.0)
    (tell,) = chat.ends(chat.begins(), "Te paso con Carla", handoff=handoff, reason="handoff")

    assert tell.state == "sending"
    (found,) = chat.rows("SELECT state, state_by, state_reason, state_summary, operator FROM conversations")
    assert found == ("human", "assistant", "model", "Pide un reembolso.", None)
    kinds = chat.rows("SELECT kind, due_at > put_at FROM timers ORDER BY kind")
    assert [(kind, bool(later)) for kind, later in kinds if kind != handoffs.NOTICE] == [
        (handoffs.ESCALATION, True),
        (handoffs.RESUME, True),
    ]
    with chat.store.begin() as connection:
        (listed,) = threads.list_conversations(connection, waiting=True)
    assert (listed.is_waiting, listed.unread, listed.reason) == (True, 1, "model")
    chat.replies("Hola, soy Carla")
    with chat.store.begin() as connection:
        assert threads.list_conversations(connection, waiting=True) == []
    assert handoffs.ESCALATION not in [kind for (kind,) in chat.rows("SELECT kind FROM timers")]


def test_a_conversation_is_read_with_what_functions_did(chat: Chat) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "reservar", "arguments": '{"personas": 4}'}
    output = {"type": "function_call_output", "call_id": "c1", "output": '{"codigo": "R-17"}'}
    chat.ends(chat.begins(), "Listo", items=[(json.dumps(call), 9), (json.dumps(output), 9)])

    with chat.store.begin() as connection:
        thread = threads.thread_of(connection, chat.id)

    assert thread is not None
    assert [(one.name, one.arguments, one.output) for one in thread.calls] == [
        ("reservar", '{"personas": 4}', '{"codigo": "R-17"}')
    ]


def test_the_assistant_resumes_by_a_timer_and_not_while_a_person_writes(chat: Chat) -> None:
    chat.ends(chat.begins(), "Te paso con Carla", handoff=Handoff("asked", None, HOURS, None), reason="handoff")
    chat.hears("¿Hola?")
    chat.ends(chat.begins(), reason="human")
    assert chat.resumes() is None  # it is not time yet

    chat.rows_changed("UPDATE conversations SET state_until = '2026-01-01T00:00:00.000Z'")
    chat.schedules_resume()
    assert chat.resumes() == 1
    assert chat.rows("SELECT state, state_by FROM conversations") == [("assistant", "timer")]


def test_an_unknown_conversation_is_named(chat: Chat) -> None:
    with chat.store.begin() as connection, pytest.raises(NoConversation, match="no conversation 4711"):
        operators.take(connection, 4711, person("carla"), HOURS)
