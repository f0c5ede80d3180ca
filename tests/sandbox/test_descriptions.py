"""A tour of every endpoint: each answer fits the provider's official description of it.

The Agents API is left out, since OpenAI's description does not have the beta; test_agents holds it against the SDK.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests import media_files
from tests.sandbox.conftest import NUMBER, USER
from tests.sandbox.descriptions import FOLDER, Description, described
from tests.sandbox_process import Sandbox, wait_until

pytestmark = described

MODEL = "gpt-6-luna"
TOOL: Any = {"type": "function", "name": "reservar", "parameters": {"type": "object", "properties": {}}}
ASSISTANT_TOOL: Any = {
    "type": "function",
    "function": {"name": "reservar", "parameters": {"type": "object", "properties": {}}},
}


LIST: Any = {
    "language": "es",
    "types": {"twilio/list-picker": {"body": "¿Qué?", "button": "Ver", "items": [{"id": "a", "item": "A"}]}},
}


class Tour:
    """Calls endpoints with raw HTTP and collects what their descriptions have against the answers."""

    def __init__(self, base: str, *names: str, **session: Any) -> None:
        self._base = base
        self._descriptions = [Description(FOLDER / name) for name in names]
        self._session = requests.Session()
        self._session.headers.update(session.get("headers", {}))
        self._session.auth = session.get("auth")
        self.complaints: list[str] = []

    def __call__(self, method: str, path: str, body: Any = None, described_as: str = "", **more: Any) -> Any:
        """Calls an endpoint. One that has no description of its own is `described_as` another path."""
        if body is not None:
            more["json"] = body
        with self._session.request(method, self._base + path, timeout=20, **more) as answer:
            assert answer.status_code < 400, f"{method} {path}: {answer.text}"
            document = answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text
            status = answer.status_code
        plain = described_as or path.partition("?")[0]
        first, *_ = self._descriptions
        description = next((item for item in self._descriptions if item.operation(method, plain)), first)
        self.complaints += description.complaints(method, plain, status, document)
        return document

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def tour_of(request: pytest.FixtureRequest) -> Callable[..., Tour]:
    def start(*arguments: Any, **session: Any) -> Tour:
        tour = Tour(*arguments, **session)
        request.addfinalizer(tour.close)
        return tour

    return start


def responses_and_conversations(call: Tour) -> None:
    call("GET", "/models")
    call("GET", f"/models/{MODEL}")
    conversation = call("POST", "/conversations", {"metadata": {"a": "b"}})["id"]
    first = call("POST", "/responses", {"model": MODEL, "input": "reservar", "tools": [TOOL], "store": True})
    output = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "ok"}
    chained = {"model": MODEL, "previous_response_id": first["id"], "input": [output], "tools": [TOOL]}
    call("POST", "/responses", chained)
    call("POST", "/responses", {"model": MODEL, "conversation": conversation, "input": "hola"})
    call("POST", "/responses", {"model": MODEL, "input": "escribe 999 letras", "max_output_tokens": 16})
    call("POST", "/responses", {"model": MODEL, "input": "usa web_search", "tools": [{"type": "web_search"}]})
    files = ("image/jpeg", media_files.jpeg()), ("application/pdf", media_files.pdf())
    photo, menu = (f"data:{kind};base64,{b64encode(content).decode()}" for kind, content in files)
    parts = [
        {"type": "input_image", "detail": "low", "image_url": photo},
        {"type": "input_file", "filename": "menu.pdf", "file_data": menu},
    ]
    seen = call("POST", "/responses", {"model": MODEL, "input": [{"role": "user", "content": parts}], "store": True})
    call("GET", f"/responses/{seen['id']}/input_items")
    call("POST", "/responses/input_tokens", {"model": MODEL, "input": "hola"})
    call("GET", f"/responses/{first['id']}")
    call("GET", f"/responses/{first['id']}/input_items")
    call("DELETE", f"/responses/{first['id']}")
    one = f"/conversations/{conversation}"
    call("GET", one)
    call("POST", one, {"metadata": {"c": "d"}})
    call("POST", f"{one}/items", {"items": [{"role": "user", "content": "hola"}]})
    item = call("GET", f"{one}/items?limit=2")["data"][0]["id"]
    call("GET", f"{one}/items/{item}")
    call("DELETE", f"{one}/items/{item}")
    call("DELETE", one)


def assistants_and_threads(call: Tour) -> None:
    made = {"model": MODEL, "name": "Bot", "instructions": "Eres un bot", "tools": [ASSISTANT_TOOL]}
    assistant = call("POST", "/assistants", made)["id"]
    call("GET", "/assistants")
    call("GET", f"/assistants/{assistant}")
    call("POST", f"/assistants/{assistant}", {"name": "Otro"})
    thread = call("POST", "/threads", {"messages": [{"role": "user", "content": "reservar"}]})["id"]
    one = f"/threads/{thread}"
    call("GET", one)
    call("POST", one, {"metadata": {"a": "b"}})
    message = call("POST", f"{one}/messages", {"role": "user", "content": "hola"})["id"]
    call("GET", f"{one}/messages")
    call("GET", f"{one}/messages/{message}")
    call("POST", f"{one}/messages/{message}", {"metadata": {"a": "b"}})
    call("DELETE", f"{one}/messages/{message}")
    run = call("POST", f"{one}/runs", {"assistant_id": assistant})["id"]
    asked = call("GET", f"{one}/runs/{run}")["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": asked, "output": "ok"}]}
    call("POST", f"{one}/runs/{run}/submit_tool_outputs", outputs)
    call("GET", f"{one}/runs/{run}")
    call("POST", f"{one}/runs/{run}", {"metadata": {"a": "b"}})
    call("GET", f"{one}/runs")
    step = call("GET", f"{one}/runs/{run}/steps")["data"][0]["id"]
    call("GET", f"{one}/runs/{run}/steps/{step}")
    call("GET", f"{one}/messages")
    slow = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "piensa 60s"}]}}
    other = call("POST", "/threads/runs", slow)
    call("POST", f"/threads/{other['thread_id']}/runs/{other['id']}/cancel")
    call("DELETE", one)
    call("DELETE", f"/assistants/{assistant}")


def transcriptions(call: Tour) -> None:
    for model, says in (("gpt-transcribe", "hola"), ("gpt-transcribe", ""), ("gpt-4o-transcribe", "hola")):
        note = ("nota.ogg", media_files.voice_note(says), "audio/ogg")
        call("POST", "/audio/transcriptions", files={"file": note}, data={"model": model})


def files_and_stores(call: Tour) -> None:
    upload = {"files": {"file": ("menu.md", b"Empanadas a 3500")}, "data": {"purpose": "assistants"}}
    file = call("POST", "/files", **upload)["id"]
    call("GET", "/files")
    call("GET", f"/files/{file}")
    store = call("POST", "/vector_stores", {"name": "x", "file_ids": [file], "metadata": {"a": "b"}})["id"]
    one = f"/vector_stores/{store}"
    call("GET", "/vector_stores")
    call("GET", one)
    call("POST", one, {"name": "y", "expires_after": {"anchor": "last_active_at", "days": 3}})
    call("POST", f"{one}/search", {"query": "empanadas"})
    other = call("POST", "/files", **upload)["id"]
    call("POST", f"{one}/files", {"file_id": other, "attributes": {"n": 1, "s": "x", "b": True}})
    call("GET", f"{one}/files")
    call("GET", f"{one}/files/{other}")
    call("POST", f"{one}/files/{other}", {"attributes": {"n": 2}})
    call("GET", f"{one}/files/{other}/content")
    batch = call("POST", f"{one}/file_batches", {"file_ids": [file, other]})["id"]
    call("GET", f"{one}/file_batches/{batch}")
    call("GET", f"{one}/file_batches/{batch}/files")
    call("POST", f"{one}/file_batches/{batch}/cancel")
    call("DELETE", f"{one}/files/{other}")
    call("GET", f"/files/{other}/content")
    call("DELETE", f"/files/{other}")
    asked = {"type": "file_search", "vector_store_ids": [store]}
    call("POST", "/responses", {"model": MODEL, "input": "¿empanadas?", "tools": [asked]})
    call("DELETE", one)


@pytest.mark.parametrize(
    "walk", [responses_and_conversations, assistants_and_threads, files_and_stores, transcriptions]
)
def test_every_answer_of_openai_fits_its_description(
    sandbox: Sandbox, tour_of: Callable[..., Tour], walk: Callable[[Tour], None]
) -> None:
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "OpenAI-Beta": "assistants=v2"}
    tour = tour_of(sandbox.openai_url, "openai.json", headers=headers)
    walk(tour)
    assert tour.complaints == []


def test_every_answer_of_twilio_fits_its_description(
    sandbox: Sandbox, tour_of: Callable[..., Tour], sender: dict[str, Any]
) -> None:
    names = ("twilio_messaging_v2.json", "twilio_api_v2010.json", "twilio_content_v1.json")
    call = tour_of(sandbox.twilio_url, *names, auth=(sandbox.account_sid, sandbox.auth_token))
    body = {
        "sender_id": "whatsapp:+15550001111",
        "profile": {"name": "Otra"},
        "webhook": {"callback_url": "https://x.cl"},
    }
    made = call("POST", "/v2/Channels/Senders", body)["sid"]
    call("GET", "/v2/Channels/Senders?Channel=whatsapp&PageSize=1")
    one = f"/v2/Channels/Senders/{made}"
    wait_until(lambda: call("GET", one)["status"] == "ONLINE")
    call("POST", one, {"profile": {"about": "Cocina chilena"}})
    call("DELETE", one)
    account = f"/2010-04-01/Accounts/{sandbox.account_sid}"
    call("GET", "/2010-04-01/Accounts.json")
    call("GET", f"{account}.json")
    note = {"content_type": "audio/ogg", "base64": ""}
    heard = sandbox.inbound(NUMBER, "hola", USER, wait=0, media=[note])["message_sid"]
    form = {"To": f"whatsapp:{USER}", "From": f"whatsapp:{NUMBER}", "Body": "hola"}
    sent = call("POST", f"{account}/Messages.json", data=form)["sid"]
    call("GET", f"{account}/Messages.json?PageSize=1")
    call("GET", f"{account}/Messages/{sent}.json")
    medium = call("GET", f"{account}/Messages/{heard}/Media.json")["media_list"][0]["sid"]
    call("GET", f"{account}/Messages/{heard}/Media/{medium}.json")
    call("DELETE", f"{account}/Messages/{heard}/Media/{medium}.json")
    call("POST", f"{account}/Messages/{sent}.json", data={"Body": ""})
    call("DELETE", f"{account}/Messages/{sent}.json")
    records = f"{account}/Usage/Records"
    wait_until(lambda: call("GET", f"{records}.json?Category=channels-messaging")["usage_records"][0]["count"] == "2")
    call("GET", f"{records}.json?StartDate=-1days&PageSize=3&Page=0")
    for period in ("Daily", "Monthly"):
        call("GET", f"{records}/{period}.json?Category=totalprice", described_as=f"{records}.json")
    text = {"friendly_name": "x", "language": "es", "types": {"twilio/text": {"body": "Hola"}}}
    template = f"/v1/Content/{call('POST', '/v1/Content', text)['sid']}"
    call("GET", template)
    call("GET", "/v1/Content")
    call("POST", f"{template}/ApprovalRequests/whatsapp", {"name": "x", "category": "UTILITY"})
    call("GET", f"{template}/ApprovalRequests")
    call("PUT", f"/v1/Content/{call('POST', '/v1/Content', LIST)['sid']}", LIST)
    call("GET", "/v1/ContentAndApprovals")
    call("DELETE", template)
    assert call.complaints == []
