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

from runtime.content.parts import Attached, Content
from runtime.content.rendering import for_model
from runtime.engines import no_reply, sending
from runtime.engines.answer_text import ended, text_of
from runtime.engines.data_urls import DataUrl
from runtime.engines.errors import WORDS_REFUSED, from_call
from runtime.engines.optional_parameters import OptionalParameters
from runtime.engines.port import MAX_ROUNDS, Answer, Request
from runtime.engines.responses_api import CallRefused, ModelApi, UnreadableAnswer
from runtime.errors import PermanentError, RequestRefused, TemporaryError
from runtime.memory import finished_calls
from runtime.store.usage.quantities import Usage

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

    def __init__(self, api: ModelApi) -> None:
        self._api = api
        self._optional = OptionalParameters()

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        if request.model is None or request.instructions is None:
            raise PermanentError("The bot has no assistant, so it needs a model and instructions of its own.")
        progress: list[Mapping[str, Any]] = list(request.progress)
        await self._call_functions(request, progress)
        usage = Usage()
        if sending.has_offered(progress):
            return Answer("", _remembered(request, progress, "", None), request.model, usage, has_sent=True)
        for round_number in range(MAX_ROUNDS + 1):
            response, spent = await self._answered(request, progress, last=round_number == MAX_ROUNDS)
            usage += spent
            if response.get("status") == "failed":
                # The calls that it requested before it failed are not made.
                _raise_failed(response.get("error") or {})
            output = [item for item in response["output"] if not _is_cut_call(item)]
            if _may_choose_silence(request, progress):
                if no_reply.is_chosen(output) and not _words(response)[0]:
                    return Answer("", (), response.get("model"), usage, is_none=True)
                output = no_reply.without_it(output)
            if not any(item.get("type") == "function_call" for item in output):
                is_sent = sending.has_sent(progress)
                text, phase = _words(response) if is_sent else _text(response)
                cut = _reason(response)
                text = ended(text) if cut and text else text
                items = _remembered(request, progress, text, phase)
                cited = _documents(response)
                return Answer(
                    text, items, response.get("model"), usage, incomplete=cut, documents=cited, has_sent=is_sent
                )
            progress += _said_back(output)
            await self._call_functions(request, progress)
            if sending.has_offered(progress):
                items = _remembered(request, progress, "", None)
                return Answer("", items, response.get("model"), usage, has_sent=True)
        raise PermanentError(f"The model still called functions after {MAX_ROUNDS} rounds.")

    async def _answered(
        self, request: Request, progress: Sequence[Mapping[str, Any]], *, last: bool
    ) -> tuple[dict[str, Any], Usage]:
        """The model's response, and what it cost. One that was cut for its length is made once more with more room."""
        response = await self._create(request, progress, last=last)
        usage = _spent(request, response)
        room = _more_room(request, response)
        if room is None:
            return response, usage
        log.info("answer_repeated", reason=_reason(response), max_output_tokens=room)
        roomy = replace(request, settings={**request.settings, "max_output_tokens": room})
        response = await self._create(roomy, progress, last=last)
        return response, usage + _spent(request, response)

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
        "input": [*request.history, *_told(request), *_shown(request), *progress],
        "store": False,
        "truncation": "auto",
        "metadata": {
            "client": request.client[:METADATA_LIMIT],
            "assistant": request.assistant_name[:METADATA_LIMIT],
        },
        "prompt_cache_key": f"client:{request.client}"[:64],
        "safety_identifier": request.user_hash,
    }
    offered = [no_reply.NO_REPLY_TOOL] if _may_choose_silence(request, progress) else []
    if tools := [dict(tool) for tool in (*request.tools, *offered)]:
        body["tools"] = tools
        if last:
            body["tool_choice"] = "none"
    if (effort := request.settings.get("reasoning_effort")) is not None:
        body["reasoning"] = {"effort": effort}
        if effort != "none":
            body["include"] = ["reasoning.encrypted_content"]
    if (limit := request.settings.get("max_output_tokens")) is not None:
        body["max_output_tokens"] = limit
    return body


def _may_choose_silence(request: Request, progress: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the model may end the turn without an answer: what functions did is for the user to know."""
    return request.offers_no_reply and not progress


def _told(request: Request) -> list[dict[str, Any]]:
    """After the history, so that the prefix that a provider caches stays the same from turn to turn."""
    return [] if request.note is None else [{"role": "developer", "content": request.note}]


def _shown(request: Request) -> list[dict[str, Any]]:
    """What the user sent, with the pictures and documents themselves."""
    return [{"role": "user", "content": _content(message.content)} for message in request.messages]


def _content(content: Content) -> str | list[dict[str, Any]]:
    files = [part for part in content.parts if isinstance(part, Attached)]
    if not files:
        return for_model(content)
    others = tuple(part for part in content.parts if not isinstance(part, Attached))
    words = [{"type": "input_text", "text": for_model(replace(content, parts=others))}] if others else []
    return [*words, *map(_file, files)]


def _file(part: Attached) -> dict[str, Any]:
    url = DataUrl(part.path, part.content_type)
    if part.content_type.startswith("image/"):
        return {"type": "input_image", "detail": part.detail, "image_url": url}
    detail = {"detail": part.detail} if part.content_type == "application/pdf" else {}
    return {"type": "input_file", "filename": part.name, "file_data": url, **detail}


def _said(request: Request) -> list[dict[str, Any]]:
    """The same as it is remembered: each file is a line."""
    return [{"role": "user", "content": for_model(message.content)} for message in request.messages]


def _remembered(
    request: Request, progress: Sequence[Mapping[str, Any]], text: str, phase: str | None
) -> list[Mapping[str, Any]]:
    """The turn's items for later turns: no reasoning, no commentary, the calls with their results."""
    answer = {"role": "assistant", "content": text} | ({"phase": phase} if phase else {})
    return [*_said(request), *finished_calls(progress), *([answer] if text else ())]


def _spent(request: Request, response: Mapping[str, Any]) -> Usage:
    """What a response used, which is noted for the ledger."""
    usage = usage_of(response)
    request.spend(response.get("model") or request.model or "", usage)
    return usage


def usage_of(response: Mapping[str, Any]) -> Usage:
    """The tokens and searches of a response of the Responses API. Searches are counted by their items where the
    provider does not count them itself."""
    counted = response.get("usage") or {}
    details = counted.get("input_tokens_details") or {}
    kinds = [item.get("type") for item in response.get("output") or ()]
    searches = ((response.get("tool_usage") or {}).get("web_search") or {}).get("num_requests")
    return Usage(
        input_tokens=counted.get("input_tokens") or 0,
        cached_tokens=details.get("cached_tokens") or 0,
        output_tokens=counted.get("output_tokens") or 0,
        cache_write_tokens=details.get("cache_write_tokens") or 0,
        web_searches=kinds.count("web_search_call") if searches is None else searches,
        file_searches=kinds.count("file_search_call"),
    )


def _documents(response: Mapping[str, Any]) -> list[str]:
    """The names of the files that the message cites, in order (Responses API: annotations `file_citation`)."""
    parts = (part for item in response["output"] if item.get("type") == "message" for part in item.get("content") or ())
    cited = (note for part in parts for note in part.get("annotations") or () if note.get("type") == "file_citation")
    return list(dict.fromkeys(str(note["filename"]) for note in cited if note.get("filename")))


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


def _words(response: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text for the user, empty where there is none, and its phase. Commentary between tool calls is not for the
    user."""
    parts: list[str] = []
    phase: str | None = None
    for item in response["output"]:
        if item.get("type") == "message" and item.get("phase") in (None, "final_answer"):
            phase = item.get("phase")
            parts += [str(part.get("text") or part.get("refusal") or "") for part in item.get("content") or ()]
    return text_of(parts), phase


def _text(response: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text for the user, and its phase; raises PermanentError when there is none."""
    text, phase = _words(response)
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
