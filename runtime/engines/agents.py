"""The engine `agents`: a live agent at OpenAI's Agents API (a beta), with one session for each conversation.

The session is the provider's memory, and what is said in it stays. So everything is noted before it is said, and a turn
that is attempted again looks whether it was said before it says it again. A session keeps the agent as it was when the
session began: once the agent, or what the bot says otherwise, has changed, the conversation goes on in a new session,
whose first message tells what our own history has of it, and the old one is deleted.

The engine asks how a turn is doing instead of listening to the session's stream. The stream is live only: who loses it
for a moment has to ask anyway, and one way is enough.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from openai import APIError, AsyncOpenAI, NotFoundError, omit
from openai.resources.beta.agents.agents import AsyncAgents
from openai.resources.beta.agents.sessions.sessions import AsyncSessions
from openai.types.beta import Agent, AgentSession
from openai.types.beta.agent_session import RequiredActionSessionRequiredActionResourceFunctionCall as FunctionCall
from openai.types.beta.agents.sessions.turn import Turn

from runtime.engines.errors import from_openai, from_turn
from runtime.engines.port import MAX_ROUNDS, Answer, Request
from runtime.errors import PermanentError, TemporaryError
from runtime.store.turns import Usage

POLL_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
ACTIVE = frozenset({"queued", "in_progress", "waiting"})
LOST = frozenset({"failed", "budget_reached"})
"""Sessions that nothing more is said in; the conversation goes on in another one."""
CLOCK_SKEW_SECONDS = 120
"""How far the provider's clock may be behind ours."""
METADATA_LIMIT = 512
RECAP = "What was said in this conversation before, oldest first. Take it as known; it has been answered already."

log = structlog.get_logger("runtime.engines")


@dataclass(slots=True)
class _Work:
    """One attempt at a turn, and what it knows of the attempts before it.

    Notes of the type `said` tell up to which message something was said, in which session (null: in one that was being
    made) and after which of its turns; those of the type `called` hold the results of functions.
    """

    request: Request
    deadline: float
    said: list[Mapping[str, Any]] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self.said += [note for note in self.request.progress if note.get("type") == "said"]
        self.called |= {
            note["call_id"]: note["output"] for note in self.request.progress if note.get("type") == "called"
        }

    async def keep(self) -> None:
        """Notes what is known, so that the next attempt goes on from here."""
        called = [{"type": "called", "call_id": key, "output": output} for key, output in self.called.items()]
        await self.request.keep_progress([*self.said, *called])


class AgentsEngine:
    """Answers with sessions of the Agents API."""

    def __init__(self, client: AsyncOpenAI, timeout: float) -> None:
        self._timeout = timeout
        self._agents: AsyncAgents = client.beta.agents
        self._sessions: AsyncSessions = client.beta.agents.sessions

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        work = _Work(request, time.monotonic() + self._timeout)
        try:
            return await self._answer(work)
        except APIError as error:
            raise from_openai(error, request.model) from error

    async def _answer(self, work: _Work) -> Answer:
        """Goes on with what was said before; messages that came since then are said after it."""
        request, texts, answered = work.request, list[str](), 0
        while True:
            step = len(texts)
            session = await self._heard(work.said[step], request) if step < len(work.said) else None
            if session is None:
                del work.said[step:]
                session = await self._say(request.messages[answered:], work)
            turn = await self._ended(session.id, work.said[step], work)
            texts.append(await self._text(turn))
            work.usage = _added(work.usage, turn)
            answered = work.said[step]["messages"]
            if answered >= len(request.messages):
                break
        if any(note.get("replaces") for note in work.said):
            await self._clear_away(session.id, request)
        text = "\n\n".join(texts)
        said = [{"role": "user", "content": message} for message in request.messages]
        return Answer(text, [*said, {"role": "assistant", "content": text}], session.agent.model, work.usage)

    async def _heard(self, note: Mapping[str, Any], request: Request) -> AgentSession | None:
        """The session in which something was said already; None when it was not, or came to nothing."""
        making = note["session"] is None
        session = await self._made(note, request) if making else await self._session(note["session"])
        if session is None:
            return None
        turn = await self._turn_after(note, session.id)
        if turn is None:
            return session if making else None
        return session if turn.status not in ("failed", "cancelled") else None

    async def _made(self, note: Mapping[str, Any], request: Request) -> AgentSession | None:
        """A session that an earlier attempt made, or asked for without hearing of it again.

        The plain list is read: one that is filtered by metadata lags behind.
        """
        async for session in self._sessions.list(order="desc", limit=100):
            if session.created_at < note["at"] - CLOCK_SKEW_SECONDS:
                return None
            if _marks(request).items() <= session.metadata.items():
                await request.keep_thread(session.id)
                return session
        return None

    async def _say(self, messages: Sequence[str], work: _Work) -> AgentSession:
        """Says something in the conversation's session, or in a new one where there is none that will do."""
        request = work.request
        agent = await self._agent(request)
        marks = {**_marks(request), "version": _version(agent, request)}
        session = await self._session(request.thread_id) if request.thread_id else None
        if session is None or session.status in LOST or session.metadata.get("version") != marks["version"]:
            return await self._begin(messages, marks, work)
        work.said.append(_note(request, session.id, await self._last_turn(session)))
        await work.keep()
        event: Any = {"type": "agent.session.input.message", "input": [_message(text) for text in messages]}
        await self._sessions.events.create(session.id, events=[event])
        return session

    async def _begin(self, messages: Sequence[str], marks: dict[str, str], work: _Work) -> AgentSession:
        request = work.request
        work.said.append({**_note(request, None, None), "replaces": request.thread_id})
        await work.keep()
        own = {"instructions": request.instructions, "model": request.model}
        overrides: Any = {key: value for key, value in own.items() if value is not None}
        session = await self._sessions.create(
            agent_id=request.assistant_id,
            agent=overrides or omit,
            environment={"type": "none"},
            input=[_message(text) for text in (*_recap(request.history), *messages)],
            metadata=marks,
        )
        await request.keep_thread(session.id)
        return session

    async def _clear_away(self, session_id: str, request: Request) -> None:
        """Deletes the conversation's sessions but this one, which has taken over what they knew: the provider keeps
        them until then. One that cannot be deleted now is found again when this one is replaced."""
        mark = {"conversation": request.user_hash}
        left: str | None = None
        try:
            found = await self._sessions.list(metadata=mark, limit=100)
            # A server that does not filter must not lose anybody else's.
            for session in (one for one in found.data if mark.items() <= one.metadata.items() and one.id != session_id):
                left = session.id
                await self._sessions.delete(session.id)
        except APIError as error:
            # The answer is there; nobody shall wait for it because of this.
            log.warning("replaced session left at the provider", session=left, error=error.message)

    async def _agent(self, request: Request) -> Agent:
        try:
            return await self._agents.retrieve(request.assistant_id)
        except NotFoundError as error:
            raise PermanentError(
                f"The agent {request.assistant_id} does not exist at OpenAI; `reconcile` makes it again where a "
                "manifest declares it, else give the bot another assistant_id."
            ) from error

    async def _session(self, session_id: str) -> AgentSession | None:
        try:
            return await self._sessions.retrieve(session_id)
        except NotFoundError:
            return None

    async def _last_turn(self, session: AgentSession) -> str | None:
        """The id of the session's newest turn. One that still runs was given up by us and is cancelled first."""
        newest = await self._sessions.turns.list(session.id, order="desc", limit=1)
        if not newest.data:
            return None
        if newest.data[0].status in ACTIVE:
            await self._cancel(session.id)
            raise TemporaryError("An earlier turn of this session still runs; it is being cancelled.", delay=1.0)
        return newest.data[0].id

    async def _turn_after(self, note: Mapping[str, Any], session_id: str) -> Turn | None:
        """The turn that began with what a note tells of."""
        found = await self._sessions.turns.list(session_id, order="asc", limit=1, after=note["after"] or omit)
        return found.data[0] if found.data else None

    async def _ended(self, session_id: str, note: Mapping[str, Any], work: _Work) -> Turn:
        """Follows a turn to its end, answering its function calls on the way."""
        answered: set[str] = set()
        rounds = polls = 0
        while True:
            turn = await self._turn_after(note, session_id)
            if turn is not None and turn.status not in ACTIVE:
                break
            calls = await self._wanted(session_id, turn) if turn is not None and turn.status == "waiting" else []
            if calls := [call for call in calls if call.call_id not in answered]:
                rounds += 1
                if rounds > MAX_ROUNDS:
                    await self._cancel(session_id)
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
            await self._cancel(session_id)
            raise PermanentError(f"The agent asks for something that nobody answers here: {strange}.")
        return [action for action in actions if isinstance(action, FunctionCall) and action.turn_id == turn.id]

    async def _answer_calls(self, session_id: str, calls: Sequence[FunctionCall], work: _Work) -> None:
        """Calls functions, each once however often the turn is attempted, and tells the results."""
        new = [call for call in calls if call.call_id not in work.called]
        outputs = await asyncio.gather(
            *(work.request.call_function(call.name, _arguments(call), call.call_id) for call in new)
        )
        work.called |= {call.call_id: output for call, output in zip(new, outputs, strict=True)}
        await work.keep()
        results: Any = [
            {
                "type": "agent.session.input.tool_result",
                "turn_id": call.turn_id,
                "call_id": call.call_id,
                "success": True,
                "output": work.called[call.call_id],
            }
            for call in calls
        ]
        await self._sessions.events.create(session_id, events=results)

    async def _cancel(self, session_id: str) -> None:
        await self._sessions.events.create(session_id, events=[{"type": "agent.session.input.cancel"}])

    async def _text(self, turn: Turn) -> str:
        """What the agent said to the user in a turn. Commentary while it works is not for the user."""
        parts = [
            item.output_text
            async for item in self._sessions.turns.items.list(
                turn.id, session_id=turn.session_id, order="asc", limit=100
            )
            if item.type == "message" and item.role == "assistant" and item.phase in (None, "final_answer")
        ]
        said = "\n\n".join(part.strip() for part in parts if part.strip())
        if not said:
            raise PermanentError("The agent answered with no text.")
        return said


def _marks(request: Request) -> dict[str, str]:
    """What says in a session's metadata which turn it was made for."""
    return {
        "client": request.client[:METADATA_LIMIT],
        "conversation": request.user_hash,
        "turn": str(request.turn_id),
    }


def _note(request: Request, session_id: str | None, after: str | None) -> Mapping[str, Any]:
    said = len(request.messages)
    return {"type": "said", "session": session_id, "after": after, "messages": said, "at": int(time.time())}


def _version(agent: Agent, request: Request) -> str:
    """Sixteen hex digits that change when the agent would answer otherwise; its name and metadata do not count."""
    told = {
        "model": request.model or agent.model,
        "instructions": request.instructions or agent.instructions,
        "tools": [tool.to_dict() for tool in agent.tools],
        "reasoning": agent.reasoning.to_dict(),
        "text": agent.text.to_dict(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _recap(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """One message that tells what was said before: a session's input can speak for the user only."""
    lines = [f"{item['role']}: {item['content']}" for item in history if item.get("role") in ("user", "assistant")]
    return ["\n".join([RECAP, "", *lines])] if lines else []


def _message(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _arguments(call: FunctionCall) -> str:
    """As JSON; this API has them decoded already."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)


def _added(usage: Usage, turn: Turn) -> Usage:
    """Often nothing is known yet when a turn has just ended; then nothing is counted."""
    if turn.usage is None:
        return usage
    return Usage(
        usage.input_tokens + turn.usage.input_tokens,
        usage.cached_tokens + turn.usage.input_tokens_details.cached_tokens,
        usage.output_tokens + turn.usage.output_tokens,
    )
