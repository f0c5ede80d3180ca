"""`POST /responses` and `POST /audio/transcriptions` over aiohttp, and OpenAI's errors as one exception.

Every answer makes the first call, every voice note the second. Why they do not use OpenAI's SDK:
docs/adr/0005-no-sdk-for-responses.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from pydantic_core import from_json
from yarl import URL

from runtime.engines.data_urls import data_urls_in, size_with_files, with_files
from runtime.store.codec import json_bytes

DEFAULT_URL = "https://api.openai.com/v1"
CONNECT_SECONDS = 5.0
CONNECTIONS = 20_000
"""Maximum number of concurrent calls: each conversation that waits for the model holds one."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_JSON = {"Content-Type": "application/json"}
_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|</?[a-zA-Z!][^<>]*>|[\x00-\x1f\x7f-\x9f]", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(r"\bsk-[\w*-]{4,}")

REASON_LIMIT = 300
"""Maximum length of a server's reason in our errors, in characters."""
READ_LIMIT = 10 * REASON_LIMIT
"""How much of a reason is looked at: markup that is opened again and again and never closed would be read as often."""


class CallRefused(Exception):
    """An answer with an error status. OpenAI's body is `{"error": {"message", "type", "param", "code"}}`; other servers
    answer `{"error": "…"}`, `{"message": "…"}`, FastAPI's `{"detail": …}`, or a text, often a proxy's HTML."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object, message: str) -> None:
        """`body`: the document, None where there is none; `message`: the server's reason, empty where it gave none."""
        error = body.get("error") if isinstance(body, dict) else None
        fields: Mapping[str, Any] = error if isinstance(error, dict) else {}
        self.status_code = status
        self.headers = headers
        self.message = message
        self.code = _string(fields.get("code"))
        self.type = _string(fields.get("type"))
        self.param = _string(fields.get("param"))
        self.is_unexplained = status in (500, 501) and not fields
        """True where a server failed without saying why, as OpenAI does: the request may be what it failed on."""
        super().__init__(f"{status}: {self.message or 'no reason given'}")


class UnreadableAnswer(Exception):
    """A success whose body is not a response object."""


class ModelApi(Protocol):
    """What engines ask of a server; a trial answers from recordings."""

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """See ResponsesApi."""

    async def transcribe(self, form: aiohttp.FormData) -> dict[str, Any]:
        """See ResponsesApi."""

    async def close(self) -> None:
        """See ResponsesApi."""


class ResponsesApi:
    """The endpoints of one server with one key."""

    def __init__(self, base_url: str | None, api_key: str | None, timeout_seconds: float) -> None:
        base = (base_url or DEFAULT_URL).rstrip("/")
        self._url, self._transcriptions = URL(f"{base}/responses"), URL(f"{base}/audio/transcriptions")
        self._models = URL(f"{base}/models")
        self._key = api_key
        headers = {
            # A server that requires a key reports a missing one better than we could, and per turn.
            "Authorization": f"Bearer {api_key or 'OPENAI_API_KEY-is-not-set'}",
            "Accept": "application/json",
            "User-Agent": "horizonai-whatsapp-bot",
        }
        for header, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                headers[header] = value
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            proxy=_proxy_of(self._url),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS),
        )

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The response object; raises CallRefused, UnreadableAnswer, TimeoutError or aiohttp.ClientError."""
        document = await self._sent("POST", self._url, *_content(body))
        if not _is_response(document):
            raise UnreadableAnswer("what it sent is not a response object")
        return document

    async def transcribe(self, form: aiohttp.FormData) -> dict[str, Any]:
        """The transcription object, with its `text`; raises as `create` does."""
        document = await self._sent("POST", self._transcriptions, form, {})
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            raise UnreadableAnswer("what it sent is not a transcription object")
        return document

    async def models(self) -> list[dict[str, Any]]:
        """The models that the key may use, as `GET /v1/models` lists them on its one page; raises as `create` does."""
        document = await self._sent("GET", self._models, None, {})
        listed = document.get("data") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise UnreadableAnswer("what it sent is not a list of models")
        return [item for item in listed if isinstance(item, dict)]

    async def _sent(self, method: str, url: URL, data: Any, headers: Mapping[str, str]) -> Any:
        """The JSON of a successful answer."""
        # A redirect would send the conversation to another address.
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            raw = await _read(response)
        try:
            document = _document(raw)
        except (ValueError, RecursionError) as error:
            document = None
            if response.status < 300:
                raise UnreadableAnswer(f"what it sent is not JSON: {self._reason(document, raw)}") from error
        if response.status >= 300:
            raise CallRefused(response.status, response.headers, document, self._reason(document, raw))
        return document

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    def _reason(self, document: object, raw: bytes) -> str:
        """What a server gave as its reason, in one line for the log. Some repeat the key that they refuse."""
        reason = _reason_in(document) or raw[:READ_LIMIT].decode("utf-8", "replace")
        if self._key:
            reason = reason.replace(self._key, "…")
        reason = _plain(reason[:READ_LIMIT])
        return _KEY.sub("sk-…", reason)[:REASON_LIMIT]


class _Once(aiohttp.BytesPayload):
    """A body that is dropped as it is sent: thousands of conversations wait for the model, each with its memory in
    one. A POST is never repeated by aiohttp."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """See Payload."""
        data, self._value, self._consumed = self._value, b"", True
        await writer.write(data if content_length is None else data[:content_length])


def _content(body: Mapping[str, Any]) -> tuple[Any, Mapping[str, str]]:
    """What is sent for a request, and its headers."""
    # The model's last output is part of the next input, also half a surrogate pair.
    data = _encoded(body)
    files = data_urls_in(body)
    if not files:
        return _Once(data), _JSON
    return with_files(data, files), {**_JSON, "Content-Length": str(size_with_files(data, files))}


def _encoded(body: Mapping[str, Any]) -> bytes:
    """The JSON of a request. Items of its input that are text are JSON already, as a conversation's memory has them."""
    items = body.get("input")
    if not isinstance(items, list):
        return json_bytes(body)
    head = json_bytes({name: value for name, value in body.items() if name != "input"})
    pieces = [item.encode() if isinstance(item, str) else json_bytes(item) for item in items]
    return b'%b%b"input":[%b]}' % (head[:-1], b"," if len(head) > 2 else b"", b",".join(pieces))


def _document(raw: bytes) -> Any:
    try:
        return from_json(raw)  # in a third of the time that the standard library takes
    except ValueError:  # half a surrogate pair, another encoding, or not JSON
        return json.loads(raw)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; raises UnreadableAnswer for one that is too large, regardless of its Content-Length."""
    raw = bytearray()
    while chunk := await response.content.readany():
        raw += chunk
        if len(raw) > MAX_ANSWER_BYTES:
            raise UnreadableAnswer(f"an answer of more than {MAX_ANSWER_BYTES // 1024**2} MiB")
    return bytes(raw)


def _reason_in(document: object) -> str:
    """The reason in the body of an error; empty where no field of it is known."""
    if not isinstance(document, dict):
        return ""
    for given in (document.get("error"), document.get("detail"), document.get("message")):
        if isinstance(given, dict):
            given = given.get("message")
        if isinstance(given, list):
            given = "; ".join(map(_complaint, given))
        if isinstance(given, str) and given.strip():
            return given
    return ""


def _complaint(item: object) -> str:
    """An item of FastAPI's `detail`: where in the request, and what."""
    if not isinstance(item, dict) or not isinstance(item.get("loc"), list):
        return str(item)
    return f"{'.'.join(map(str, item['loc']))}: {item.get('msg')}"


def _plain(text: str) -> str:
    """A text in one line, without the tags of HTML and what could move a terminal's cursor."""
    return " ".join(_MARKUP.sub(" ", text).split())


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_response(document: object) -> TypeGuard[dict[str, Any]]:
    """Whether it has the fields that are relied on: items, and of a function call all that is needed to make it and to
    return its result."""
    output = document.get("output") if isinstance(document, dict) else None
    return isinstance(output, list) and all(isinstance(item, dict) and _is_complete(item) for item in output)


def _is_complete(item: Mapping[str, Any]) -> bool:
    return item.get("type") != "function_call" or all(
        isinstance(item.get(key), str) for key in ("call_id", "name", "arguments")
    )


def _proxy_of(url: URL) -> str | None:
    """The proxy that the environment names for a URL (`https_proxy`, `no_proxy`), read once."""
    return None if url.host is None or proxy_bypass(url.host) else getproxies().get(url.scheme)
