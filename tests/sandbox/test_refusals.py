"""The sandbox is never laxer than the providers: what their descriptions and SDKs refuse, it refuses as they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.bad_requests import bad_requests, bad_texts, properties_of
from tests.sandbox.conftest import NUMBER, USER
from tests.sandbox.descriptions import FOLDER, Description, described
from tests.sandbox_process import Sandbox

MODEL = "gpt-6-luna"
FUNCTION: Any = {"name": "reservar", "parameters": {"type": "object", "properties": {}}}
FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"
Send = Callable[..., requests.Response]


@pytest.fixture
def openai_call(sandbox: Sandbox) -> Iterator[Send]:
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "OpenAI-Beta": "assistants=v2"}
    with requests.Session() as session:
        session.headers.update(headers)
        yield lambda path, body, **more: session.post(f"{sandbox.openai_url}{path}", json=body, timeout=20, **more)


@pytest.fixture
def twilio_call(sandbox: Sandbox) -> Iterator[Send]:
    with requests.Session() as session:
        session.auth = (sandbox.account_sid, sandbox.auth_token)
        yield lambda path, body=None, **more: session.post(f"{sandbox.twilio_url}{path}", json=body, timeout=20, **more)


def made(answer: requests.Response) -> str:
    """The id of what a request made."""
    assert answer.status_code < 300, answer.text
    document = answer.json()
    return str(document.get("id") or document["sid"])


def bodies(call: Send) -> dict[str, dict[str, Any]]:
    """A good body for each path that takes JSON, with as little in it as may be."""
    assistant = made(call("/assistants", {"model": MODEL}))
    thread = made(call("/threads", {}))
    run = made(call(f"/threads/{thread}/runs", {"assistant_id": assistant}))
    store = made(call("/vector_stores", {}))
    conversation = made(call("/conversations", {}))
    return {
        "/assistants": {"model": MODEL},
        f"/assistants/{assistant}": {},
        "/threads": {},
        f"/threads/{thread}": {},
        "/threads/runs": {"assistant_id": assistant},
        f"/threads/{thread}/runs": {"assistant_id": assistant},
        f"/threads/{thread}/runs/{run}": {},
        f"/threads/{thread}/runs/{run}/submit_tool_outputs": {"tool_outputs": []},
        f"/threads/{thread}/messages": {"role": "user", "content": "hola"},
        "/vector_stores": {},
        f"/vector_stores/{store}": {},
        f"/vector_stores/{store}/files": {"file_id": "file-none"},
        f"/vector_stores/{store}/file_batches": {"file_ids": ["file-none"]},
        f"/vector_stores/{store}/search": {"query": "empanadas"},
        "/conversations": {},
        f"/conversations/{conversation}": {"metadata": {}},
        f"/conversations/{conversation}/items": {"items": [{"type": "message", "role": "user", "content": "hola"}]},
        "/responses": {"model": MODEL, "input": "hola"},
        "/responses/input_tokens": {"model": MODEL, "input": "hola"},
    }


@described
def test_openai_s_description_refuses_nothing_that_the_sandbox_accepts(openai_call: Send) -> None:
    description = Description(FOLDER / "openai.json")
    lax, count = [], 0
    for path, good in bodies(openai_call).items():
        schema, _ = description.request("POST", path)
        for bad in bad_requests(description, schema, good):
            count += 1
            answer = openai_call(path, bad.body)
            if answer.status_code != 400 or set(answer.json()["error"]) != {"message", "type", "param", "code"}:
                lax.append(f"{path}: {bad.place}: {answer.status_code}")
    assert count > 500
    assert not lax, "\n".join(lax)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"metadata": {"k" * 65: "v"}}, "string_above_max_length", f"metadata.{'k' * 65}"),
        ({"metadata": {f"k{index}": "v" for index in range(17)}}, "object_above_max_properties", "metadata"),
        ({"safety_identifier": "x" * 65}, "string_above_max_length", "safety_identifier"),
        ({"prompt_cache_key": "x" * 65}, "string_above_max_length", "prompt_cache_key"),
        ({"store": "yes"}, "invalid_type", "store"),
        ({"parallel_tool_calls": 1}, "invalid_type", "parallel_tool_calls"),
        ({"include": ["todo"]}, "invalid_value", "include[0]"),
        ({"tool_choice": "siempre"}, "invalid_value", "tool_choice"),
        ({"reasoning": {"effort": "low", "color": "azul"}}, "unknown_parameter", "reasoning.color"),
        ({"text": {"verbosity": "mucha"}}, "invalid_value", "text.verbosity"),
        ({"tools": [{"type": "function", **FUNCTION}] * 129}, "array_above_max_length", "tools"),
        (
            {"tools": [{"type": "web_search", "user_location": {"type": "approximate", "country": "Chile"}}]},
            "string_above_max_length",
            "tools[0].user_location.country",
        ),
        ({"tools": [{"type": "function", **FUNCTION, "endpoint": {}}]}, "unknown_parameter", "tools[0].endpoint"),
        ({"model": "gpt-4o-mini", "reasoning": {"effort": "none"}}, "unsupported_parameter", "reasoning.effort"),
        ({"model": "gpt-luna-6"}, "model_not_found", "model"),
        ({"model": 6}, "invalid_type", "model"),
        ({"max_output_tokens": 16.5}, "invalid_type", "max_output_tokens"),
    ],
)
def test_a_request_that_openai_refuses(openai_call: Send, change: dict[str, Any], code: str, param: str) -> None:
    answer = openai_call("/responses", {"model": MODEL, "input": "hola", **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == (code, param)


def test_an_older_model_without_reasoning_answers(openai_call: Send) -> None:
    body = {"model": "gpt-4o-mini", "input": "hola", "temperature": 0.2, "reasoning": {"effort": None}}
    assert openai_call("/responses", body).status_code == 200


def test_a_model_that_is_looked_for_is_not_found(openai_call: Send, sandbox: Sandbox) -> None:
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    with requests.get(f"{sandbox.openai_url}/models/gpt-luna-6", headers=headers, timeout=20) as answer:
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


@described
@pytest.mark.usefixtures("sender")
def test_twilio_s_description_of_a_message_refuses_nothing_that_the_sandbox_accepts(
    twilio_call: Send, sandbox: Sandbox
) -> None:
    description = Description(FOLDER / "twilio_api_v2010.json")
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
    schema, _ = description.request("POST", path)
    lax = []
    for name, below in properties_of(description, schema).items():
        for text in bad_texts(description, below):
            answer = twilio_call(path, data={"To": TO, "From": FROM, "Body": "hola", name: text})
            if answer.status_code != 400 or set(answer.json()) != {"code", "message", "more_info", "status"}:
                lax.append(f"{name}={text}: {answer.status_code}")
    assert not lax, "\n".join(lax)


SENDER = {"sender_id": "whatsapp:+15550001111", "profile": {"name": "Otra"}}
CONTENT = {"language": "es", "types": {"twilio/text": {"body": "Hola"}}}


@described
@pytest.mark.parametrize(
    ("file", "path", "good", "code", "depth"),
    [
        ("twilio_messaging_v2.json", "/v2/Channels/Senders", SENDER, 63100, 2),
        ("twilio_content_v1.json", "/v1/Content", CONTENT, 20001, 3),
    ],
)
def test_twilio_s_descriptions_of_json_refuse_nothing_that_the_sandbox_accepts(
    twilio_call: Send, file: str, path: str, good: dict[str, Any], code: int, depth: int
) -> None:
    description = Description(FOLDER / file)
    schema, _ = description.request("POST", path)
    lax, count = [], 0
    for bad in bad_requests(description, schema, good, depth):
        count += 1
        answer = twilio_call(path, bad.body)
        if answer.status_code != 400 or answer.json()["code"] != code:
            lax.append(f"{path}: {bad.place}: {answer.status_code} {answer.text[:80]}")
    assert count > 20
    assert not lax, "\n".join(lax)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Body": "🙂" * 801}, 21617),
        ({"Body": "a" * 1601}, 21617),
        ({"StatusCallback": "status"}, 21609),
        ({"StatusCallback": "https:/whatsapp.cl/status"}, 21609),
        ({"StatusCallback": "https://whatsapp.cl:0/status"}, 21609),
        ({"MediaUrl": "carta.pdf"}, 21620),
        ({"MediaUrl": [f"https://lacocina.cl/{index}.png" for index in range(11)]}, 21623),
        ({"ContentSid": "HX1"}, 21655),
        ({"MessagingServiceSid": "MG1"}, 21701),
        ({"ContentRetention": "siempre"}, 20001),
    ],
)
@pytest.mark.usefixtures("sender")
def test_a_message_that_twilio_refuses(twilio_call: Send, sandbox: Sandbox, fields: dict[str, Any], code: int) -> None:
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
    answer = twilio_call(path, data={"To": TO, "From": FROM, "Body": "hola", **fields})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.usefixtures("sender")
def test_a_body_of_1600_utf_16_units_is_accepted(twilio_call: Send, sandbox: Sandbox) -> None:
    path = f"/2010-04-01/Accounts/{sandbox.account_sid}/Messages.json"
    for body in ("🙂" * 800, "ñ" * 1600):
        assert twilio_call(path, data={"To": TO, "From": FROM, "Body": body}).status_code == 201
