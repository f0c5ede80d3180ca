"""/v1/threads/{id}/runs: an assistant at work on a thread.

A run is a matter of time, not of a task: it is due at an instant, and whoever looks after that instant finds it
finished. So it survives a restart, and a thread has one active run at most, as OpenAI holds it.
"""

import time

from aiohttp import web

from sandbox import answers
from sandbox.answers import Context
from sandbox.gate import answer
from sandbox.openai import assistants, models, tools
from sandbox.openai.assistants import require_api
from sandbox.openai.items import text_of
from sandbox.openai.threads import Threads
from sandbox.openai.wire import body_of, checked_metadata, error, invalid, missing, not_found, page
from sandbox.state import Json, new_id, public
from sandbox.world import World

_ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")
_KNOWN = frozenset(
    [
        "assistant_id",
        "model",
        "instructions",
        "additional_instructions",
        "additional_messages",
        "tools",
        "metadata",
        "temperature",
        "top_p",
        "stream",
        "max_prompt_tokens",
        "max_completion_tokens",
        "truncation_strategy",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "thread",
        "tool_resources",
    ]
)
_LIFETIME = 600
_POLL = {"openai-poll-after-ms": "20"}
"""What the SDK's polling obeys; a real server asks for longer."""


class Runs:
    """Handlers of /v1/threads/{id}/runs."""

    def __init__(self, world: World, threads: Threads) -> None:
        self._world = world
        self._threads = threads
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
        for run in list(self._world.state.values(f"runs/{thread}")):
            if run["status"] in _ACTIVE and self._settled(run)["status"] in _ACTIVE:
                run_id: str = run["id"]
                return run_id
        return None

    async def create_with_thread(self, request: web.Request) -> web.Response:
        require_api(self._world, request)
        body = await body_of(request, _KNOWN)
        self._assistant(body)
        return self._start(self._threads.open(body.get("thread") or {})["id"], body)

    async def create(self, request: web.Request) -> web.Response:
        thread = self._threads.found(request)["id"]
        body = await body_of(request, _KNOWN)
        self._assistant(body)
        if (run := self.active(thread)) is not None:
            raise error(400, f"Thread {thread} already has an active run {run}.")
        for message in body.get("additional_messages") or []:
            self._threads.add(thread, message)
        return self._start(thread, body)

    def _assistant(self, body: Json) -> Json:
        if body.get("assistant_id") is None:
            raise missing("assistant_id")
        if body.get("stream"):
            raise invalid(
                "stream", "This stand-in for the OpenAI API does not do 'stream'; send the request without it."
            )
        assistant = self._world.state.get(assistants.TABLE, body["assistant_id"])
        if assistant is None:
            raise not_found("assistant", body["assistant_id"])
        models.require(body.get("model") or assistant["model"])
        return assistant

    def _start(self, thread: str, body: Json) -> web.Response:
        assistant = self._assistant(body)
        now = self._world.now()
        added = body.get("additional_instructions")
        instructions = body.get("instructions") or assistant["instructions"] or ""
        run: Json = {
            "id": new_id("run_", 24),
            "object": "thread.run",
            "created_at": now,
            "thread_id": thread,
            "assistant_id": assistant["id"],
            "status": "queued",
            "required_action": None,
            "last_error": None,
            "expires_at": now + _LIFETIME,
            "started_at": None,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": None,
            "incomplete_details": None,
            "model": body.get("model") or assistant["model"],
            "instructions": f"{instructions}\n\n{added}" if added else instructions,
            "tools": tools.for_assistant(body["tools"] if body.get("tools") is not None else assistant["tools"]),
            "metadata": checked_metadata(body.get("metadata")),
            "usage": None,
            "temperature": body.get("temperature") or assistant["temperature"],
            "top_p": body.get("top_p") or assistant["top_p"],
            "max_prompt_tokens": body.get("max_prompt_tokens"),
            "max_completion_tokens": body.get("max_completion_tokens"),
            "truncation_strategy": body.get("truncation_strategy") or {"type": "auto", "last_messages": None},
            "tool_choice": body.get("tool_choice") or "auto",
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "response_format": body.get("response_format") or assistant["response_format"] or "auto",
            "reasoning_effort": body.get("reasoning_effort"),
            "_name": assistant["name"] or assistant["model"],
        }
        thinks = max(self._world.settings.values.think_seconds, answers.think_seconds(self._context(run)))
        return self._shown({**run, "_due": time.time() + thinks})

    def _shown(self, run: Json) -> web.Response:
        response = answer(public(self._put(run)))
        response.headers.update(_POLL)
        return response

    def _put(self, run: Json) -> Json:
        return self._world.state.put(f"runs/{run['thread_id']}", run["id"], run)

    def _context(self, run: Json, outputs: tuple[str, ...] = ()) -> Context:
        said: list[str] = []
        turn = 0
        for message in self._threads.messages(run["thread_id"]):
            if message["role"] == "user":
                turn += 1
                said.append(text_of(message["content"]))
            else:
                said = []
        return Context(run.get("_name") or run["model"], run["instructions"], tuple(said), turn, outputs)

    def _settled(self, run: Json) -> Json:
        """The run as it is by now."""
        if run["status"] not in _ACTIVE:
            return run
        if self._world.now() >= run["expires_at"]:
            return self._put({**run, "status": "expired", "required_action": None})
        if run["status"] == "requires_action" or time.time() < run["_due"]:
            return (
                run if run["status"] != "queued" else {**run, "status": "in_progress", "started_at": run["created_at"]}
            )
        return self._finished(run)

    def _finished(self, run: Json) -> Json:
        context = self._context(run, tuple(run.get("_outputs", ())))
        calls = (
            [] if run["tool_choice"] == "none" else answers.function_calls(context, tools.functions_of(run["tools"]))
        )
        started = {**run, "started_at": run["started_at"] or run["created_at"]}
        if calls:
            wanted = [
                {
                    "id": new_id("call_", 24),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in calls
            ]
            action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": wanted}}
            return self._put({**started, "status": "requires_action", "required_action": action})
        text = answers.reply(context)
        message = {"role": "assistant", "content": text}
        said = self._threads.add(run["thread_id"], message, assistant=run["assistant_id"], run=run["id"])
        given, spent = answers.tokens(run["instructions"] + context.text), answers.tokens(text)
        usage = {"prompt_tokens": given, "completion_tokens": spent, "total_tokens": given + spent}
        done = {"status": "completed", "completed_at": self._world.now(), "expires_at": None, "required_action": None}
        return self._put({**started, **done, "usage": usage, "_message": said["id"]})

    def _found(self, request: web.Request) -> Json:
        thread = self._threads.found(request)["id"]
        key = request.match_info["run"]
        run = self._world.state.get(f"runs/{thread}", key)
        if run is None:
            raise not_found("run", key)
        return self._settled(run)

    async def list_all(self, request: web.Request) -> web.Response:
        thread = self._threads.found(request)["id"]
        self.active(thread)
        return answer(page(request, self._world.state.rows(f"runs/{thread}")))

    async def get(self, request: web.Request) -> web.Response:
        response = answer(public(self._found(request)))
        response.headers.update(_POLL)
        return response

    async def update(self, request: web.Request) -> web.Response:
        run = self._found(request)
        return self._shown(
            {**run, "metadata": checked_metadata((await body_of(request, ("metadata",))).get("metadata"))}
        )

    async def cancel(self, request: web.Request) -> web.Response:
        run = self._found(request)
        if run["status"] not in _ACTIVE:
            raise error(400, f"Cannot cancel run with status '{run['status']}'.")
        return self._shown({**run, "status": "cancelled", "cancelled_at": self._world.now(), "required_action": None})

    async def submit(self, request: web.Request) -> web.Response:
        run = self._found(request)
        body = await body_of(request, ("tool_outputs", "stream"))
        if run["status"] != "requires_action":
            raise error(400, f'Runs in status "{run["status"]}" do not accept tool outputs.')
        outputs = {item.get("tool_call_id"): item.get("output") or "" for item in body.get("tool_outputs") or []}
        wanted = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
        if set(outputs) != set(wanted):
            raise error(400, f"Expected tool outputs for call_ids {wanted}, got {list(outputs)}")
        texts = [outputs[key] for key in wanted]
        return self._shown({**run, "status": "queued", "required_action": None, "_outputs": texts, "_due": time.time()})

    def _steps(self, run: Json) -> dict[str, Json]:
        if "_message" not in run:
            return {}
        step = {
            "id": run["id"].replace("run_", "step_"),
            "object": "thread.run.step",
            "created_at": run["created_at"],
            "assistant_id": run["assistant_id"],
            "thread_id": run["thread_id"],
            "run_id": run["id"],
            "type": "message_creation",
            "status": "completed",
            "step_details": {"type": "message_creation", "message_creation": {"message_id": run["_message"]}},
            "last_error": None,
            "expired_at": None,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": run["completed_at"],
            "metadata": {},
            "usage": run["usage"],
        }
        return {str(step["id"]): step}

    async def steps(self, request: web.Request) -> web.Response:
        return answer(page(request, self._steps(self._found(request))))

    async def step(self, request: web.Request) -> web.Response:
        key = request.match_info["step"]
        step = self._steps(self._found(request)).get(key)
        if step is None:
            raise not_found("run step", key)
        return answer(step)
