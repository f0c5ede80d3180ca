"""What the stand-ins hold, asked with nothing but the standard library, and changed as somebody else would."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.request import Request, urlopen

from tests.sandbox_process import Json, Sandbox


def senders(sandbox: Sandbox) -> list[Json]:
    """Every sender of the shared account."""
    return list(_twilio(sandbox, "/v2/Channels/Senders?Channel=whatsapp&PageSize=1000")["senders"])


def assistants(sandbox: Sandbox) -> list[Json]:
    """The first hundred objects of the Assistants API."""
    return list(openai_call(sandbox, "GET", "/assistants?limit=100")["data"])


def openai_call(sandbox: Sandbox, method: str, path: str, body: Json | None = None) -> Any:
    """One call of the Assistants API, as somebody else would make it."""
    headers = {
        "Authorization": f"Bearer {sandbox.api_key}",
        "OpenAI-Beta": "assistants=v2",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    return _answer(Request(sandbox.openai_url + path, data, headers, method=method))


def _twilio(sandbox: Sandbox, path: str) -> Any:
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    return _answer(Request(sandbox.twilio_url + path, headers={"Authorization": f"Basic {credentials}"}))


def _answer(request: Request) -> Any:
    with urlopen(request, timeout=30) as response:
        return json.loads(response.read())
