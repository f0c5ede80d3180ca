"""/v1/agents: reusable agents as the Agents API keeps them. It never runs one (see agent_sessions).

The API is a beta: the paths, members and required keys are those of OpenAI's SDK, and what that leaves open (statuses,
defaults, clamped limits) follows published observations.
"""

from collections.abc import Iterable, Mapping

from aiohttp import web

from sandbox.errors import ProviderRefusal
from sandbox.middleware import answer
from sandbox.openai import agents_rules as rules
from sandbox.openai.wire import body_of, error
from sandbox.state import State
from sandbox.storage import Json, new_id, public

TABLE = "agents"
_BETA = "To access the Agents API, set the 'OpenAI-Beta' header to 'agents=v1'."
_MOST = 100


def require_beta(request: web.Request) -> None:
    """Raises the error for a request without the beta header."""
    if request.headers.get("OpenAI-Beta") != "agents=v1":
        raise error(400, _BETA, kind="invalid_beta", code="invalid_beta")


class Agents:
    """Handlers of /v1/agents."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        one = "/v1/agents/{agent}"
        return [
            web.post("/v1/agents", self.create),
            web.get("/v1/agents", self.list_all),
            web.get(one, self.get),
            web.post(one, self.update),
            web.delete(one, self.delete),
        ]

    def found(self, key: str) -> Json:
        agent = self._state.storage.get(TABLE, key)
        if agent is None:
            raise rules.not_found()
        return agent

    async def create(self, request: web.Request) -> web.Response:
        require_beta(request)
        body = await body_of(request)
        rules.check_agent(body, new=True)
        now = self._state.now()
        agent = {
            "id": new_id("agent_"),
            "object": "agent",
            "created_at": now,
            "updated_at": now,
            "metadata": body.get("metadata") or {},
            **rules.settled({}, body),
        }
        return answer(self._state.storage.put(TABLE, str(agent["id"]), agent), 201)

    async def list_all(self, request: web.Request) -> web.Response:
        require_beta(request)
        return answer(page(request, self._state.storage.rows(TABLE)))

    async def get(self, request: web.Request) -> web.Response:
        require_beta(request)
        return answer(self.found(request.match_info["agent"]))

    async def update(self, request: web.Request) -> web.Response:
        require_beta(request)
        body = await body_of(request)
        rules.check_agent(body, new=False)
        agent = self.found(request.match_info["agent"])
        changed = {**rules.settled(agent, body), "updated_at": self._state.now()}
        if "metadata" in body:
            changed["metadata"] = body["metadata"] or {}
        return answer(self._state.storage.put(TABLE, agent["id"], changed))

    async def delete(self, request: web.Request) -> web.Response:
        require_beta(request)
        key = self.found(request.match_info["agent"])["id"]
        self._state.storage.delete(TABLE, key)
        return answer({"id": key, "object": "agent.deleted", "deleted": True})


def page(request: web.Request, rows: Mapping[str, Json], *, clamped: bool = True, unknown: str | None = None) -> Json:
    """One page of a list of this API, by the cursor `after`. `rows` are oldest first.

    A limit that is too small or too large is clamped, or refused by the lists that do so. `unknown` is a list's message
    for an unknown cursor, where that is not a plain 404.
    """
    order = request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise _undecodable(f"order: unknown variant `{order}`, expected `asc` or `desc`")
    limit = _limit(request.query.get("limit", "20"), clamped)
    keys: Iterable[str] = rows if order == "asc" else reversed(list(rows))
    after = request.query.get("after")
    if after and after not in rows:
        raise rules.refused(unknown) if unknown else rules.not_found()
    following = list(keys)
    if after:
        following = following[following.index(after) + 1 :]
    chosen = following[:limit]
    ends = {"first_id": chosen[0] if chosen else None, "last_id": chosen[-1] if chosen else None}
    data = [public(rows[key]) for key in chosen]
    return {"object": "list", "data": data, **ends, "has_more": len(following) > len(chosen)}


def _limit(said: str, clamped: bool) -> int:
    if not said.isdecimal():
        raise _undecodable("limit: invalid digit found in string")
    if not clamped and not 1 <= int(said) <= _MOST:
        raise rules.refused(f"limit must be between 1 and {_MOST}")
    return min(max(int(said), 1), _MOST)


def _undecodable(what: str) -> ProviderRefusal:
    return rules.refused(f"Failed to deserialize query string: {what}")
