"""What the provider of a model remembers of conversations: sessions of agents and threads of assistants, found and
deleted, never read.

A conversation notes one id. There may be more: a session whose deletion failed when another one replaced it, and one
that a turn was making while its conversation was forgotten. Those carry the conversation's mark.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from itertools import count

from openai import APIError, AsyncOpenAI, ConflictError, NotFoundError

from runtime.engines.agent_turns import POLL_SECONDS, cancel
from runtime.engines.agents import CLOCK_SKEW_SECONDS
from runtime.engines.assistants import delete_thread
from runtime.engines.errors import from_openai
from runtime.errors import TemporaryError

THREAD_PREFIX = "thread_"
BUSY = frozenset({"in_progress", "requires_action"})
QUIET_SECONDS = 20.0
"""How long a session may take to come to rest after it was told to."""
MAKING_SECONDS = 1.0
"""How often is looked for a session that may still be made."""


class ProviderMemory:
    """Deletes conversations at the provider. What it raises is a ProviderError."""

    def __init__(self, client: AsyncOpenAI, timeout: float) -> None:
        """`timeout` is how long in seconds a call that makes a session may be under way."""
        self._client = client
        self._sessions = client.beta.agents.sessions
        self._timeout = timeout

    @staticmethod
    def is_thread(memory_id: str) -> bool:
        """Whether an id is one that OpenAI gave a thread; other servers have ids of their own."""
        return memory_id.startswith(THREAD_PREFIX)

    async def delete(self, memory_id: str) -> bool:
        """Deletes a session or a thread; False when the provider has none of that id."""
        async with _told():
            if not self.is_thread(memory_id) and await self._delete_session(memory_id):
                return True
            return await delete_thread(self._client, memory_id)

    async def sessions_of(self, hashes: Collection[str], cut_off: Sequence[tuple[int, str]]) -> list[str]:
        """Sessions with the mark of a conversation, whose user was known to the provider under these hashes.

        `cut_off` are turns that were under way, with what their engine had noted: one may be making a session, which is
        waited for.
        """
        async with _told():
            # These first, at once: later, a session may be one that the user began after having been forgotten.
            found = [session_id for user_hash in sorted(hashes) for session_id in await self._marked(user_hash)]
            made = [await self._being_made(turn_id, at, hashes) for turn_id, at in _making(cut_off)]
        return list(dict.fromkeys([*found, *(session_id for session_id in made if session_id is not None)]))

    async def _marked(self, user_hash: str) -> list[str]:
        """Sessions with a conversation's mark; none at a server without the Agents API."""
        mark = {"conversation": user_hash}
        try:
            # A server that does not filter must not lose anybody else's.
            return [
                session.id
                async for session in self._sessions.list(metadata=mark, limit=100)
                if mark.items() <= session.metadata.items()
            ]
        except NotFoundError:
            return []

    async def _being_made(self, turn_id: int, at: float, hashes: Collection[str]) -> str | None:
        """The session that a turn asked for; waited for until the call that asks has timed out.

        The plain list is read: one that is filtered by metadata lags behind.
        """
        while True:
            is_last = time.time() > at + self._timeout + MAKING_SECONDS
            async for session in self._sessions.list(order="desc", limit=100):
                if session.created_at < at - CLOCK_SKEW_SECONDS:
                    break
                marks = session.metadata
                if marks.get("turn") == str(turn_id) and marks.get("conversation") in hashes:
                    return session.id
            if is_last:
                return None
            await asyncio.sleep(MAKING_SECONDS)

    async def _delete_session(self, session_id: str) -> bool:
        give_up = time.monotonic() + QUIET_SECONDS
        try:
            while True:
                await self._quiet(session_id, give_up)
                try:
                    await self._sessions.delete(session_id)
                except ConflictError:
                    # A turn under way said something in it after it had come to rest.
                    if time.monotonic() > give_up:
                        raise
                else:
                    return True
        except NotFoundError:
            return False

    async def _quiet(self, session_id: str, give_up: float) -> None:
        """Ends what a session is doing: one that is busy is not deleted."""
        for polls in count():
            session = await self._sessions.retrieve(session_id)
            if session.status not in BUSY:
                return
            if time.monotonic() > give_up:
                raise TemporaryError("The session is still busy.")
            await cancel(self._sessions, session_id)
            await asyncio.sleep(POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)])


def _making(cut_off: Sequence[tuple[int, str]]) -> list[tuple[int, float]]:
    """Turns that asked for a session and did not hear of it, each with the moment."""
    return [
        (turn_id, float(note["at"]))
        for turn_id, progress in cut_off
        for note in json.loads(progress)
        if note.get("type") == "said" and note.get("session") is None
    ]


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Says in our words what the SDK's errors mean."""
    try:
        yield
    except APIError as error:
        raise from_openai(error, None) from error
