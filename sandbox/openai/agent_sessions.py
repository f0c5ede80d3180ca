"""/v1/agents/sessions: conversations with an agent, without an execution environment.

A session freezes its agent as it was when the session began. Its stream of events is left out: everything in the stream
can be read from the session, its turns and items, and after a lost connection it must be.
"""

import re

from aiohttp import web

from sandbox.middleware import answer
from sandbox.openai import agents_rules as rules
from sandbox.openai import shapes
from sandbox.openai.agent_turns import ACTIVE, AgentTurns
from sandbox.openai.agents import Agents, page, require_beta
from sandbox.openai.wire import body_of
from sandbox.state import State
from sandbox.storage import Json, new_id, public

TABLE = "agent_sessions"
_FROZEN = (
    "id",
    "name",
    "model",
    "instructions",
    "tools",
    "reasoning",
    "service_tier",
    "text",
    "compaction",
    "experimental",
    "multi_agent",
)
_PART = shapes.tagged(
    {
        "input_text": shapes.record({"type": shapes.text(), "text": shapes.text()}, "text"),
        "input_image": shapes.record({"type": shapes.text(), "image_url": shapes.text()}, "image_url"),
    }
)
_MESSAGES = shapes.array(
    shapes.record(
        {"type": shapes.one_of("message"), "role": shapes.one_of("user"), "content": shapes.array(_PART)},
        "content",
        "role",
    )
)
_ENVIRONMENT = shapes.tagged(
    {"none": shapes.record({"type": shapes.text()}), "openai_hosted": shapes.mapping, "self_hosted": shapes.mapping}
)
_SPENDING = shapes.nullable(shapes.record({"limit": shapes.nullable(shapes.integer())}, "limit"))
_CACHE = shapes.nullable(shapes.record({"ttl": shapes.one_of("30m", "12h")}))
_METADATA = shapes.nullable(shapes.metadata)


def _input(value: object, path: str) -> None:
    if not isinstance(value, str):
        _MESSAGES(value, path)


_CREATE = rules.of_agents(
    shapes.record(
        {
            "environment": _ENVIRONMENT,
            "agent": rules.OVERRIDES,
            "agent_id": shapes.text(),
            "input": shapes.nullable(_input),
            "metadata": _METADATA,
            "prompt_cache_options": _CACHE,
            "review": shapes.one_of("none", "auto_review"),
            "spend_control": _SPENDING,
            "stream": shapes.flag,
            "stream_options": shapes.mapping,
            "vault_ids": shapes.nullable(shapes.array(shapes.text())),
        },
        "environment",
    )
)
_CHANGEABLE = {"model": shapes.text(), "reasoning": rules.REASONING, "service_tier": rules.TIER, "tools": rules.TOOLS}
_UPDATE = rules.of_agents(
    shapes.record(
        {
            "agent": shapes.record(_CHANGEABLE),
            "metadata": _METADATA,
            "prompt_cache_options": _CACHE,
            "review": shapes.one_of("none", "auto_review"),
            "spend_control": _SPENDING,
        }
    )
)
_OUTPUT = shapes.nullable(lambda value, path: None if isinstance(value, str) else shapes.array(_PART)(value, path))
_EVENTS = {
    "agent.session.input.message": shapes.record({"type": shapes.text(), "input": _MESSAGES}, "input"),
    "agent.session.input.cancel": shapes.record({"type": shapes.text()}),
    "agent.session.input.tool_result": shapes.record(
        {
            "type": shapes.text(),
            "turn_id": shapes.text(),
            "call_id": shapes.text(),
            "success": shapes.flag,
            "output": _OUTPUT,
            "error": shapes.nullable(shapes.text()),
        },
        "call_id",
        "success",
        "turn_id",
    ),
    "agent.session.input.mcp_approval_request_result": shapes.mapping,
    "agent.session.input.computer_use_approval_request_result": shapes.mapping,
}
_BATCH = rules.of_agents(shapes.record({"events": shapes.array(shapes.tagged(_EVENTS))}, "events"))


class AgentSessions:
    """Handlers of /v1/agents/sessions."""

    def __init__(self, state: State, agents: Agents) -> None:
        self._state = state
        self._agents = agents
        self._turns = AgentTurns(state)

    def routes(self) -> list[web.RouteDef]:
        every, one = "/v1/agents/sessions", "/v1/agents/sessions/{session}"
        return [
            web.post(every, self.create),
            web.get(every, self.list_all),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/events", self.take_events),
            web.get(f"{one}/items", self.list_items),
            web.get(f"{one}/turns", self.list_turns),
            web.get(f"{one}/turns/{{turn}}", self.get_turn),
            web.get(f"{one}/turns/{{turn}}/items", self.list_turn_items),
        ]

    async def create(self, request: web.Request) -> web.Response:
        require_beta(request)
        body = await body_of(request)
        _CREATE(body, "")
        self._check_here(body)
        now = self._state.now()
        session: Json = {
            "id": new_id("session_"),
            "object": "agent.session",
            "agent": self._frozen_agent(body),
            "created_at": now,
            "last_active_at": now,
            "environment": {"type": "none"},
            "metadata": body.get("metadata") or {},
            "vault_ids": [],
            "error": None,
        }
        self._state.storage.put(TABLE, str(session["id"]), session)
        self._turns.say(session, _said(body["input"]))
        return answer(self._shown(session), 201)

    def _check_here(self, body: Json) -> None:
        if body["environment"]["type"] != "none":
            raise rules.undone("environments other than 'none'")
        if body.get("stream"):
            raise rules.undone("'stream'")
        if body.get("vault_ids"):
            raise rules.undone("'vault_ids'")
        if not body.get("input"):
            raise rules.refused("conversation-only sessions currently require initial input")

    def _frozen_agent(self, body: Json) -> Json:
        given = body.get("agent") or {}
        if "agent_id" in body:
            agent = self._agents.found(body["agent_id"])
        elif "model" in given:
            agent = {"id": new_id("agent_")}
        else:
            raise rules.refused("Missing required parameter: 'agent.model'.", "agent.model")
        rules.check_tools(given.get("tools") or [])
        whole = rules.settled(agent, given, of_session=True)
        return {name: whole[name] for name in _FROZEN}

    def _found(self, request: web.Request) -> Json:
        require_beta(request)
        session = self._state.storage.get(TABLE, request.match_info["session"])
        if session is None:
            raise rules.not_found()
        return session

    def _shown(self, session: Json) -> Json:
        """The session in the state that its latest turn gives it."""
        turn = self._turns.latest(session["id"])
        status, wanted = "idle", []
        if turn is not None:
            wanted = self._turns.wanted(turn)
            status = {"completed": "idle", "cancelled": "idle", "failed": "failed", "waiting": "requires_action"}.get(
                turn["status"], "in_progress"
            )
        failure = turn["error"]["message"] if turn is not None and turn["error"] else None
        usage = turn["usage"] if turn is not None else None
        return {**public(session), "status": status, "required_actions": wanted, "error": failure, "usage": usage}

    async def list_all(self, request: web.Request) -> web.Response:
        require_beta(request)
        wanted = {
            found[1]: value for key, value in request.query.items() if (found := re.match(r"metadata\[(.+)]$", key))
        }
        agent = request.query.get("agent_id")
        rows = {
            key: self._shown(session)
            for key, session in self._state.storage.rows(TABLE).items()
            if wanted.items() <= session["metadata"].items() and agent in (None, session["agent"]["id"])
        }
        return answer(page(request, rows))

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._shown(self._found(request)))

    async def update(self, request: web.Request) -> web.Response:
        session = self._found(request)
        body = await body_of(request)
        _UPDATE(body, "")
        if not body:
            raise rules.refused("At least one update field is required")
        changed = dict(session)
        if "metadata" in body:
            changed["metadata"] = body["metadata"] or {}
        if body.get("agent"):
            rules.check_tools(body["agent"].get("tools") or [])
            changed["agent"] = rules.settled(session["agent"], body["agent"], of_session=True)
        return answer(self._shown(self._state.storage.put(TABLE, session["id"], changed)))

    async def delete(self, request: web.Request) -> web.Response:
        session = self._found(request)
        turn = self._turns.latest(session["id"])
        if turn is not None and turn["status"] in ACTIVE:
            raise rules.conflict("session must be durably idle or failed without required actions before deletion")
        self._turns.drop(session["id"])
        self._state.storage.delete(TABLE, session["id"])
        return answer({"id": session["id"], "object": "agent.session.deleted", "deleted": True})

    async def take_events(self, request: web.Request) -> web.Response:
        """Takes all events of a request or none."""
        session = self._found(request)
        body = await body_of(request)
        _BATCH(body, "")
        for event in body["events"]:
            if event["type"] not in _DONE:
                raise rules.undone(f"'{event['type']}'")
            if event["type"] == "agent.session.input.tool_result":
                self._turns.check_result(session, event)
        for event in body["events"]:
            self._take(session, event)
        self._state.storage.put(TABLE, session["id"], {**session, "last_active_at": self._state.now()})
        return web.Response(status=202)

    def _take(self, session: Json, event: Json) -> None:
        if event["type"] == "agent.session.input.message":
            self._turns.say(session, event["input"])
        elif event["type"] == "agent.session.input.cancel":
            self._turns.cancel(session)
        else:
            self._turns.take_result(session, event)

    async def list_items(self, request: web.Request) -> web.Response:
        rows = self._turns.items(self._found(request)["id"])
        return answer(page(request, rows, unknown="Invalid session item ID in `after`"))

    async def list_turns(self, request: web.Request) -> web.Response:
        return answer(page(request, self._turns.all(self._found(request)["id"]), clamped=False))

    def _turn(self, request: web.Request) -> Json:
        turn = self._turns.all(self._found(request)["id"]).get(request.match_info["turn"])
        if turn is None:
            raise rules.not_found()
        return turn

    async def get_turn(self, request: web.Request) -> web.Response:
        return answer(public(self._turn(request)))

    async def list_turn_items(self, request: web.Request) -> web.Response:
        turn = self._turn(request)
        rows = self._turns.items(turn["session_id"], turn["id"])
        return answer(page(request, rows, unknown="Invalid session item ID in `after`"))


_DONE = ("agent.session.input.message", "agent.session.input.cancel", "agent.session.input.tool_result")


def _said(value: str | list[Json]) -> list[Json]:
    if isinstance(value, str):
        return [{"role": "user", "content": [{"type": "input_text", "text": value}]}]
    return value
