"""Turns of a session at the Agents API: polled until they end, their function calls answered, their texts read.

They are polled rather than streamed: the stream is live only, a client that loses it has to poll anyway, and one way is
enough.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from openai import APIError, NotFoundError, omit
from openai.resources.beta.agents.sessions.sessions import AsyncSessions
from openai.types.beta import AgentSession, TokenUsage
from openai.types.beta.agent_session import RequiredActionSessionRequiredActionResourceFunctionCall as FunctionCall
from openai.types.beta.agents.sessions.turn import Turn

from runtime.engines.agent_work import Work, added
from runtime.engines.answer_text import text_of
from runtime.engines.errors import from_turn
from runtime.engines.past import note_of_call
from runtime.engines.port import MAX_ROUNDS, Late
from runtime.errors import PermanentError, TemporaryError
from runtime.store.usage.quantities import Usage

POLL_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
USAGE_PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each request for the usage of an ended turn."""
ACTIVE = frozenset({"queued", "in_progress", "waiting"})

log = structlog.get_logger("runtime.engines")


class SessionTurns:
    """The turns of sessions."""

    def __init__(self, sessions: AsyncSessions) -> None:
        self._sessions = sessions

    async def last(self, session: AgentSession) -> Turn | None:
        """The session's newest turn. One that still runs was abandoned by an earlier attempt and is cancelled
        first."""
        newest = await self._sessions.turns.list(session.id, order="desc", limit=1)
        if not newest.data:
            return None
        if newest.data[0].status in ACTIVE:
            await cancel(self._sessions, session.id)
            raise TemporaryError("An earlier turn of this session still runs; it is being cancelled.", delay=1.0)
        return newest.data[0]

    async def after(self, note: Mapping[str, Any], session_id: str) -> Turn | None:
        """The turn that began with the input that a note records."""
        found = await self._sessions.turns.list(session_id, order="asc", limit=1, after=note["after"] or omit)
        return found.data[0] if found.data else None

    async def ended(self, session_id: str, note: Mapping[str, Any], work: Work) -> Turn:
        """Polls a turn until it ends, answering its function calls meanwhile."""
        answered: set[str] = set()
        rounds = polls = 0
        while True:
            turn = await self.after(note, session_id)
            if turn is not None and turn.status not in ACTIVE:
                break
            calls = await self._wanted(session_id, turn) if turn is not None and turn.status == "waiting" else []
            if calls := [call for call in calls if call.call_id not in answered]:
                rounds += 1
                if rounds > MAX_ROUNDS:
                    await cancel(self._sessions, session_id)
                    raise PermanentError(f"The agent still called functions after {MAX_ROUNDS} rounds.")
                await self._answer_calls(session_id, calls, work)
                answered |= {call.call_id for call in calls}
                polls = 0
            elif time.monotonic() > work.deadline:
                raise TemporaryError("The agent's turn did not end in time (MODEL_TIMEOUT_SECONDS).")
            else:
                await asyncio.sleep(POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)])
                polls += 1
        if turn.status != "completed":
            raise from_turn(turn.status, *((turn.error.code, turn.error.message) if turn.error else ()))
        return turn

    async def _wanted(self, session_id: str, turn: Turn) -> list[FunctionCall]:
        """The function calls that a turn waits for."""
        actions = (await self._sessions.retrieve(session_id)).required_actions
        strange = next((action.type for action in actions if not isinstance(action, FunctionCall)), None)
        if strange is not None:
            await cancel(self._sessions, session_id)
            raise PermanentError(f"The agent requires an action that is not supported here: {strange}.")
        return [action for action in actions if isinstance(action, FunctionCall) and action.turn_id == turn.id]

    async def _answer_calls(self, session_id: str, calls: Sequence[FunctionCall], work: Work) -> None:
        """Calls functions, each once regardless of how often the turn is attempted, and submits the results."""
        new = [call for call in calls if call.call_id not in work.called]
        outputs = await asyncio.gather(
            *(work.request.call_function(call.name, _arguments(call), call.call_id) for call in new)
        )
        work.called |= {
            call.call_id: note_of_call(call.call_id, call.name, _arguments(call), output)
            for call, output in zip(new, outputs, strict=True)
        }
        await work.keep()
        results: Any = [
            {
                "type": "agent.session.input.tool_result",
                "turn_id": call.turn_id,
                "call_id": call.call_id,
                "success": True,
                "output": work.called[call.call_id]["output"],
            }
            for call in calls
        ]
        await self._sessions.events.create(session_id, events=results)

    async def late_usage(self, turns: Sequence[Turn]) -> Late:
        """The usage of ended turns, once it is known: mostly within seconds, sometimes never."""
        usage, waiting, lost = Usage(), list(turns), False
        for pause in USAGE_PAUSES:
            await asyncio.sleep(pause)
            asked, waiting = waiting, []
            for turn in asked:
                try:
                    known = await self._usage(turn)
                except NotFoundError:
                    lost = True  # deleted with its session, which was replaced or whose user was erased
                    continue
                if known is None:
                    waiting.append(turn)
                else:
                    usage = added(usage, known)
            if not waiting:
                break
        return Late(usage, is_all=not waiting and not lost)

    async def _usage(self, turn: Turn) -> TokenUsage | None:
        """A turn's usage; None when it is to be requested again."""
        try:
            return (await self._sessions.turns.retrieve(turn.id, session_id=turn.session_id)).usage
        except NotFoundError:
            raise
        except APIError as error:
            log.info("usage_unavailable", session=turn.session_id, error=error.message)
            return None

    async def text(self, turn: Turn, *, may_be_empty: bool = False) -> str:
        """The agent's answer to the user in a turn. Commentary while it works is not for the user."""
        parts = [
            item.output_text
            async for item in self._sessions.turns.items.list(
                turn.id, session_id=turn.session_id, order="asc", limit=100
            )
            if item.type == "message" and item.role == "assistant" and item.phase in (None, "final_answer")
        ]
        said = text_of(parts)
        if not said and not may_be_empty:
            raise PermanentError("The agent answered with no text.")
        return said


async def cancel(sessions: AsyncSessions, session_id: str) -> None:
    """Cancels a session's turn, as soon as the session can."""
    await sessions.events.create(session_id, events=[{"type": "agent.session.input.cancel"}])


def _arguments(call: FunctionCall) -> str:
    """As JSON; this API has them decoded already."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)
