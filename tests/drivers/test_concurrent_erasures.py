"""What happens at the same time as an erasure, on PostgreSQL: what comes second waits, and nothing is left of what
came first. Each of two transactions is held open until the other one waits for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from runtime.content.parts import Content, Text
from runtime.store.audit import Actor
from runtime.store.database.engine import open_engine
from runtime.store.errors import NoConversation
from runtime.store.files import Receiving
from runtime.store.messages import erasure, handoffs, jobs, operators, outbox, reply_files, turns
from runtime.store.messages.erasure import ErasedConversation
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Ending, Turn, TurnTakenOver
from tests.runtime.stores import drop_database, make_database
from tests.sandbox_process import wait_until

pytestmark = pytest.mark.postgres

P = ParamSpec("P")
T = TypeVar("T")

SENDER = "whatsapp:+56912345678"
ME = Actor("test", "cli")


@pytest.fixture
def database_url() -> Iterator[str]:
    url = make_database()
    yield url
    drop_database(url)


@dataclass(frozen=True, slots=True)
class Concurrent:
    """Transactions that wait for one that has not ended."""

    engine: Engine
    pool: ThreadPoolExecutor
    watching: "psycopg.Connection[tuple[object, ...]]"

    def waiting(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins it, and returns once it waits for a lock; fails where it ends without."""
        before = self._count()
        future = self.pool.submit(operation, *args, **kwargs)
        wait_until(lambda: self._count() > before or future.done(), what="a transaction that waits for this one")
        assert not future.done(), future
        return future

    def _count(self) -> int:
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return len(self.watching.execute(waiting).fetchall())


@pytest.fixture
def concurrent(database_url: str) -> Iterator[Concurrent]:
    engine = open_engine(database_url)
    with ThreadPoolExecutor(2) as pool, psycopg.connect(database_url, autocommit=True) as watching:
        yield Concurrent(engine, pool, watching)
    engine.dispose()


def message(sid: str) -> InboundMessage:
    """A person's, to one bot."""
    return InboundMessage("AC1", sid, "bot", SENDER, SENDER, Content((Text(sid),)), "{}")


def forget(engine: Engine) -> ErasedConversation:
    """Erases the person of `message` in a transaction."""
    with engine.begin() as connection:
        return erasure.forget(connection, SENDER, ME)


def begun(connection: Connection, conversation_id: int) -> Turn:
    turn = begin_turn(connection, conversation_id, 10, 0, None, 9)
    assert isinstance(turn, Turn)
    return turn


def test_an_erasure_finds_what_is_being_stored_when_it_comes(database_url: str, concurrent: Concurrent) -> None:
    engine = concurrent.engine
    with engine.begin() as connection:
        jobs.store_message(connection, message("SM1"))
    with engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM2"))
        assert taken is not None
        erased = concurrent.waiting(forget, engine)
    assert [one.messages for one in erased.result().conversations] == [2]
    with psycopg.connect(database_url) as other:
        assert other.execute("SELECT state, body FROM inbox").fetchall() == [("dropped", "")] * 2


def test_an_erasure_finds_the_turn_that_is_being_begun_when_it_comes(concurrent: Concurrent) -> None:
    engine = concurrent.engine
    with engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM1"))
        assert taken is not None
    with engine.begin() as connection:
        turn = begun(connection, taken.conversation_id)
        erased = concurrent.waiting(forget, engine)
    assert [one.deleted for one in erased.result().conversations] == [1]
    with pytest.raises(TurnTakenOver), engine.begin() as connection:
        turns.end_turn(connection, turn, Ending("answered"))


def test_what_comes_during_an_erasure_is_of_another_conversation(concurrent: Concurrent) -> None:
    engine = concurrent.engine
    with engine.begin() as connection:
        first = jobs.store_message(connection, message("SM1"))
        assert first is not None

    def store() -> StoredMessage | None:
        with engine.begin() as connection:
            return jobs.store_message(connection, message("SM2"))

    def begin() -> object:
        with engine.begin() as connection:
            return begin_turn(connection, first.conversation_id, 10, 0, None, 9)

    with engine.begin() as connection:
        erasure.forget(connection, SENDER, ME)
        stored, begun_of_the_first = concurrent.waiting(store), concurrent.waiting(begin)
    second = stored.result()
    assert begun_of_the_first.result() is None
    assert second is not None
    assert second.conversation_id != first.conversation_id
    with engine.begin() as connection:
        assert [one.message_sid for one in begun(connection, second.conversation_id).messages] == ["SM2"]


def test_a_turn_ends_though_an_erasure_of_its_conversation_has_begun(database_url: str, concurrent: Concurrent) -> None:
    """The end of a turn locks the conversation and then the turn: what deletes both does so in the same order."""
    engine = concurrent.engine
    with engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM1"))
        assert taken is not None
        turn = begun(connection, taken.conversation_id)
    with engine.begin() as connection:
        handoffs.has_person(connection, taken.conversation_id)  # its lock is that of the end
        erased = concurrent.waiting(forget, engine)
        turns.end_turn(connection, turn, Ending("answered"))
    assert [one.deleted for one in erased.result().conversations] == [1]
    with psycopg.connect(database_url) as other:
        assert other.execute("SELECT count(*) FROM turns").fetchall() == [(0,)]


def note(connection: Connection, conversation_id: int) -> object:
    return operators.add_note(connection, conversation_id, ME, "Llamar a Ana.")


def reply(connection: Connection, conversation_id: int) -> object:
    return operators.reply(connection, conversation_id, ME, outbound(conversation_id), ("{}", 1), None)


def take(connection: Connection, conversation_id: int) -> object:
    return operators.take(connection, conversation_id, ME, None)


def keep_file(connection: Connection, conversation_id: int) -> None:
    reply_files.finish(connection, Receiving("0" * 64), conversation_id)


@pytest.mark.parametrize("act", [note, reply, take, keep_file])
def test_what_a_person_does_during_an_erasure_finds_no_conversation(
    concurrent: Concurrent, act: Callable[[Connection, int], object]
) -> None:
    with concurrent.engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM1"))
        assert taken is not None

    def do() -> object:
        with concurrent.engine.begin() as other:
            return act(other, taken.conversation_id)

    with concurrent.engine.begin() as connection:
        erasure.forget(connection, SENDER, ME)
        done = concurrent.waiting(do)
    with pytest.raises(NoConversation):
        done.result()


def outbound(conversation_id: int | None = None) -> OutboundMessage:
    return OutboundMessage(
        account_sid="AC1",
        sender="whatsapp:+15550000001",
        recipient=SENDER,
        content=OutboundText("Hola, Ana."),
        channel="rest",
        claimed=False,
        bot_id="bot",
        conversation_id=conversation_id,
    )


def test_a_proactive_message_during_an_erasure_is_of_another_conversation(concurrent: Concurrent) -> None:
    with concurrent.engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM1"))
        assert taken is not None

    def send() -> OutboxRow:
        with concurrent.engine.begin() as other:
            return outbox.add_proactive(other, outbound())[0]

    with concurrent.engine.begin() as connection:
        erasure.forget(connection, SENDER, ME)
        sent = concurrent.waiting(send)
    assert sent.result().conversation_id not in (None, taken.conversation_id)
