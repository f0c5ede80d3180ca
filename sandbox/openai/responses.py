"""POST /v1/responses and what belongs to a stored response.

The model is the one in `sandbox.answers`; this module is the API around it: what it remembers and echoes. It never
streams.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace

from aiohttp import web

from sandbox import answers, metering
from sandbox.middleware import answer
from sandbox.openai import attachments, model_turn, response_rules, tools
from sandbox.openai import items as item_rules
from sandbox.openai.conversations import Conversations
from sandbox.openai.files import Files
from sandbox.openai.prompt_cache import InputTokens, PromptCache
from sandbox.openai.shapes import checked_metadata
from sandbox.openai.vector_stores import VectorStores
from sandbox.openai.wire import body_of, error, page
from sandbox.state import State
from sandbox.storage import Json, new_id, public

_TABLE = "responses"
_ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "background": False,
}


@dataclass(frozen=True, slots=True)
class _Request:
    """A checked request: its body, its tools with their defaults, its input as items, and the history before it."""

    body: Json
    offered: list[Json]
    given: list[Json]
    earlier: list[Json]
    conversation: str | None

    @property
    def known(self) -> list[Json]:
        return [*self.earlier, *self.given]

    def texts(self) -> list[str]:
        """What the model reads, in that order."""
        words = (item.get("content") or item.get("output") or item.get("arguments") or "" for item in self.known)
        return [self.body.get("instructions") or "", *map(item_rules.text_of, words)]


class Responses:
    """Handlers of /v1/responses."""

    def __init__(self, state: State, conversations: Conversations, files: Files, stores: VectorStores) -> None:
        self._state = state
        self._conversations = conversations
        self._files = files
        self._stores = stores
        self._cache = PromptCache(state.settings.time)
        state.after_reset.append(self._cache.clear)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/responses", self.create),
            web.post("/v1/responses/input_tokens", self.input_tokens),
            web.get("/v1/responses/{response}", self.get),
            web.delete("/v1/responses/{response}", self.delete),
            web.get("/v1/responses/{response}/input_items", self.input_items),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        response_rules.check(body)
        offered = tools.for_response(body.get("tools"), self._state.storage)
        given = self._accepted(body)
        conversation = self._conversations.named_by(body.get("conversation"))
        if conversation is None:
            earlier = self._chain(body.get("previous_response_id"))
            return answer(public(await self._respond(_Request(body, offered, given, earlier, None))))
        with self._conversations.locked(conversation):
            earlier = self._conversations.items(conversation)
            response = await self._respond(_Request(body, offered, given, earlier, conversation))
            self._conversations.append(conversation, [*given, *response["output"]])
        return answer(public(response))

    def _accepted(self, body: Json) -> list[Json]:
        """The checked input, with its pictures and documents."""
        given = item_rules.accepted(body.get("input") or [])
        takes_words_only = body.get("model") == self._state.settings.values.words_only_model
        attachments.check(given, self._files.find, takes_words_only=takes_words_only)
        return given

    async def _respond(self, asked: _Request) -> Json:
        body = asked.body
        item_rules.check_calls(asked.known)
        context = item_rules.context_of(asked.known, _speaker(body), body.get("instructions") or "")
        await asyncio.sleep(max(self._state.settings.values.think_seconds, answers.think_seconds(context)))
        parallel = body.get("parallel_tool_calls") is not False
        choice = body.get("tool_choice")
        turn = model_turn.take(context, asked.offered, choice, parallel=parallel, search=self._stores.find)
        form = (body.get("text") or {}).get("format") or {}
        if form.get("type") == "json_schema" and not turn.calls:
            turn = replace(turn, text=answers.structured(form["name"], form["schema"], context))
        with_results = "file_search_call.results" in (body.get("include") or [])
        response = self._response(asked, model_turn.output_items(turn, context.text, with_results=with_results))
        self._meter(response)
        if response["store"]:
            self._state.storage.put(_TABLE, response["id"], {**response, "_input": asked.given})
        return response

    def _meter(self, response: Json) -> None:
        usage, made = response["usage"], Counter(item["type"] for item in response["output"])
        details = usage["input_tokens_details"]
        cached, written = details["cached_tokens"], details["cache_write_tokens"]
        quantities = {
            "model_input": usage["input_tokens"] - cached - written,
            "model_cached": cached,
            "model_cache_write": written,
            "model_output": usage["output_tokens"],
            "web_search": made["web_search_call"],
            "file_search": made["file_search_call"],
        }
        metering.note(self._state.settings.values.project, response["model"], quantities)

    def _response(self, asked: _Request, output: list[Json]) -> Json:
        body = asked.body
        echoed = {name: body[name] if body.get(name) is not None else default for name, default in _ECHOED.items()}
        incomplete = _cut(output, echoed["max_output_tokens"])
        now = self._state.now()
        return {
            "id": new_id("resp_"),
            "object": "response",
            "created_at": now,
            "completed_at": None if incomplete else now,
            "status": "incomplete" if incomplete else "completed",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if incomplete else None,
            "model": body["model"],
            "output": output,
            **echoed,
            **({"user": body["user"]} if body.get("user") else {}),
            "conversation": {"id": asked.conversation} if asked.conversation else None,
            "metadata": checked_metadata(body.get("metadata")),
            "reasoning": {"effort": "medium", "summary": None, **(body.get("reasoning") or {})},
            "service_tier": "default",
            "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
            "tools": asked.offered,
            "usage": _usage(self._read(asked), output),
        }

    def _read(self, asked: _Request) -> InputTokens:
        body, texts = asked.body, asked.texts()
        if (body.get("prompt_cache_options") or {}).get("mode") == "explicit":
            read = InputTokens(sum(map(answers.tokens, texts)))
        else:
            read = self._cache.read(body["model"], body.get("prompt_cache_key") or "", texts)
        return replace(read, total=read.total + attachments.tokens(asked.known))

    def _chain(self, previous: str | None) -> list[Json]:
        """The items of all earlier responses in a chain, oldest first."""
        links: list[list[Json]] = []
        while previous:
            response = self._state.storage.get(_TABLE, previous)
            if response is None:
                message = f"Previous response with id '{previous}' not found."
                raise error(400, message, param="previous_response_id", code="previous_response_not_found")
            links.append([*response["_input"], *response["output"]])
            previous = response["previous_response_id"]
        return [item for link in reversed(links) for item in link]

    def _stored(self, request: web.Request) -> Json:
        key = request.match_info["response"]
        response = self._state.storage.get(_TABLE, key)
        if response is None:
            raise error(404, f"Response with id '{key}' not found.")
        return response

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._stored(request)))

    async def delete(self, request: web.Request) -> web.Response:
        key = self._stored(request)["id"]
        self._state.storage.delete(_TABLE, key)
        return answer({"id": key, "object": "response", "deleted": True})

    async def input_items(self, request: web.Request) -> web.Response:
        return answer(page(request, {item["id"]: item for item in self._stored(request)["_input"]}))

    async def input_tokens(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        response_rules.check_count(body)
        given = self._accepted(body)
        asked = _Request(body, [], given, self._chain(body.get("previous_response_id")), None)
        count = sum(map(answers.tokens, asked.texts())) + attachments.tokens(asked.known)
        return answer({"object": "response.input_tokens", "input_tokens": count})


def _speaker(body: Json) -> str:
    metadata = checked_metadata(body.get("metadata"))
    model: str = body["model"]
    return metadata.get("client") or metadata.get("assistant") or model


def _cut(output: list[Json], most: int | None) -> bool:
    """Shortens the answer to its token limit. True when something was cut."""
    if most is None or output[-1]["type"] != "message":
        return False
    part = output[-1]["content"][0]
    if answers.tokens(part["text"]) <= most:
        return False
    part["text"] = part["text"][: most * 4]
    output[-1]["status"] = "incomplete"
    return True


def _usage(given: InputTokens, output: list[Json]) -> Json:
    words = (item.get("content") or item.get("arguments", "") for item in output)
    spent = sum(answers.tokens(item_rules.text_of(item)) for item in words)
    return {
        "input_tokens": given.total,
        "input_tokens_details": {"cached_tokens": given.cached, "cache_write_tokens": given.written},
        "output_tokens": spent,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given.total + spent,
    }
