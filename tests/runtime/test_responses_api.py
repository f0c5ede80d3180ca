"""The engine `responses` makes its one call without OpenAI's SDK: both must say and see the same."""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from openai import APIError, AsyncOpenAI
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from runtime.content.parts import Content, Text
from runtime.engines.errors import from_call, from_openai
from runtime.engines.port import Request
from runtime.engines.responses import ResponsesEngine
from runtime.engines.responses_api import MAX_ANSWER_BYTES, CallRefused, ResponsesApi, UnreadableAnswer
from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError
from runtime.store.messages.turns import Usage, WaitingMessage
from tests.sandbox_process import Sandbox

SEARCH = {"type": "web_search", "user_location": {"type": "approximate", "country": "CL"}}
FUNCTION = {
    "type": "function",
    "name": "crear_reserva",
    "description": "",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
BLOCK = b" " * 2**20
HISTORY = [
    {"role": "user", "content": "hola"},
    {"type": "function_call", "call_id": "call_1", "name": "crear_reserva", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
    {"role": "assistant", "content": "¡Hola!", "phase": "final_answer"},
]


def request(text: str, **fields: Any) -> Request:
    async def keep(_kept: object) -> None:
        return

    async def call_function(_name: str, _arguments: str, _call_id: str) -> str:
        return "{}"

    given: dict[str, Any] = {
        "turn_id": 1,
        "client": "la-cocina",
        "assistant_id": "la-cocina",
        "assistant_name": "La Cocina",
        "model": "gpt-6-luna",
        "instructions": "Eres amable.",
        "note": None,
        "tools": [SEARCH, FUNCTION],
        "settings": {"reasoning_effort": "low", "max_output_tokens": 800},
        "history": [json.dumps(item) for item in HISTORY],
        "messages": [WaitingMessage(1, "AC1", "SM1", "whatsapp:+569", "", Content((Text(text),)), "{}")],
        "starts_over": False,
        "user_hash": "ab" * 32,
        "progress": (),
        "keep_progress": keep,
        "spend": lambda _model, _usage: None,
        "call_function": call_function,
        "thread_id": None,
        "keep_thread": keep,
    }
    return Request(**{**given, **fields})


@asynccontextmanager
async def api_at(url: str, seconds: float = 5.0) -> AsyncIterator[ResponsesApi]:
    api = ResponsesApi(url, "sk-sandbox", seconds)
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def server(handler: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_what_is_sent_fits_the_sdk_s_types_and_both_see_the_same_answer(sandbox: Sandbox) -> None:
    async with api_at(sandbox.openai_url) as api:
        answer = await ResponsesEngine(api).answer(request("¿Tienen mesa?"))
    (call,) = sandbox.calls("openai", "POST", "/v1/responses")
    body = call["body"]
    _hold(TypeAdapter(ResponseCreateParamsNonStreaming), body)
    async with AsyncOpenAI(
        base_url=sandbox.openai_url, api_key=sandbox.api_key, _strict_response_validation=True
    ) as client:
        seen = await client.responses.create(**body)
    assert answer.text == seen.output_text
    assert "¿Tienen mesa?" in answer.text
    assert seen.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
        seen.usage.input_tokens,
        seen.usage.output_tokens,
    )
    assert answer.model == seen.model


def _hold(types: TypeAdapter[Any], body: Mapping[str, Any]) -> None:
    """pydantic leaves an Iterable unread until it is iterated."""
    checked = types.validate_python(body)
    for name in ("input", "tools", "include"):
        assert len(list(checked[name])) == len(body[name])


@pytest.mark.parametrize(
    ("status", "error", "headers"),
    [
        (400, {"code": "context_length_exceeded", "param": "input", "message": "too long"}, {}),
        (400, {"code": "conversation_locked", "message": "wait"}, {}),
        (401, {"code": "invalid_api_key", "message": "no"}, {}),
        (403, {"message": "not you"}, {}),
        (400, {"code": "model_not_found", "param": "model", "message": "gone"}, {}),
        (404, {"code": "model_not_found", "message": "gone"}, {}),
        (404, {"type": "invalid_request_error", "message": "vector store"}, {}),
        (408, {"message": "slow"}, {}),
        (409, {"message": "conflict"}, {"retry-after-ms": "1500"}),
        (429, {"code": "rate_limit_exceeded", "message": "slow down"}, {"Retry-After": "7"}),
        (429, {"code": "rate_limit_exceeded", "message": "slow down"}, {"retry-after": "soon"}),
        (429, {"type": "insufficient_quota", "message": "pay"}, {}),
        (500, {"message": "sorry"}, {"retry-after": "999999"}),
        (500, {"message": "sorry"}, {"retry-after-ms": "0", "retry-after": "-5"}),
        (503, None, {}),
    ],
)
async def test_a_refusal_means_the_same_as_through_the_sdk(
    status: int, error: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": error} if error else {}, status=status, headers=headers)

    async with server(refuse) as url:
        ours = await _failure(url)
        async with AsyncOpenAI(base_url=url, api_key="sk-sandbox", max_retries=0) as client:
            with pytest.raises(APIError) as theirs:
                await client.responses.create(model="m", input="hola")
    expected = from_openai(theirs.value, "m")
    assert (type(ours), _delay(ours)) == (type(expected), _delay(expected))
    if error is not None:
        assert str(ours) == str(expected).replace(f"Error code: {status} - ", "")


async def _failure(url: str, seconds: float = 5.0) -> ProviderError:
    async with api_at(url, seconds) as api:
        with pytest.raises((aiohttp.ClientError, TimeoutError, CallRefused, UnreadableAnswer)) as failed:
            await api.create({"model": "m", "input": "hola"})
    return from_call(failed.value, "m")


def _delay(error: ProviderError) -> float | None:
    return error.delay if isinstance(error, TemporaryError) else None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.Response(text="<html>", content_type="text/html"), "not JSON"),
        (web.json_response(["output"]), "not a response object"),
        (web.json_response({"output": "text"}), "not a response object"),
        (web.json_response({"output": ["text"]}), "not a response object"),
        (web.json_response({"output": [{"type": "function_call", "name": "x"}]}), "not a response object"),
        (web.Response(body=b"[" * 100_000, content_type="application/json"), "not JSON"),
    ],
)
async def test_what_is_no_answer_is_tried_again_and_said(answer: web.Response, words: str) -> None:
    async def say(_request: web.Request) -> web.Response:
        return web.Response(body=answer.body, headers={"Content-Type": answer.headers["Content-Type"]})

    async with server(say) as url:
        error = await _failure(url)
    assert isinstance(error, TemporaryError)
    assert words in str(error)


async def test_an_answer_that_does_not_come_and_a_server_that_is_not_there() -> None:
    reached = asyncio.Event()

    async def think(_request: web.Request) -> web.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with server(think) as url:
        late = await _failure(url, seconds=0.3)
        assert reached.is_set()
    gone = await _failure(url)
    assert isinstance(late, TemporaryError)
    assert isinstance(gone, TemporaryError)
    assert ("MODEL_TIMEOUT_SECONDS" in str(late), "OPENAI_BASE_URL" in str(gone)) == (True, True)


async def test_what_was_sent_is_not_kept_while_the_model_thinks() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def thinking(asking: web.Request) -> web.Response:
        size = sum([len(part) async for part in asking.content.iter_any()])
        asked.set()
        await may_answer.wait()
        return web.json_response({"object": "response", "output": [], "size": size})

    async with server(thinking) as url, api_at(url) as api:
        body = {"model": "gpt-6-luna", "input": "a" * 2**19}
        tracemalloc.start()
        try:
            asking = asyncio.create_task(api.create(body))
            await asked.wait()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        may_answer.set()
        assert (await asking)["size"] > 2**19
    assert kept < 2**19


async def test_the_conversation_and_the_key_do_not_follow_a_redirect() -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with server(redirect) as url:
        error = await _failure(url)
    assert asked == ["/v1/responses"]
    assert isinstance(error, PermanentError)


async def test_a_missing_key_is_the_provider_s_to_refuse(sandbox: Sandbox) -> None:
    api = ResponsesApi(sandbox.openai_url, None, 5.0)
    try:
        with pytest.raises(KeyRefused, match="OPENAI_API_KEY"):
            await ResponsesEngine(api).answer(request("hola"))
    finally:
        await api.close()


def _refusing(refused: Sequence[str], asked: list[dict[str, Any]]) -> Any:
    async def answer(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        asked.append(body)
        for name in refused:
            if name in body:
                error = {"message": "unknown", "param": f"{name}.effort", "code": "unsupported_parameter"}
                return web.json_response({"error": error}, status=400)
        content = [{"type": "output_text", "text": "Hola."}]
        return web.json_response({"output": [{"type": "message", "content": content}], "status": "completed"})

    return answer


async def test_a_model_that_cannot_reason_is_asked_without_it_from_then_on() -> None:
    asked: list[dict[str, Any]] = []
    async with server(_refusing(["reasoning"], asked)) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        answers = [await engine.answer(request("uno")), await engine.answer(request("dos"))]
    assert [answer.text for answer in answers] == ["Hola.", "Hola."]
    assert ["reasoning" in body for body in asked] == [True, False, False]


HELLO = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "Hola."}]}], "status": "completed"}


def _in_its_own_words(name: str, status: int, words: object, asked: list[dict[str, Any]]) -> Any:
    """A server that refuses whatever has this parameter, with this body."""

    async def answer(request: web.Request) -> web.Response:
        asked.append(json.loads(await request.read()))
        if name not in asked[-1]:
            return web.json_response(HELLO)
        return web.Response(text=words if isinstance(words, str) else json.dumps(words), status=status)

    return answer


FORBIDDEN = (
    "[{'type': 'extra_forbidden', 'loc': ('body', 'prompt_cache_key'), 'msg': 'Extra inputs are not permitted'}]"
)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("safety_identifier", 400, {"error": {"message": "Unknown parameter.", "param": "safety_identifier"}}),
        ("metadata", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "metadata"], "msg": "Extra"}]}),
        ("prompt_cache_key", 400, {"error": {"message": FORBIDDEN, "type": "BadRequestError", "code": 400}}),
        ("store", 400, {"error": "property 'store' is unsupported"}),
        ("truncation", 400, {"message": "`truncation` is not implemented"}),
        ("truncation", 500, {"detail": "Internal server error: truncation is not supported yet"}),
        ("truncation", 500, {"detail": "Internal server error: An unexpected error occurred."}),
        ("truncation", 500, "<html><body>Internal Server Error</body></html>"),
        ("max_output_tokens", 400, {"error": {"message": "Unsupported parameter: 'max_output_tokens'."}}),
    ],
)
async def test_a_parameter_that_a_server_does_not_know_is_withdrawn_and_not_sent_again(
    name: str, status: int, words: object
) -> None:
    asked: list[dict[str, Any]] = []
    async with server(_in_its_own_words(name, status, words, asked)) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        answers = [await engine.answer(request(text)) for text in ("uno", "dos")]

    assert [answer.text for answer in answers] == ["Hola.", "Hola."]
    assert [name in body for body in asked] == [True, False, False]
    assert [sorted(asked[0].keys() - body.keys()) for body in asked] == [[], [name], [name]]


async def test_a_server_that_knows_few_parameters_is_asked_with_those() -> None:
    asked: list[dict[str, Any]] = []
    unknown = ("include", "metadata", "prompt_cache_key", "reasoning", "safety_identifier", "store", "truncation")

    async def answer(request: web.Request) -> web.Response:
        asked.append(json.loads(await request.read()))
        for name in unknown:
            if name in asked[-1]:
                return web.json_response({"detail": f"Unexpected field '{name}'"}, status=422)
        return web.json_response(HELLO)

    async with server(answer) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        await engine.answer(request("uno"))
        before = len(asked)
        await engine.answer(request("dos"))

    assert sorted(asked[-1]) == ["input", "instructions", "max_output_tokens", "model", "tools"]
    assert len(asked) == before + 1


async def test_what_one_model_refuses_is_sent_to_another() -> None:
    asked: list[dict[str, Any]] = []
    words = {"error": {"message": "Unknown.", "param": "truncation"}}
    async with server(_in_its_own_words("truncation", 400, words, asked)) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        for model in ("old", "old", "new"):
            await engine.answer(request("hola", model=model))

    assert [(body["model"], "truncation" in body) for body in asked] == [
        ("old", True),
        ("old", False),
        ("old", False),
        ("new", True),
        ("new", False),
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "The vector store vs_1 has expired.", "code": "invalid_request_error"}),
        (400, {"message": "Invalid 'max_output_tokens': below 16.", "param": "max_output_tokens", "code": "too_small"}),
        (400, {"message": "Invalid 'input[0]'.", "param": "input[0].content", "code": "invalid_value"}),
        (500, {"message": "The server had an error.", "type": "server_error"}),
        (403, {"message": "Not with 'metadata'."}),
    ],
)
async def test_what_was_refused_for_another_reason_is_not_asked_again(status: int, error: Mapping[str, Any]) -> None:
    asked: list[dict[str, Any]] = []
    async with server(_in_its_own_words("model", status, {"error": error}, asked)) as url, api_at(url) as api:
        with pytest.raises((PermanentError, TemporaryError), match=re.escape(str(error["message"]))):
            await ResponsesEngine(api).answer(request("hola"))

    assert len(asked) == 1


async def test_a_server_that_has_answered_is_not_suspected_of_a_parameter_when_it_fails() -> None:
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(json.loads(await request.read()))
        return web.json_response(HELLO) if len(asked) == 1 else web.Response(status=500, text="Oh.")

    async with server(answer) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        await engine.answer(request("uno"))
        with pytest.raises(TemporaryError, match="Oh"):
            await engine.answer(request("dos"))

    assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        # Read as often as it is opened, this would take hours.
        (503, {"detail": "no upstream " + "<script> " * 200_000}, "OpenAI failed (503): no upstream"),
        (503, {"detail": "no healthy upstream"}, "OpenAI failed (503): no healthy upstream"),
        (500, {"error": "CUDA out of memory"}, "OpenAI failed (500): CUDA out of memory"),
        (502, "<html><head><style>p {}</style></head><body><h1>Bad  Gateway</h1>\n</body></html>", "Bad Gateway"),
        (400, {"detail": [{"loc": ["body", "input"], "msg": "Field required"}]}, "body.input: Field required"),
        (403, {"message": "sk-sandbox, sk-proj-abcDEF123 and \x1b[2J"}, "(403): …, sk-… and [2J"),
        (429, {"error": {"message": "Tokens per minute."}}, "OpenAI is limiting us (429): Tokens per minute."),
        (401, {"error": {"message": "Incorrect API key: sk-sandbox"}}, "check OPENAI_API_KEY."),
        (200, "<p>Please log in</p>", "not JSON: Please log in"),
        (500, "x" * 100_000, "OpenAI failed (500): " + "x" * 300),
    ],
)
async def test_a_server_s_reason_is_kept_in_one_line_without_a_key(status: int, words: object, said: str) -> None:
    async with server(_in_its_own_words("model", status, words, [])) as url:
        error = str(await _failure(url))

    assert error.endswith(said)
    assert "sandbox" not in error


async def test_a_pause_of_nothing_is_none() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({}, status=500, headers={"Retry-After": "nan", "retry-after-ms": "-1"})

    async with server(refuse) as url:
        assert _delay(await _failure(url)) is None


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
async def test_an_answer_without_end_is_not_taken_into_memory(headers: Mapping[str, str]) -> None:
    written = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        pack = zlib.compressobj(wbits=31) if headers else None
        with suppress(ConnectionError):
            while written < MAX_ANSWER_BYTES * 4:
                await response.write(pack.compress(BLOCK) + pack.flush(zlib.Z_SYNC_FLUSH) if pack else BLOCK)
                written += len(BLOCK)
        return response

    async with server(pour) as url:
        error = await _failure(url)
    assert isinstance(error, TemporaryError)
    assert "more than 16 MiB" in str(error)
    # Packed, all of it fits into what is under way between two sockets.
    assert written < MAX_ANSWER_BYTES * 4 or headers


def _calling(first: Mapping[str, Any], asked: list[dict[str, Any]]) -> Any:
    """A model that answers this first, and says hello then."""
    content = [{"type": "output_text", "text": "Hola."}]
    hello = {"output": [{"type": "message", "content": content}], "status": "completed"}

    async def answer(request: web.Request) -> web.Response:
        asked.append(json.loads(await request.read()))
        return web.json_response(first if len(asked) == 1 else hello)

    return answer


CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "crear_reserva", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None}


async def test_a_failed_response_calls_no_function() -> None:
    called: list[str] = []

    async def call_function(name: str, _arguments: str, _call_id: str) -> str:
        called.append(name)
        return "{}"

    failed = {"status": "failed", "error": {"code": "server_error", "message": "Oh."}, "output": [CALL]}
    async with server(_calling(failed, [])) as url, api_at(url) as api:
        with pytest.raises(TemporaryError, match="Oh"):
            await ResponsesEngine(api).answer(request("hola", call_function=call_function))
    assert called == []


def _stopped(reason: str, *output: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "incomplete", "incomplete_details": {"reason": reason}, "output": list(output)}


SAID = {"type": "message", "content": [{"type": "output_text", "text": "Abrimos el lunes. Cerramos el mar"}]}


async def test_an_answer_that_a_filter_stopped_is_cut_and_not_asked_for_again() -> None:
    asked: list[dict[str, Any]] = []
    async with server(_calling(_stopped("content_filter", SAID), asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("hola"))
    assert len(asked) == 1
    assert (answer.text, answer.incomplete) == ("Abrimos el lunes. …", "content_filter")
    assert answer.items[-1]["content"] == "Abrimos el lunes. …"


@pytest.mark.parametrize(
    ("limit", "room"),
    [(16, 2_000), (800, 3_200), (4_000, 8_000), (8_000, None), (None, None)],
)
async def test_more_room_is_given_where_it_pays(limit: int | None, room: int | None) -> None:
    asked: list[dict[str, Any]] = []
    settings = {} if limit is None else {"max_output_tokens": limit}
    async with server(_calling(_stopped("max_output_tokens", SAID), asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("hola", settings=settings))
    assert [body.get("max_output_tokens") for body in asked] == [limit, *([room] if room else [])]
    assert (answer.text, answer.incomplete) == (
        ("Hola.", None) if room else ("Abrimos el lunes. …", "max_output_tokens")
    )


async def test_an_answer_that_was_spent_on_thought_is_made_with_more_room() -> None:
    asked: list[dict[str, Any]] = []
    async with server(_calling(_stopped("max_output_tokens", THOUGHT), asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("hola"))
    assert (answer.text, len(asked)) == ("Hola.", 2)


async def test_a_call_whose_arguments_were_cut_is_not_made() -> None:
    called: list[str] = []

    async def call_function(name: str, arguments: str, _call_id: str) -> str:
        called.append(name + arguments)
        return "{}"

    cut = {**CALL, "call_id": "c2", "arguments": '{"personas": ', "status": "incomplete"}
    stopped = _stopped("content_filter", CALL, cut)
    asked: list[dict[str, Any]] = []
    async with server(_calling(stopped, asked)) as url, api_at(url) as api:
        await ResponsesEngine(api).answer(request("hola", call_function=call_function))
    assert called == ["crear_reserva{}"]
    assert "c2" not in str(asked[1])


@pytest.mark.parametrize("cipher", [None, "abc"])
async def test_reasoning_is_said_back_only_in_cipher_since_nobody_keeps_it(cipher: str | None) -> None:
    asked: list[dict[str, Any]] = []
    first = {"status": "completed", "output": [{**THOUGHT, "encrypted_content": cipher}, CALL]}
    async with server(_calling(first, asked)) as url, api_at(url) as api:
        await ResponsesEngine(api).answer(request("hola"))
    said = [item for item in asked[1]["input"] if item.get("call_id") == "c1" or item.get("type") == "reasoning"]
    assert [item["type"] for item in said] == [
        *(["reasoning"] if cipher else []),
        "function_call",
        "function_call_output",
    ]
    assert ("fc_1" in [item.get("id") for item in said]) == bool(cipher)


async def test_a_model_that_reasons_without_cipher_is_asked_without_it() -> None:
    asked: list[dict[str, Any]] = []
    async with server(_refusing(["include"], asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("uno"))
    assert answer.text == "Hola."
    assert ["include" in body for body in asked] == [True, False]


NO_REPLY = {"type": "function_call", "id": "fc_9", "call_id": "c9", "name": "no_reply", "arguments": "{}"}
ENCRYPTED = {**THOUGHT, "encrypted_content": "abc"}
COMMENT = {**SAID, "phase": "commentary"}
EMPTY = {"type": "message", "content": [{"type": "output_text", "text": " "}]}


@pytest.mark.parametrize(
    "output",
    [
        [NO_REPLY],
        [ENCRYPTED, NO_REPLY],
        [NO_REPLY, {**NO_REPLY, "call_id": "c8"}],
        [COMMENT, NO_REPLY],
        [EMPTY, NO_REPLY],
    ],
    ids=["alone", "after a thought", "twice", "after a comment", "beside nothing"],
)
async def test_a_model_that_calls_no_reply_alone_says_nothing(output: list[dict[str, Any]]) -> None:
    asked: list[dict[str, Any]] = []
    usage = {"input_tokens": 700, "input_tokens_details": {"cached_tokens": 500}, "output_tokens": 9}
    first = {"status": "completed", "output": output, "model": "gpt-6-luna", "usage": usage}
    async with server(_calling(first, asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("gracias", offers_no_reply=True))
    assert (answer.is_none, answer.text, answer.items) == (True, "", ())
    assert (answer.model, answer.usage) == ("gpt-6-luna", Usage(700, 500, 9))
    (body,) = asked
    assert [tool.get("name") for tool in body["tools"]] == [None, "crear_reserva", "no_reply"]


async def test_a_tool_that_is_not_offered_is_a_function_like_any_other() -> None:
    called: list[str] = []

    async def call_function(name: str, _arguments: str, _call_id: str) -> str:
        called.append(name)
        return "{}"

    asked: list[dict[str, Any]] = []
    async with server(_calling({"status": "completed", "output": [NO_REPLY]}, asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("hola", call_function=call_function))
    assert (answer.is_none, answer.text, called) == (False, "Hola.", ["no_reply"])
    assert "no_reply" not in str(asked[0]["tools"])


async def test_words_win_over_no_reply() -> None:
    asked: list[dict[str, Any]] = []
    first = {"status": "completed", "output": [SAID, NO_REPLY]}
    async with server(_calling(first, asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("ok", offers_no_reply=True))
    assert (answer.text, len(asked)) == ("Abrimos el lunes. Cerramos el mar", 1)
    assert "no_reply" not in str(answer.items)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ([CALL, NO_REPLY], ["function_call", "function_call_output"]),
        ([ENCRYPTED, NO_REPLY, CALL], ["reasoning", "function_call", "function_call_output"]),
        ([CALL, ENCRYPTED, NO_REPLY], ["function_call", "function_call_output"]),
    ],
)
async def test_another_call_wins_over_no_reply_and_then_there_is_no_choice(
    output: list[dict[str, Any]], said: list[str]
) -> None:
    asked: list[dict[str, Any]] = []
    first = {"status": "completed", "output": output}
    async with server(_calling(first, asked)) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("ok", offers_no_reply=True, history=()))
    assert answer.text == "Hola."
    assert [item["type"] for item in asked[1]["input"] if "type" in item] == said
    assert ["no_reply" in str(body) for body in asked] == [True, False]


async def test_what_functions_did_before_an_interruption_is_answered() -> None:
    asked: list[dict[str, Any]] = []
    done = [CALL, {"type": "function_call_output", "call_id": "c1", "output": "{}"}]
    async with server(_calling(HELLO, asked)) as url, api_at(url) as api:
        await ResponsesEngine(api).answer(request("ok", offers_no_reply=True, progress=done))
    assert "no_reply" not in str(asked[0]["tools"])


NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


async def test_a_server_that_takes_no_tools_is_not_offered_this_one_again_but_those_of_the_assistant() -> None:
    asked: list[dict[str, Any]] = []
    words = {"error": {"message": NO_TOOLS, "type": "BadRequestError", "param": None, "code": 400}}
    bare: dict[str, Any] = {"tools": (), "offers_no_reply": True}
    async with server(_in_its_own_words("tools", 400, words, asked)) as url, api_at(url) as api:
        engine = ResponsesEngine(api)
        answers = [await engine.answer(request(text, **bare)) for text in ("ok", "ya")]
        with pytest.raises(PermanentError, match="auto"):
            await engine.answer(request("hola"))
    assert [answer.text for answer in answers] == ["Hola.", "Hola."]
    assert ["tools" in body for body in asked] == [True, False, False, True]


async def test_an_answer_with_half_a_surrogate_pair_is_read() -> None:
    async def cut(_request: web.Request) -> web.Response:
        item = r'{"type": "message", "content": [{"type": "output_text", "text": "Hola \ud83d"}]}'
        return web.Response(text=f'{{"status": "completed", "output": [{item}]}}', content_type="application/json")

    async with server(cut) as url, api_at(url) as api:
        answer = await ResponsesEngine(api).answer(request("Hola"))

    assert answer.text == "Hola \ud83d"
