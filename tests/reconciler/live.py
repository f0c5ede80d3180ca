"""The stand-ins' objects, read with the standard library only, and changed as another client would."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.request import Request, urlopen

from tests.sandbox_process import Json, Sandbox


def senders(sandbox: Sandbox) -> list[Json]:
    """Every sender of the shared account."""
    return list(_twilio(sandbox, "/v2/Channels/Senders?Channel=whatsapp&PageSize=1000")["senders"])


def sender(sandbox: Sandbox, sid: str) -> Json:
    """One sender of the shared account, with what a list leaves out."""
    return dict(_twilio(sandbox, f"/v2/Channels/Senders/{sid}"))


def assistants(sandbox: Sandbox) -> list[Json]:
    """The first hundred objects of the Assistants API."""
    return list(openai_call(sandbox, "GET", "/assistants?limit=100")["data"])


def agents(sandbox: Sandbox) -> list[Json]:
    """The first hundred agents of the Agents API."""
    return list(openai_call(sandbox, "GET", "/agents?limit=100")["data"])


def openai_call(sandbox: Sandbox, method: str, path: str, body: Json | None = None) -> Any:
    """One call of the Assistants API or the Agents API, as another client would make it."""
    headers = {
        "Authorization": f"Bearer {sandbox.api_key}",
        "OpenAI-Beta": "agents=v1" if path.startswith("/agents") else "assistants=v2",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    return _answer(Request(sandbox.openai_url + path, data, headers, method=method))


def vector_store(sandbox: Sandbox, *texts: str, **fields: object) -> str:
    """A vector store made by hand, with a Markdown file for each text; gives its id."""
    files = [upload(sandbox, f"carta-{number}.md", text.encode()) for number, text in enumerate(texts)]
    body: Json = {"name": "Carta", "file_ids": files, **fields}
    return str(openai_call(sandbox, "POST", "/vector_stores", body)["id"])


def documents(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """By the client whose mark a vector store carries: the text of each file in it, by the path it has in git.

    A file that is not indexed has no text, one without a path has its id.
    """
    found: dict[str, dict[str, str]] = {}
    for store in openai_call(sandbox, "GET", "/vector_stores?limit=100")["data"]:
        files = openai_call(sandbox, "GET", f"/vector_stores/{store['id']}/files?limit=100")["data"]
        found[store["metadata"].get("client", store["id"])] = {
            file["attributes"].get("path", file["id"]): _text_of(sandbox, file) for file in files
        }
    return found


def _text_of(sandbox: Sandbox, file: Json) -> str:
    if file["status"] != "completed":
        return ""
    url = f"{sandbox.openai_url}/files/{file['id']}/content"
    with urlopen(Request(url, headers={"Authorization": f"Bearer {sandbox.api_key}"}), timeout=30) as response:
        return str(response.read().decode())


def upload(sandbox: Sandbox, name: str, content: bytes) -> str:
    """A file uploaded by hand; gives its id."""
    boundary = "----horizonai"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    headers = {
        "Authorization": f"Bearer {sandbox.api_key}",
        "Content-Type": f"multipart/form-data; boundary={boundary}",
    }
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return str(_answer(Request(f"{sandbox.openai_url}/files", body, headers, method="POST"))["id"])


def _twilio(sandbox: Sandbox, path: str) -> Any:
    credentials = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    return _answer(Request(sandbox.twilio_url + path, headers={"Authorization": f"Basic {credentials}"}))


def _answer(request: Request) -> Any:
    with urlopen(request, timeout=30) as response:
        return json.loads(response.read())
