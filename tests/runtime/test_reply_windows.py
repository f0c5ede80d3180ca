"""The webhooks that are held open for their answers: who gets one, who lets one end, and how many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.content.parts import Content, Text
from runtime.delivery.reply_window import ReplyWindow, ReplyWindows
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.inbox import StoredMessage
from runtime.store.messages.turns import Turn, WaitingMessage

CONVERSATION = 7
SOON = 5.0


def turn_of(*inbox_ids: int, turn_id: int = 1) -> Turn:
    """A turn that answers these messages."""
    content = Content((Text("Hola"),))
    messages = [
        WaitingMessage(inbox_id, "AC1", f"SM{inbox_id}", "whatsapp:+569", "", content, "{}") for inbox_id in inbox_ids
    ]
    return Turn(
        id=turn_id,
        conversation=Conversation(
            CONVERSATION, "bot", "whatsapp:+569", None, None, "assistant", None, None, None, None
        ),
        starts=1,
        started_at="",
        messages=messages,
        history=(),
        progress=None,
        catalog_version=1,
    )


class Request:
    """A webhook that waits for its answer."""

    def __init__(self, windows: ReplyWindows, inbox_id: int, conversation_id: int = CONVERSATION) -> None:
        self.is_connected = True
        self.window: ReplyWindow | None = None
        self._taken = StoredMessage(inbox_id, conversation_id)
        self._is_open = asyncio.Event()
        self.task = asyncio.create_task(self._wait(windows))

    async def opened(self) -> Request:
        await self._is_open.wait()
        return self

    async def _wait(self, windows: ReplyWindows) -> str | None:
        with windows.opened(self._taken, lambda: self.is_connected) as self.window:
            self._is_open.set()
            if self.window is None:
                return "no window"
            try:
                return await self.window.wait(SOON)
            finally:
                self.window.written(self.is_connected)


@asynccontextmanager
async def requests(windows: ReplyWindows, *inbox_ids: int) -> AsyncIterator[list[Request]]:
    """Webhooks of one conversation that wait; those that still wait at the end are cancelled."""
    waiting = [await Request(windows, inbox_id).opened() for inbox_id in inbox_ids]
    yield waiting
    for request in waiting:
        request.task.cancel()
    await asyncio.gather(*(request.task for request in waiting), return_exceptions=True)


async def test_the_newest_message_s_webhook_gets_the_answer_and_the_others_of_the_turn_end() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1, 2, 3) as (first, second, later):
        assert windows.claim(turn_of(1, 2))

        window = windows.claimed_by(1)
        assert window is second.window is not None
        assert await window.hand_over("Hola") is True
        assert (await first.task, await second.task) == (None, "Hola")
        assert (later.task.done(), windows.conversations) == (False, {CONVERSATION})


async def test_a_webhook_that_hung_up_is_passed_over() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1, 2) as (first, second):
        second.is_connected = False

        assert windows.claim(turn_of(1, 2))
        assert windows.claimed_by(1) is first.window
        assert await second.task is None


async def test_without_a_webhook_that_can_take_it_there_is_nothing_to_claim() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1) as (only,):
        only.is_connected = False

        assert not windows.claim(turn_of(1))
        assert not windows.claim(turn_of(2))
        assert (await only.task, windows.claimed_by(1)) == (None, None)


async def test_a_claim_holds_for_one_sending() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1):
        windows.claim(turn_of(1))

        assert windows.claimed_by(1) is not None
        assert windows.claimed_by(1) is None


async def test_what_releases_a_conversation_leaves_a_claimed_webhook_to_its_answer() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1, 2) as (claimed, waiting):
        other = await Request(windows, 3, conversation_id=8).opened()
        windows.claim(turn_of(1))

        windows.release(CONVERSATION)

        assert (await waiting.task, windows.conversations) == (None, {8})
        windows.release_all()
        assert await other.task is None
        window = windows.claimed_by(1)
        assert window is not None
        assert (claimed.task.done(), await window.hand_over("Hola"), await claimed.task) == (False, True, "Hola")


async def test_a_turn_that_could_not_be_recorded_lets_its_webhooks_end_also_the_claimed_one() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1, 2) as (first, second):
        windows.claim(turn_of(1, 2))

        windows.release_of(turn_of(1, 2))

        assert (await first.task, await second.task, windows.claimed_by(1)) == (None, None, None)


async def test_beyond_the_limit_a_webhook_does_not_wait_until_another_one_has_ended() -> None:
    windows = ReplyWindows(limit=2)
    async with requests(windows, 1, 2) as (first, second):
        windows.claim(turn_of(2))
        assert await Request(windows, 3).task == "no window"

        first.task.cancel()
        await asyncio.gather(first.task, return_exceptions=True)

        async with requests(windows, 4) as (fourth,):
            assert (fourth.window is not None, second.task.done()) == (True, False)


async def test_a_webhook_that_is_cancelled_waits_for_nothing_any_more() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1) as (only,):
        only.task.cancel()
        await asyncio.gather(only.task, return_exceptions=True)

        assert (windows.claim(turn_of(1)), set(windows.conversations)) == (False, set())


async def test_a_process_that_stops_holds_no_further_webhook_open_and_answers_those_that_are() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1) as (only,):
        windows.close()

        assert await Request(windows, 2).task == "no window"
        assert (windows.claim(turn_of(1)), only.task.done()) == (True, False)


async def test_when_its_time_is_up_a_webhook_ends_unless_an_answer_has_claimed_it() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1, 2) as (claimed, waiting):
        windows.claim(turn_of(1))
        assert claimed.window is not None
        assert waiting.window is not None
        again = asyncio.create_task(claimed.window.wait(0))

        assert (await waiting.window.wait(0), waiting.window.claim()) == (None, False)
        assert await ReplyWindow(lambda: True).wait(0) is None
        assert (await claimed.window.hand_over("Hola"), await again) == (True, "Hola")


async def test_an_answer_for_a_webhook_that_was_cancelled_meanwhile_is_known_to_be_unwritten() -> None:
    windows = ReplyWindows()
    async with requests(windows, 1) as (only,):
        windows.claim(turn_of(1))
        only.is_connected = False
        only.task.cancel()
        await asyncio.gather(only.task, return_exceptions=True)

        window = windows.claimed_by(1)
        assert window is not None
        assert await window.hand_over("Hola") is False
