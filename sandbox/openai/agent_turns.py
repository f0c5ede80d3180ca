"""The turns of an agent's session and the items that they leave: messages, function calls and their results.

Like a run of the Assistants API a turn has no task of its own: it is due at a timestamp, and any read after that
timestamp finds it completed. A session has one turn at a time; messages that arrive during a turn join it.
"""

import json
import time
from typing import Any

from sandbox import answers, metering
from sandbox.answers import Context, WantedCall
from sandbox.errors import ProviderRefusal
from sandbox.openai import agents_rules as rules
from sandbox.openai import items, models, tools
from sandbox.state import State
from sandbox.storage import Json, new_id

ACTIVE = ("queued", "in_progress", "waiting")
_HARNESS_TOKENS = 7_200
"""Input tokens of a turn without any message: the instructions that every agent has besides its own."""


class AgentTurns:
    """The state machine behind sessions, their turns and items."""

    def __init__(self, state: State) -> None:
        self._state = state

    def all(self, session: str) -> dict[str, Json]:
        """Turns in their current state, oldest first."""
        return {key: self._by_now(turn) for key, turn in list(self._state.storage.rows(_turns(session)).items())}

    def latest(self, session: str) -> Json | None:
        return next(reversed(self.all(session).values()), None)

    def items(self, session: str, turn: str | None = None) -> dict[str, Json]:
        """Items of a session, or of one of its turns, oldest first."""
        self.all(session)
        rows = self._state.storage.rows(_items(session))
        return {key: item for key, item in rows.items() if turn in (None, item["turn_id"])}

    def wanted(self, turn: Json) -> list[Json]:
        """Function calls whose results a turn waits for, as the session's required actions."""
        if turn["status"] != "waiting":
            return []
        return [call for key, call in turn["_calls"].items() if key not in turn["_results"]]

    def say(self, session: Json, messages: list[Json]) -> None:
        """Adds the user's messages: to the turn that runs, else as the beginning of a new one."""
        turn = self.latest(session["id"])
        if turn is None or turn["status"] not in ACTIVE:
            turn = self._begun(session)
        for message in messages:
            said = {"type": "message", "role": "user", "content": message["content"], "status": "completed"}
            self._add(turn, {"id": new_id("msg_"), **said, "phase": None})
        if turn["status"] != "waiting":
            thinks = answers.think_seconds(self._context(turn))
            due = time.time() + max(self._state.settings.values.think_seconds, thinks)
            self._put({**turn, "_due": max(due, turn["_due"])})

    def cancel(self, session: Json) -> None:
        turn = self.latest(session["id"])
        if turn is not None and turn["status"] in ACTIVE:
            self._put({**turn, "status": "cancelled", "completed_at": self._state.now()})

    def check_result(self, session: Json, event: Json) -> None:
        """Raises the error for a function result that no turn is waiting for."""
        asked = next((turn for turn in self.all(session["id"]).values() if event["call_id"] in turn["_calls"]), None)
        if asked is None:
            raise rules.refused("Unknown pending tool call.")
        if asked["id"] != event["turn_id"]:
            raise rules.refused("The tool call belongs to a different Turn.")
        stored = asked["_results"].get(event["call_id"])
        if stored is not None and stored != _result(event):
            raise rules.conflict("The tool call already has a different result.")
        if stored is None and asked["status"] != "waiting":
            raise rules.conflict("The Turn cannot accept this input in its current state.")

    def take_result(self, session: Json, event: Json) -> None:
        turn = self.all(session["id"])[event["turn_id"]]
        if event["call_id"] in turn["_results"]:
            return
        turn = self._put({**turn, "_results": {**turn["_results"], event["call_id"]: _result(event)}})
        status = "completed" if event["success"] else "failed"
        output = {"type": "function_call_output", "call_id": event["call_id"], "status": status}
        self._add(turn, {"id": new_id("fco_"), **output, "output": event.get("output"), "error": event.get("error")})
        if not self.wanted(turn):
            self._put({**turn, "status": "in_progress", "_due": time.time()})

    def drop(self, session: str) -> None:
        """Deletes the turns and items of a session."""
        self._state.storage.drop(_turns(session))
        self._state.storage.drop(_items(session))

    def _begun(self, session: Json) -> Json:
        now = self._state.now()
        nothing = {"completed_at": None, "error": None, "subagent_id": None, "usage": None}
        ours = {"_due": 0.0, "_calls": {}, "_results": {}, "_agent": session["agent"], "_usage": None}
        made = {"id": new_id("turn_"), "object": "agent.session.turn", "session_id": session["id"]}
        times = {"created_at": now, "started_at": now}
        return self._put(
            {**made, "agent_id": session["agent"]["id"], "status": "in_progress", **times, **nothing, **ours}
        )

    def _by_now(self, turn: Json) -> Json:
        if turn["status"] == "in_progress" and time.time() >= turn["_due"]:
            turn = self._done(turn)
        lag = self._state.settings.values.usage_seconds
        if turn["_usage"] and turn["usage"] is None and time.time() >= turn["_ended"] + lag:
            turn = self._put({**turn, "usage": turn["_usage"]})
        return turn

    def _done(self, turn: Json) -> Json:
        agent = turn["_agent"]
        try:
            models.require(agent["model"])
        except ProviderRefusal as failure:
            return self._failed(turn, "resource_not_found", failure.body["error"]["message"])
        context = self._context(turn)
        calls = answers.function_calls(context, tools.functions_of(agent["tools"]))
        if calls:
            return self._asked(turn, calls)
        said = answers.reply(context)
        part = {"type": "output_text", "text": said}
        answer = {"type": "message", "role": "assistant", "content": [part], "status": "completed"}
        self._add(turn, {"id": new_id("msg_"), **answer, "phase": "final_answer"})
        given, spent = (
            _HARNESS_TOKENS + answers.tokens((agent["instructions"] or "") + context.text),
            answers.tokens(said),
        )
        usage = {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": spent,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": given + spent,
        }
        project = self._state.settings.values.project
        metering.note(project, agent["model"], {"model_input": given, "model_output": spent})
        ended = {"status": "completed", "completed_at": self._state.now(), "_ended": time.time()}
        return self._put({**turn, **ended, "_usage": usage})

    def _failed(self, turn: Json, code: str, message: str) -> Json:
        ended = {"status": "failed", "completed_at": self._state.now()}
        return self._put({**turn, **ended, "error": {"code": code, "message": message}})

    def _asked(self, turn: Json, calls: list[WantedCall]) -> Json:
        wanted = {}
        for call in calls:
            asked = {"call_id": new_id("call_", 24), "name": call.name, "arguments": json.loads(call.arguments)}
            wanted[asked["call_id"]] = {"type": "function_call", "turn_id": turn["id"], **asked}
            self._add(turn, {"id": new_id("fc_"), "type": "function_call", "status": "completed", **asked})
        return self._put({**turn, "status": "waiting", "_calls": {**turn["_calls"], **wanted}})

    def _context(self, turn: Json) -> Context:
        """What the agent knows: the session up to now, and the results of the functions it called."""
        agent = turn["_agent"]
        known = [_as_response_item(item) for item in self._state.storage.values(_items(turn["session_id"]))]
        return items.context_of(known, agent["name"] or agent["model"], agent["instructions"] or "")

    def _put(self, turn: Json) -> Json:
        return self._state.storage.put(_turns(turn["session_id"]), turn["id"], turn)

    def _add(self, turn: Json, item: Json) -> None:
        self._state.storage.put(_items(turn["session_id"]), item["id"], {**item, "turn_id": turn["id"]})


def _turns(session: str) -> str:
    return f"agent_turns/{session}"


def _items(session: str) -> str:
    return f"agent_items/{session}"


def _result(event: Json) -> list[Any]:
    return [event["success"], event.get("output"), event.get("error")]


def _as_response_item(item: Json) -> Json:
    if item["type"] != "function_call_output":
        return item
    return {**item, "output": item["output"] if item["error"] is None else item["error"]}
