"""`POST /responses` over aiohttp: JSON in, JSON out, and OpenAI's errors as one exception.

Every answer makes this call. Why it does not use OpenAI's SDK: docs/adr/0005-no-sdk-for-responses.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

DEFAULT_URL = "https://api.openai.com/v1"
CONNECT_SECONDS = 5.0
CONNECTIONS = 20_000
"""Maximum number of concurrent calls: each conversation that waits for the model holds one."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|</?[a-zA-Z!][^<>]*>|[\x00-\x1f\x7f-\x9f]", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(r"\bsk-[\w*-]{4,}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


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


class ResponsesApi:
    """The endpoint of one server with one key."""

    def __init__(self, base_url: str | None, api_key: str | None, timeout_seconds: float) -> None:
        self._url = URL(f"{(base_url or DEFAULT_URL).rstrip('/')}/responses")
        self._key = api_key
        headers = {
            # A server that requires a key reports a missing one better than we could, and per turn.
            "Authorization": f"Bearer {api_key or 'OPENAI_API_KEY-is-not-set'}",
            "Content-Type": "application/json",
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
        # The model's last output is part of the next input, also half a surrogate pair.
        data = _ENCODER.encode(body).encode("utf-8", "replace")
        # A redirect would send the conversation to another address.
        async with self._session.post(self._url, data=data, allow_redirects=False) as response:
            raw = await _read(response)
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            document = None
            if response.status < 300:
                raise UnreadableAnswer(f"what it sent is not JSON: {self._reason(document, raw)}") from error
        if response.status >= 300:
            raise CallRefused(response.status, response.headers, document, self._reason(document, raw))
        if not _is_response(document):
            raise UnreadableAnswer("what it sent is not a response object")
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


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; raises UnreadableAnswer for one that is too large, regardless of its Content-Length."""
    raw = bytearray()
    async for chunk in response.content.iter_any():
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
