"""The engine `responses`: OpenAI's Responses API, with nothing stored there.

The history is in our store and is sent with each turn (docs/adr/0008-memory-in-our-store.md). So are the
instructions: a change takes effect with the next turn.

Function calls have effects at the client's endpoint. Each is noted before it is made, so an interrupted turn continues
with the same calls under the same call ids instead of asking the model again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import aiohttp
import structlog

from runtime.content.rendering import for_model
from runtime.engines.answer_text import ended, text_of
from runtime.engines.errors import WORDS_REFUSED, from_call
from runtime.engines.optional_parameters import OptionalParameters
from runtime.engines.port import MAX_ROUNDS, Answer, Request
from runtime.engines.responses_api import CallRefused, ResponsesApi, UnreadableAnswer
from runtime.errors import PermanentError, RequestRefused, TemporaryError
from runtime.memory import finished_calls
from runtime.store.messages.turns import Usage

METADATA_LIMIT = 512
MORE_ROOM = 4
LEAST_ROOM = 2_000
ENOUGH_TOKENS = 8_000
"""An answer that was cut is asked for with four times as many tokens, at least 2,000, and at most as many as the
longest answer that is sent has (REPLY_LIMIT)."""
RETRYABLE_FAILURES = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})

log = structlog.get_logger("runtime.engines")


class ResponsesEngine:
    """Answers with the Responses API."""

    def __init__(self, api: ResponsesApi) -> None:
        self._api = api
        self._optional = OptionalParameters()

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        if request.model is None or request.instructions is None:
            raise PermanentError("The bot has no assistant, so it needs a model and instructions of its own.")
        progress: list[Mapping[str, Any]] = list(request.progress)
        await self._call_functions(request, progress)
        usage = Usage()
        for round_number in range(MAX_ROUNDS + 1):
            response, spent = await self._answered(request, progress, last=round_number == MAX_ROUNDS)
            usage = _sum(usage, spent)
            if response.get("status") == "failed":
                # The calls that it requested before it failed are not made.
                _raise_failed(response.get("error") or {})
            output = [item for item in response["output"] if not _is_cut_call(item)]
            if not any(item.get("type") == "function_call" for item in output):
                text, phase = _text(response)
                cut = _reason(response)
                text = ended(text) if cut else text
                items = _remembered(request, progress, text, phase)
                return Answer(text, items, response.get("model"), usage, incomplete=cut)
            progress += _said_back(output)
            await self._call_functions(request, progress)
        raise PermanentError(f"The model still called functions after {MAX_ROUNDS} rounds.")

    async def _answered(
        self, request: Request, progress: Sequence[Mapping[str, Any]], *, last: bool
    ) -> tuple[dict[str, Any], Usage]:
        """The model's response, and what it cost. One that was cut for its length is made once more with more room."""
        response = await self._create(request, progress, last=last)
        usage = _usage(response)
        room = _more_room(request, response)
        if room is None:
            return response, usage
        log.info("answer_repeated", reason=_reason(response), max_output_tokens=room)
        roomy = replace(request, settings={**request.settings, "max_output_tokens": room})
        response = await self._create(roomy, progress, last=last)
        return response, _sum(usage, _usage(response))

    async def _call_functions(self, request: Request, progress: list[Mapping[str, Any]]) -> None:
        """Makes the calls in `progress` that have no result yet, concurrently, and adds their results."""
        answered = {item["call_id"] for item in progress if item.get("type") == "function_call_output"}
        calls = [item for item in progress if item.get("type") == "function_call" and item["call_id"] not in answered]
        if not calls:
            return
        await request.keep_progress(progress)
        outputs = await asyncio.gather(
            *(request.call_function(call["name"], call["arguments"], call["call_id"]) for call in calls)
        )
        progress += [
            {"type": "function_call_output", "call_id": call["call_id"], "output": output}
            for call, output in zip(calls, outputs, strict=True)
        ]
        await request.keep_progress(progress)

    async def _create(self, request: Request, progress: Sequence[Mapping[str, Any]], *, last: bool) -> dict[str, Any]:
        body = self._optional.trimmed(_body(request, progress, last=last))
        while True:
            try:
                response = await self._api.create(body)
            except CallRefused as error:
                shorter = self._optional.without_refused(body, error)
                if shorter is None:
                    raise from_call(error, request.model) from error
                body = shorter
            except (aiohttp.ClientError, TimeoutError, UnreadableAnswer) as error:
                raise from_call(error, request.model) from error
            else:
                self._optional.accepted(body)
                return response


def _body(request: Request, progress: Sequence[Mapping[str, Any]], *, last: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": request.model,
        "instructions": request.instructions,
        "input": [*request.history, *_told(request), *_said(request), *progress],
        "store": False,
        "truncation": "auto",
        "metadata": {
            "client": request.client[:METADATA_LIMIT],
            "assistant": request.assistant_name[:METADATA_LIMIT],
        },
        "prompt_cache_key": f"client:{request.client}"[:64],
        "safety_identifier": request.user_hash,
    }
    if request.tools:
        body["tools"] = [dict(tool) for tool in request.tools]
        if last:
            body["tool_choice"] = "none"
    if (effort := request.settings.get("reasoning_effort")) is not None:
        body["reasoning"] = {"effort": effort}
        if effort != "none":
            body["include"] = ["reasoning.encrypted_content"]
    if (limit := request.settings.get("max_output_tokens")) is not None:
        body["max_output_tokens"] = limit
    return body


def _told(request: Request) -> list[dict[str, Any]]:
    """After the history, so that the prefix that a provider caches stays the same from turn to turn."""
    return [] if request.note is None else [{"role": "developer", "content": request.note}]


def _said(request: Request) -> list[dict[str, Any]]:
    return [{"role": "user", "content": for_model(message.content)} for message in request.messages]


def _remembered(
    request: Request, progress: Sequence[Mapping[str, Any]], text: str, phase: str | None
) -> list[Mapping[str, Any]]:
    """The turn's items for later turns: no reasoning, no commentary, the calls with their results."""
    answer = {"role": "assistant", "content": text} | ({"phase": phase} if phase else {})
    return [*_said(request), *finished_calls(progress), answer]


def _usage(response: Mapping[str, Any]) -> Usage:
    counted = response.get("usage") or {}
    details = counted.get("input_tokens_details") or {}
    return Usage(counted.get("input_tokens") or 0, details.get("cached_tokens") or 0, counted.get("output_tokens") or 0)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.cached_tokens + other.cached_tokens,
        one.output_tokens + other.output_tokens,
    )


def _reason(response: Mapping[str, Any]) -> str | None:
    """Why a response stopped before its end; None for a whole one."""
    if response.get("status") != "incomplete":
        return None
    return str((response.get("incomplete_details") or {}).get("reason") or "unknown")


def _more_room(request: Request, response: Mapping[str, Any]) -> int | None:
    """How many tokens an answer needs that was cut for its length; None where asking again does not pay: without a
    limit of ours, or where more would not be sent."""
    limit: int | None = request.settings.get("max_output_tokens")
    if _reason(response) != "max_output_tokens" or limit is None or limit >= ENOUGH_TOKENS:
        return None
    return min(max(limit * MORE_ROOM, LEAST_ROOM), ENOUGH_TOKENS)


def _is_cut_call(item: Mapping[str, Any]) -> bool:
    """Whether it is a function call whose arguments are not all there."""
    return item.get("type") == "function_call" and item.get("status") == "incomplete"


def _text(response: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text for the user, and its phase. Commentary between tool calls is not for the user."""
    parts: list[str] = []
    phase: str | None = None
    for item in response["output"]:
        if item.get("type") == "message" and item.get("phase") in (None, "final_answer"):
            phase = item.get("phase")
            parts += [str(part.get("text") or part.get("refusal") or "") for part in item.get("content") or ()]
    text = text_of(parts)
    if not text:
        reason = (response.get("incomplete_details") or {}).get("reason")
        raise PermanentError(
            f"The model answered with no text ({reason or response.get('status')}); "
            "where the reason is max_output_tokens, raise that setting or lower reasoning_effort."
        )
    return text, phase


def _raise_failed(error: Mapping[str, Any]) -> NoReturn:
    code = error.get("code") or "unknown"
    said = f"The model failed ({code}): {error.get('message') or 'no reason given'}"
    if code in WORDS_REFUSED:
        raise RequestRefused(said, is_for_words=True)
    raise TemporaryError(said) if code in RETRYABLE_FAILURES else PermanentError(said)


def _said_back(output: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Items of an answer in the form in which the API accepts them as input, since it has stored none of them.

    Null is not always accepted in a field in which it is returned. The API looks up reasoning that was not encrypted by
    its id, and items that refer to it, and does not find them.
    """
    items = [{key: value for key, value in item.items() if value is not None} for item in output]
    kept = [item for item in items if item.get("type") != "reasoning" or "encrypted_content" in item]
    if len(kept) < len(items):
        for item in kept:
            item.pop("id", None)
    return kept
