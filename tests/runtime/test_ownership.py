"""Who owns a turn: what a process has begun and not ended, and what it leaves to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.content.parts import Content, Text
from runtime.store.database.database import Database, open_database
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.turn_start import begin_turn, store_and_begin
from runtime.store.messages.turns import Ending, Turn, end_turn
from runtime.turns.ownership import OwnedTurns


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path}/store.db")
    yield opened
    await opened.close()


@pytest.fixture
def owned(database: Database) -> OwnedTurns:
    return OwnedTurns(database)


async def begun(database: Database, message_sid: str = "SM1") -> Turn:
    """A turn that begins as its message comes in."""
    message = InboundMessage(
        "AC1", message_sid, "bot", "whatsapp:+569", "whatsapp:+569", Content((Text("Hola"),)), "{}"
    )
    _, turn = await database.write(store_and_begin, message, 10)
    assert turn is not None
    return turn


async def begun_again(database: Database, turn: Turn, owned: OwnedTurns) -> Turn:
    again = await database.write(begin_turn, turn.conversation.id, 10, 0, owned.hold_of(turn.conversation.id), 9)
    assert isinstance(again, Turn)
    return again


async def test_a_turn_that_is_owned_goes_on_where_it_was_and_counts_its_failures(
    database: Database, owned: OwnedTurns
) -> None:
    turn = await begun(database)
    owned.adopt(turn)
    assert owned.failed(turn.conversation.id) == 1

    again = await begun_again(database, turn, owned)
    owned.adopt(again)

    assert (again.starts, owned.failed(turn.conversation.id)) == (1, 2)


async def test_a_turn_that_is_dropped_counts_as_begun_by_a_process_that_crashed(
    database: Database, owned: OwnedTurns
) -> None:
    turn = await begun(database)
    owned.adopt(turn)
    owned.failed(turn.conversation.id)
    owned.drop(turn)

    again = await begun_again(database, turn, owned)
    owned.adopt(again)

    assert (again.starts, owned.failed(turn.conversation.id)) == (2, 1)


async def test_a_turn_that_is_handed_back_counts_against_nobody(database: Database, owned: OwnedTurns) -> None:
    turn = await begun(database)
    owned.adopt(turn)

    await owned.release(turn.conversation.id)
    await owned.release(turn.conversation.id)

    assert owned.hold_of(turn.conversation.id) is None
    assert (await begun_again(database, turn, owned)).starts == 1


async def test_the_end_of_a_turn_leaves_the_next_one_that_began_meanwhile(
    database: Database, owned: OwnedTurns
) -> None:
    first = await begun(database)
    owned.adopt(first)
    await database.write(end_turn, first, Ending("answered"))
    second = await begun(database, "SM2")
    owned.adopt(second)

    owned.drop(first)

    assert owned.hold_of(first.conversation.id) == second.hold
