"""Conversations at the model's provider: sessions of agents and threads of assistants, found and deleted, never read.

A conversation stores one id. There may be more: a session whose deletion failed when another one replaced it, and one
that a turn was creating while its user was erased. Those carry the conversation's mark.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
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
"""How long a session may take to become idle after its turn was cancelled."""
MAKING_SECONDS = 1.0
"""Interval at which a session that may still be created is searched for."""


class ProviderSessions:
    """Deletes conversations at the provider. Raises ProviderError only."""

    def __init__(self, client: AsyncOpenAI, timeout: float) -> None:
        """`timeout` is the time limit of a call that creates a session, in seconds."""
        self._client = client
        self._sessions = client.beta.agents.sessions
        self._timeout = timeout

    @staticmethod
    def is_thread(memory_id: str) -> bool:
        """Whether an id is one of OpenAI's for a thread; other servers have ids of their own."""
        return memory_id.startswith(THREAD_PREFIX)

    async def delete(self, memory_id: str) -> bool:
        """Deletes a session or a thread; False when the provider has none of that id."""
        async with _told():
            if not self.is_thread(memory_id) and await self._delete_session(memory_id):
                return True
            return await delete_thread(self._client, memory_id)

    async def sessions_of(
        self, hashes: Collection[str], cut_off: Sequence[tuple[int, str]], until: datetime | None = None
    ) -> list[str]:
        """Sessions with the mark of a conversation, whose user was known to the provider under these hashes.

        `cut_off` are turns that were running, with their engine's notes: one may be creating a session, which is waited
        for. `until`: only those that were created until then.
        """
        async with _told():
            # These first, at once: later, a session may be one that the user began after having been forgotten.
            found = [session_id for user_hash in sorted(hashes) for session_id in await self._marked(user_hash, until)]
            made = [await self._being_made(turn_id, at, hashes) for turn_id, at in _making(cut_off)]
        return list(dict.fromkeys([*found, *(session_id for session_id in made if session_id is not None)]))

    async def _marked(self, user_hash: str, until: datetime | None) -> list[str]:
        """Sessions with a conversation's mark; none at a server without the Agents API."""
        mark = {"conversation": user_hash}
        try:
            # A server that does not filter must not lose sessions of other conversations.
            return [
                session.id
                async for session in self._sessions.list(metadata=mark, limit=100)
                if mark.items() <= session.metadata.items()
                and (until is None or session.created_at <= until.timestamp())
            ]
        except NotFoundError:
            return []

    async def _being_made(self, turn_id: int, at: float, hashes: Collection[str]) -> str | None:
        """The session that a turn requested; waited for until that call has timed out.

        The plain list is read: one that is filtered by metadata lags behind.
        """
        now = time.time()
        at = min(at, now)  # a clock that was set back must not make this wait as long
        give_up = time.monotonic() + at + self._timeout + MAKING_SECONDS - now
        while True:
            is_last = time.monotonic() > give_up
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
                    # A running turn submitted input to it after it had become idle.
                    if time.monotonic() > give_up:
                        raise
                else:
                    return True
        except NotFoundError:
            return False

    async def _quiet(self, session_id: str, give_up: float) -> None:
        """Cancels a session's turn: a busy session cannot be deleted."""
        for polls in count():
            session = await self._sessions.retrieve(session_id)
            if session.status not in BUSY:
                return
            if time.monotonic() > give_up:
                raise TemporaryError("The session is still busy.")
            await cancel(self._sessions, session_id)
            await asyncio.sleep(POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)])


def _making(cut_off: Sequence[tuple[int, str]]) -> list[tuple[int, float]]:
    """Turns that requested a session and received no answer, each with its timestamp."""
    return [
        (turn_id, float(note["at"]))
        for turn_id, progress in cut_off
        for note in json.loads(progress)
        if note.get("type") == "said" and note.get("session") is None
    ]


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Translates the SDK's errors into `runtime.errors`."""
    try:
        yield
    except APIError as error:
        raise from_openai(error, None) from error
