"""/v1/threads/{id}/runs: an assistant at work on a thread.

A run has no task of its own: it is due at a timestamp, and any read after that timestamp finds it completed. So it
survives a restart, and a thread has one active run at most, as at OpenAI.
"""

import time
from dataclasses import replace

from aiohttp import web

from sandbox import answers, metering
from sandbox.answers import Context
from sandbox.middleware import answer
from sandbox.openai import assistants, model_turn, models, run_objects
from sandbox.openai.assistant_rules import MESSAGE, OUTPUTS, RESOURCES, RUN, THREAD
from sandbox.openai.assistants import require_api
from sandbox.openai.items import text_of
from sandbox.openai.response_rules import EFFORT
from sandbox.openai.shapes import array, checked_metadata, nullable, record, text
from sandbox.openai.threads import Threads
from sandbox.openai.vector_stores import VectorStores
from sandbox.openai.wire import body_of, error, invalid, not_found, page
from sandbox.state import State
from sandbox.storage import Json, public

_ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")
_RUN = record(
    {
        **RUN,
        "additional_instructions": nullable(text()),
        "reasoning_effort": EFFORT,
        "additional_messages": nullable(array(MESSAGE)),
    },
    "assistant_id",
)
_THREAD_AND_RUN = record({**RUN, "thread": THREAD, "tool_resources": RESOURCES}, "assistant_id")
_POLL = {"openai-poll-after-ms": "20"}
"""What the SDK's polling obeys; a real server asks for longer."""


class Runs:
    """Handlers of /v1/threads/{id}/runs."""

    def __init__(self, state: State, threads: Threads, stores: VectorStores) -> None:
        self._state = state
        self._threads = threads
        self._stores = stores
        threads.busy = self.active

    def routes(self) -> list[web.RouteDef]:
        runs = "/v1/threads/{thread}/runs"
        return [
            web.post("/v1/threads/runs", self.create_with_thread),
            web.post(runs, self.create),
            web.get(runs, self.list_all),
            web.get(f"{runs}/{{run}}", self.get),
            web.post(f"{runs}/{{run}}", self.update),
            web.post(f"{runs}/{{run}}/cancel", self.cancel),
            web.post(f"{runs}/{{run}}/submit_tool_outputs", self.submit),
            web.get(f"{runs}/{{run}}/steps", self.steps),
            web.get(f"{runs}/{{run}}/steps/{{step}}", self.step),
        ]

    def active(self, thread: str) -> str | None:
        """The id of the run that holds the thread, after finishing what is due."""
        for run in list(self._state.storage.values(f"runs/{thread}")):
            if run["status"] in _ACTIVE and self._settled(run)["status"] in _ACTIVE:
                run_id: str = run["id"]
                return run_id
        return None

    async def create_with_thread(self, request: web.Request) -> web.Response:
        require_api(self._state, request)
        body = await body_of(request)
        _THREAD_AND_RUN(body, "")
        assistant = self._assistant(body)
        return self._start(self._threads.open(body.get("thread") or {})["id"], body, assistant)

    async def create(self, request: web.Request) -> web.Response:
        thread = self._threads.found(request)["id"]
        body = await body_of(request)
        _RUN(body, "")
        assistant = self._assistant(body)
        if (run := self.active(thread)) is not None:
            raise error(400, f"Thread {thread} already has an active run {run}.")
        for message in body.get("additional_messages") or []:
            self._threads.add(thread, message)
        return self._start(thread, body, assistant)

    def _assistant(self, body: Json) -> Json:
        if body.get("stream"):
            message = "This stand-in for the OpenAI API does not do 'stream'; send the request without it."
            raise invalid("stream", message, "unsupported_parameter")
        assistant = self._state.storage.get(assistants.TABLE, body["assistant_id"])
        if assistant is None:
            raise not_found("assistant", body["assistant_id"])
        models.require(body.get("model") or assistant["model"])
        return assistant

    def _start(self, thread: str, body: Json, assistant: Json) -> web.Response:
        run = run_objects.new_run(body, assistant, thread, self._state.now())
        thinks = max(self._state.settings.values.think_seconds, answers.think_seconds(self._context(run)))
        return self._shown({**run, "_due": time.time() + thinks})

    def _shown(self, run: Json) -> web.Response:
        response = answer(public(self._put(run)))
        response.headers.update(_POLL)
        return response

    def _put(self, run: Json) -> Json:
        return self._state.storage.put(f"runs/{run['thread_id']}", run["id"], run)

    def _context(self, run: Json) -> Context:
        """What the assistant knows: the whole thread, and the results of the functions it called in this run."""
        context = Context(run["_name"], run["instructions"], (), 0, tuple(run["_outputs"]))
        for message in self._threads.messages(run["thread_id"]):
            if message["role"] == "user":
                said = (*context.said, text_of(message["content"]))
                context = replace(context, said=said, turn=context.turn + 1)
            else:
                context = replace(context, said=())
        return context

    def _settled(self, run: Json) -> Json:
        """The run in its current state."""
        if run["status"] not in _ACTIVE:
            return run
        if self._state.now() >= run["expires_at"]:
            return self._put({**run, "status": "expired", "required_action": None})
        if run["status"] == "requires_action":
            return run
        started = {**run, "status": "in_progress", "started_at": run["started_at"] or run["created_at"]}
        return started if time.time() < run["_due"] else self._finished(started)

    def _finished(self, run: Json) -> Json:
        context = self._context(run)
        offered = [
            {**tool, "vector_store_ids": run["_stores"]} if tool["type"] == "file_search" else tool
            for tool in run["tools"]
        ]
        parallel = run["parallel_tool_calls"]
        turn = model_turn.take(context, offered, run["tool_choice"], parallel=parallel, search=self._stores.find)
        if turn.calls:
            return self._put({**run, "status": "requires_action", "required_action": run_objects.wanted(turn.calls)})
        message = {"role": "assistant", "content": turn.text}
        said = self._threads.add(run["thread_id"], message, assistant=run["assistant_id"], run=run["id"])
        given, spent = answers.tokens(run["instructions"] + context.text), answers.tokens(turn.text)
        usage = {"prompt_tokens": given, "completion_tokens": spent, "total_tokens": given + spent}
        used = {"model_input": given, "model_output": spent, "file_search": int(turn.searched)}
        metering.note(self._state.settings.values.project, run["model"], used)
        done = {"status": "completed", "completed_at": self._state.now(), "expires_at": None, "required_action": None}
        return self._put({**run, **done, "usage": usage, "_message": said["id"]})

    def _found(self, request: web.Request) -> Json:
        thread = self._threads.found(request)["id"]
        key = request.match_info["run"]
        run = self._state.storage.get(f"runs/{thread}", key)
        if run is None:
            raise not_found("run", key)
        return self._settled(run)

    async def list_all(self, request: web.Request) -> web.Response:
        thread = self._threads.found(request)["id"]
        self.active(thread)
        return answer(page(request, self._state.storage.rows(f"runs/{thread}")))

    async def get(self, request: web.Request) -> web.Response:
        response = answer(public(self._found(request)))
        response.headers.update(_POLL)
        return response

    async def update(self, request: web.Request) -> web.Response:
        run = self._found(request)
        metadata = checked_metadata((await body_of(request, ("metadata",))).get("metadata"))
        return self._shown({**run, "metadata": metadata})

    async def cancel(self, request: web.Request) -> web.Response:
        run = self._found(request)
        if run["status"] not in _ACTIVE:
            raise error(400, f"Cannot cancel run with status '{run['status']}'.")
        return self._shown({**run, "status": "cancelled", "cancelled_at": self._state.now(), "required_action": None})

    async def submit(self, request: web.Request) -> web.Response:
        run = self._found(request)
        body = await body_of(request)
        OUTPUTS(body, "")
        if run["status"] != "requires_action":
            raise error(400, f'Runs in status "{run["status"]}" do not accept tool outputs.')
        outputs = {item.get("tool_call_id"): item.get("output") or "" for item in body["tool_outputs"]}
        asked = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
        if set(outputs) != set(asked):
            raise error(400, f"Expected tool outputs for call_ids {asked}, got {list(outputs)}")
        texts = [outputs[key] for key in asked]
        return self._shown({**run, "status": "queued", "required_action": None, "_outputs": texts, "_due": time.time()})

    async def steps(self, request: web.Request) -> web.Response:
        return answer(page(request, run_objects.steps(self._found(request))))

    async def step(self, request: web.Request) -> web.Response:
        key = request.match_info["step"]
        step = run_objects.steps(self._found(request)).get(key)
        if step is None:
            raise not_found("run step", key)
        return answer(step)
