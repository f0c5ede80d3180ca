"""POST /v1/responses and what belongs to a stored response.

The model is the one in `sandbox.answers`; this module is the API around it: what it accepts, refuses, remembers and
echoes. It never streams.
"""

import asyncio

from aiohttp import web

from sandbox import answers
from sandbox.answers import Context
from sandbox.errors import ApiError
from sandbox.gate import answer
from sandbox.openai import items as item_rules
from sandbox.openai import models, tools
from sandbox.openai.conversations import Conversations
from sandbox.openai.wire import body_of, checked_metadata, error, invalid, missing, page, wrong_type
from sandbox.state import Json, new_id, public
from sandbox.world import World

_TABLE = "responses"
_KNOWN = frozenset(
    [
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
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
    "user": None,
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Responses:
    """Handlers of /v1/responses."""

    def __init__(self, world: World, conversations: Conversations) -> None:
        self._world = world
        self._conversations = conversations

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/responses", self.create),
            web.post("/v1/responses/input_tokens", self.input_tokens),
            web.get("/v1/responses/{response}", self.get),
            web.delete("/v1/responses/{response}", self.delete),
            web.get("/v1/responses/{response}/input_items", self.input_items),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = await body_of(request, _KNOWN)
        _check(body)
        offered = tools.for_response(body.get("tools"), self._world.state)
        given = item_rules.accepted(body.get("input", []))
        conversation = self._conversations.named_by(body.get("conversation"))
        if conversation is None:
            return answer(
                public(await self._respond(body, offered, given, self._chain(body.get("previous_response_id")), None))
            )
        with self._conversations.locked(conversation):
            response = await self._respond(body, offered, given, self._conversations.items(conversation), conversation)
            self._conversations.append(conversation, [*given, *response["output"]])
        return answer(public(response))

    async def _respond(
        self, body: Json, offered: list[Json], given: list[Json], earlier: list[Json], conversation: str | None
    ) -> Json:
        known = [*earlier, *given]
        item_rules.check_calls(known)
        context = item_rules.context_of(known, _speaker(body), body.get("instructions") or "")
        await asyncio.sleep(max(self._world.settings.values.think_seconds, answers.think_seconds(context)))
        response = self._response(body, offered, _output(body, offered, context), _input_tokens(known, body))
        response["conversation"] = {"id": conversation} if conversation else None
        if response["store"]:
            self._world.state.put(_TABLE, response["id"], {**response, "_input": given})
        return response

    def _response(self, body: Json, offered: list[Json], output: list[Json], input_tokens: int) -> Json:
        echoed = {name: body[name] if body.get(name) is not None else default for name, default in _ECHOED.items()}
        spent = sum(
            answers.tokens(item_rules.text_of(item.get("content") or item.get("arguments", ""))) for item in output
        )
        incomplete = _cut(output, echoed["max_output_tokens"])
        now = self._world.now()
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
            "metadata": checked_metadata(body.get("metadata")),
            "reasoning": {"effort": "medium", "summary": None, **(body.get("reasoning") or {})},
            "service_tier": "default",
            "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
            "tools": offered,
            "usage": _usage(input_tokens, min(spent, echoed["max_output_tokens"]) if incomplete else spent),
        }

    def _chain(self, previous: str | None) -> list[Json]:
        """The items of all earlier responses in a chain, oldest first."""
        links: list[list[Json]] = []
        while previous:
            response = self._world.state.get(_TABLE, previous)
            if response is None:
                message = f"Previous response with id '{previous}' not found."
                raise error(400, message, param="previous_response_id", code="previous_response_not_found")
            links.append([*response["_input"], *response["output"]])
            previous = response["previous_response_id"]
        return [item for link in reversed(links) for item in link]

    def _stored(self, request: web.Request) -> Json:
        key = request.match_info["response"]
        response = self._world.state.get(_TABLE, key)
        if response is None:
            raise error(404, f"Response with id '{key}' not found.")
        return response

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._stored(request)))

    async def delete(self, request: web.Request) -> web.Response:
        key = self._stored(request)["id"]
        self._world.state.delete(_TABLE, key)
        return answer({"id": key, "object": "response", "deleted": True})

    async def input_items(self, request: web.Request) -> web.Response:
        return answer(page(request, {item["id"]: item for item in self._stored(request)["_input"]}))

    async def input_tokens(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        given = item_rules.accepted(body.get("input", []))
        count = _input_tokens([*self._chain(body.get("previous_response_id")), *given], body)
        return answer({"object": "response.input_tokens", "input_tokens": count})


def _check(body: Json) -> None:
    """Raises what OpenAI answers to parameters it does not take."""
    if body.get("model") is None:
        raise missing("model")
    models.require(body["model"])
    if body.get("conversation") and body.get("previous_response_id"):
        message = (
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Only one of them can be given."
        )
        raise error(400, message, param="conversation", code="mutually_exclusive_parameters")
    if body.get("input") is None and not body.get("conversation"):
        raise missing("input")
    for name in ("temperature", "top_p"):
        if body.get(name) is not None and models.reasons(body["model"]):
            raise invalid(
                name, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter"
            )
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None and effort not in _EFFORTS:
        supported = ", ".join(f"'{item}'" for item in _EFFORTS)
        raise invalid("reasoning.effort", f"Invalid value: '{effort}'. Supported values are: {supported}.")
    _check_numbers(body)
    if body.get("truncation") not in (None, "auto", "disabled"):
        raise invalid(
            "truncation", f"Invalid value: '{body['truncation']}'. Supported values are: 'auto' and 'disabled'."
        )
    if body.get("stream") or body.get("background"):
        raise _not_offered("stream" if body.get("stream") else "background")


def _check_numbers(body: Json) -> None:
    for name, least in (("max_output_tokens", 16), ("max_tool_calls", 1)):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(name, "an integer")
        if value < least:
            message = (
                f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
            )
            raise invalid(name, message, "integer_below_min_value")


def _not_offered(name: str) -> ApiError:
    return invalid(
        name,
        f"This stand-in for the OpenAI API does not do '{name}'; send the request without it.",
        "unsupported_parameter",
    )


def _speaker(body: Json) -> str:
    metadata = checked_metadata(body.get("metadata"))
    model: str = body["model"]
    return metadata.get("client") or metadata.get("assistant") or model


def _output(body: Json, offered: list[Json], context: Context) -> list[Json]:
    functions = tools.functions_of(offered)
    choice = body.get("tool_choice") or "auto"
    forced = (
        choice.get("name")
        if isinstance(choice, dict)
        else next(iter(functions), None)
        if choice == "required"
        else None
    )
    if choice == "none":
        calls = []
    elif forced in functions and not context.outputs:
        calls = [answers.forced_call(forced, functions[forced], context)]
    else:
        calls = answers.function_calls(context, functions)
    if calls:
        kept = calls if body.get("parallel_tool_calls", True) else calls[:1]
        return [item_rules.call_item(call.name, call.arguments) for call in kept]
    return [item_rules.output_message(answers.reply(context))]


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


def _input_tokens(known: list[Json], body: Json) -> int:
    words = [
        item_rules.text_of(item.get("content") or item.get("output") or item.get("arguments") or "") for item in known
    ]
    return sum(answers.tokens(word) for word in [*words, body.get("instructions") or ""])


def _usage(given: int, spent: int) -> Json:
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": spent,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + spent,
    }
