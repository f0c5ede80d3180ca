"""The engine `agents`: a live agent at OpenAI's Agents API (a beta), with one session for each conversation.

The session is the provider's memory, and input that was submitted to it stays. So every input is noted before it is
submitted, and a turn that is attempted again checks for it before submitting it again. A session keeps the agent as it
was when the session began: once the agent, or what the bot overrides of it, has changed, the conversation continues in
a new session, whose first message is a recap from our own history, and the old one is deleted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from openai import APIError, AsyncOpenAI, NotFoundError, omit
from openai.resources.beta.agents.agents import AsyncAgents
from openai.resources.beta.agents.sessions.sessions import AsyncSessions
from openai.types.beta import Agent, AgentSession

from runtime.content.rendering import for_model
from runtime.engines import sending
from runtime.engines.agent_turns import SessionTurns
from runtime.engines.agent_work import Work, note_of_saying
from runtime.engines.errors import from_openai
from runtime.engines.past import recap, recap_of_calls
from runtime.engines.port import Answer, Request
from runtime.errors import PermanentError
from runtime.memory import finished_calls

UNFINISHED = frozenset({"failed", "cancelled"})
"""Turns of a session whose effects the agent may not know."""
LOST = frozenset({"failed", "budget_reached"})
"""Sessions that accept no further input; the conversation continues in another one."""
CLOCK_SKEW_SECONDS = 120
"""How far the provider's clock may be behind ours."""
METADATA_LIMIT = 512
TOLD = "Note from the operator of this assistant, not from the user:"

log = structlog.get_logger("runtime.engines")


class AgentsEngine:
    """Answers with sessions of the Agents API."""

    def __init__(self, client: AsyncOpenAI, timeout: float) -> None:
        self._timeout = timeout
        self._agents: AsyncAgents = client.beta.agents
        self._sessions: AsyncSessions = client.beta.agents.sessions
        self._turns = SessionTurns(self._sessions)

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        work = Work(request, time.monotonic() + self._timeout)
        try:
            return await self._answer(work)
        except APIError as error:
            raise from_openai(error, request.model) from error

    async def _answer(self, work: Work) -> Answer:
        """Continues with the input that was submitted before; messages that came since then are submitted after it."""
        request, texts, answered = work.request, list[str](), 0
        messages = [for_model(message.content) for message in request.messages]
        while True:
            step = len(texts)
            session = await self._heard(work.said[step], request) if step < len(work.said) else None
            if session is None:
                del work.said[step:]
                session = await self._say(messages[answered:], work)
            turn = await self._turns.ended(session.id, work.said[step], work)
            texts.append(await self._turns.text(turn, may_be_empty=sending.has_sent(work.called.values())))
            work.count(turn)
            answered = work.said[step]["messages"]
            if answered >= len(messages):
                break
        if any(note.get("replaces") for note in work.said):
            await self._clear_away(session.id, request)
        is_sent = sending.has_sent(work.called.values())
        text = "" if sending.has_offered(work.called.values()) else "\n\n".join(filter(None, texts))
        said = [{"role": "user", "content": message} for message in messages]
        calls = finished_calls(work.called.values())
        request.spend(session.agent.model, work.usage)
        late = partial(self._turns.late_usage, work.uncounted) if work.uncounted else None
        items = [*said, *calls, *([{"role": "assistant", "content": text}] if text else ())]
        return Answer(text, items, session.agent.model, work.usage, late_usage=late, has_sent=is_sent)

    async def _heard(self, note: Mapping[str, Any], request: Request) -> AgentSession | None:
        """The session to which input was submitted already; None when there was none, or it had no effect."""
        making = note["session"] is None
        session = await self._made(note, request) if making else await self._session(note["session"])
        if session is None:
            return None
        turn = await self._turns.after(note, session.id)
        if turn is None:
            return session if making else None
        return session if turn.status not in ("failed", "cancelled") else None

    async def _made(self, note: Mapping[str, Any], request: Request) -> AgentSession | None:
        """A session that an earlier attempt created, or requested without receiving the answer.

        The plain list is read: one that is filtered by metadata lags behind.
        """
        async for session in self._sessions.list(order="desc", limit=100):
            if session.created_at < note["at"] - CLOCK_SKEW_SECONDS:
                return None
            if _marks(request).items() <= session.metadata.items():
                await request.keep_thread(session.id)
                return session
        return None

    async def _say(self, messages: Sequence[str], work: Work) -> AgentSession:
        """Submits input to the conversation's session, or to a new one where there is none that can be used."""
        request = work.request
        agent = await self._agent(request)
        marks = {**_marks(request), "version": _version(agent, request)}
        # A turn that begins over does so with its first words only.
        known = None if request.starts_over and not work.said else request.thread_id
        session = await self._session(known) if known else None
        if session is None or session.status in LOST or session.metadata.get("version") != marks["version"]:
            return await self._begin(messages, agent, marks, work)
        last = await self._turns.last(session)
        if last is not None and last.status in UNFINISHED and not request.progress:
            # An earlier turn of ours ended without an answer. Our history has what its functions did.
            return await self._begin(messages, agent, marks, work)
        work.said.append(note_of_saying(request, session.id, last.id if last is not None else None))
        await work.keep()
        said = [_message(text) for text in (*_told(request), *messages)]
        event: Any = {"type": "agent.session.input.message", "input": said}
        await self._sessions.events.create(session.id, events=[event])
        return session

    async def _begin(self, messages: Sequence[str], agent: Agent, marks: dict[str, str], work: Work) -> AgentSession:
        request = work.request
        work.said.append({**note_of_saying(request, None, None), "replaces": request.thread_id})
        await work.keep()
        own = {"instructions": request.instructions, "model": request.model, "tools": _tools(agent, request)}
        overrides: Any = {key: value for key, value in own.items() if value is not None}
        session = await self._sessions.create(
            agent_id=request.assistant_id,
            agent=overrides or omit,
            environment={"type": "none"},
            input=[_message(text) for text in (*_past(request), *_told(request), *messages)],
            metadata=marks,
        )
        await request.keep_thread(session.id)
        return session

    async def _clear_away(self, session_id: str, request: Request) -> None:
        """Deletes the conversation's sessions but this one, which has their history as a recap: the provider keeps them
        until then. One that cannot be deleted now is found again when this one is replaced."""
        mark = {"conversation": request.user_hash}
        left: str | None = None
        try:
            found = await self._sessions.list(metadata=mark, limit=100)
            # A server that does not filter must not lose sessions of other conversations.
            for session in (one for one in found.data if mark.items() <= one.metadata.items() and one.id != session_id):
                left = session.id
                await self._sessions.delete(session.id)
        except APIError as error:
            # The answer is there; a failed deletion must not delay it.
            log.warning("replaced_session_left", session=left, error=error.message)

    async def _agent(self, request: Request) -> Agent:
        try:
            return await self._agents.retrieve(request.assistant_id)
        except NotFoundError as error:
            raise PermanentError(
                f"The agent {request.assistant_id} does not exist at OpenAI; `reconcile` creates it again where a "
                "manifest declares it, else give the bot another assistant_id."
            ) from error

    async def _session(self, session_id: str) -> AgentSession | None:
        try:
            return await self._sessions.retrieve(session_id)
        except NotFoundError:
            return None


def _marks(request: Request) -> dict[str, str]:
    """The metadata of a session that names the turn that it was created for."""
    return {
        "client": request.client[:METADATA_LIMIT],
        "conversation": request.user_hash,
        "turn": str(request.turn_id),
    }


def _version(agent: Agent, request: Request) -> str:
    """Sixteen hex digits that change when the agent would answer differently; its name and metadata do not count."""
    told = {
        "model": request.model or agent.model,
        "instructions": request.instructions or agent.instructions,
        "tools": [tool.to_dict() for tool in agent.tools],
        "reasoning": agent.reasoning.to_dict(),
        "text": agent.text.to_dict(),
        **({"server_headers": request.server_headers} if request.server_headers else {}),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _tools(agent: Agent, request: Request) -> list[dict[str, Any]] | None:
    """The agent's tools, its servers with their headers, which the agent itself does not have; None where it has no
    server that needs any."""
    if not request.server_headers:
        return None
    tools = []
    for tool in agent.tools:
        said = {key: value for key, value in tool.to_dict().items() if value is not None}
        label = str(said.get("server_label"))
        if said["type"] == "mcp" and label in request.server_headers:
            headers = request.server_headers[label]
            if headers is None:
                continue
            said["transport"] = _authenticated(tool.to_dict()["transport"], headers)
        tools.append(said)
    return tools


def _authenticated(transport: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """A server's transport with headers; the value of Authorization has a key of its own there."""
    own = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    values = [value for name, value in headers.items() if name.lower() == "authorization"]
    authorization = {"authorization": values[0]} if values else {}
    return {**transport, "headers": {**(transport.get("headers") or {}), **own}, **authorization}


def _past(request: Request) -> list[str]:
    """The history so far, and the calls that were made for this turn in another session, a message each: a session's
    input can only be in the user's name."""
    texts = recap(request.history), recap_of_calls(finished_calls(request.progress))
    return [text for text in texts if text is not None]


def _told(request: Request) -> list[str]:
    """The same for what the model gets in this turn only."""
    return [] if request.note is None else [f"{TOLD} {request.note}"]


def _message(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
