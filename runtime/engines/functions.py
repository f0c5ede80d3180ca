"""Calls the HTTP endpoint behind a function tool: one POST, bounded in time and size, to public addresses only.

Signature: `X-Horizonai-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, keyed with the tool's
secret; a header `Authorization` beside or instead of it, where the manifest names one. The endpoint's answer is the
result, of any type, as long as it is text; an empty success is `{"result": "ok"}`. Every failure is reported to the
model as `{"error": …}`, with the endpoint's text for a request that it refuses (4xx), so that the model can explain it
to the user. Redirects are followed where the manifest says so. A function that the manifest calls idempotent is called
again after a failure that may pass, with the same call id.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from runtime.engines.person import Person
from runtime.observability.logs import masked_user
from runtime.public_http import MAX_REDIRECTS, NotCalled, Outgoing, PublicHttp
from runtime.settings import Secrets
from runtime.text import portable

SIGNATURE_HEADER = "X-Horizonai-Signature"
MAX_ANSWER_BYTES = 256 * 1024
MAX_REFUSAL_CHARACTERS = 2_000
"""Characters of an endpoint's text with a status of 400 to 499, as the model reads it."""
DEFAULT_TIMEOUT_SECONDS = 10.0
RETRY_PAUSES = (0.5, 1.5)
"""Seconds before a call of an idempotent function is made again. All of it takes at most twice the function's time."""

log = structlog.get_logger("runtime.functions")


class EndpointError(Exception):
    """Why a call failed, in words that the model may read; `answer` is the endpoint's own text."""

    def __init__(self, reason: str, answer: str | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


class PassingError(EndpointError):
    """A failure that may not happen again: no answer, a broken connection, a server's error, too many requests."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One call that the model requested."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""
    call_id: str
    client: str
    conversation: str
    now: str
    """The time in the client's zone, as ISO 8601 with its offset."""
    person: Person


class Functions:
    """Calls endpoints over one connection pool; close it at the end."""

    def __init__(self, secrets: Secrets, *, allow_private: bool) -> None:
        self.secrets = secrets
        """What is set where this process runs."""
        self._http = PublicHttp(allow_private=allow_private)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    async def call(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        """The result that the model receives, as JSON."""
        began = time.monotonic()
        try:
            answer = await self._post(endpoint, call)
            failure = None
        except EndpointError as error:
            failure = str(error)
            told = {"error": failure} | ({"answer": error.answer} if error.answer else {})
            answer = json.dumps(told, ensure_ascii=False)
        log.info(
            "function_called",
            function=call.name,
            error=failure,
            seconds=round(time.monotonic() - began, 3),
        )
        return answer

    async def _post(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        if endpoint is None:
            raise EndpointError(f"no endpoint is configured for the function {call.name!r}")
        body = _body(call, endpoint.get("user"))
        outgoing = Outgoing(
            url=str(endpoint["url"]),
            method="POST",
            headers={"Content-Type": "application/json", "Accept": "application/json, text/plain"}
            | ({"Idempotency-Key": call.call_id} if endpoint.get("idempotent") else {}),
            credentials=self._signed(endpoint.get("secret_env"), body)
            | self._authorization(endpoint.get("authorization_env")),
            body=body,
        )
        seconds = float(endpoint.get("timeout_seconds") or DEFAULT_TIMEOUT_SECONDS)
        deadline = time.monotonic() + 2 * seconds
        for pause in RETRY_PAUSES if endpoint.get("idempotent") else ():
            try:
                return await self._once(outgoing, endpoint, seconds)
            except PassingError as error:
                if time.monotonic() + pause >= deadline:
                    raise
                log.info("function_retried", function=call.name, error=str(error))
                await asyncio.sleep(pause)
                seconds = min(seconds, deadline - time.monotonic())
        return await self._once(outgoing, endpoint, seconds)

    async def _once(self, outgoing: Outgoing, endpoint: Mapping[str, Any], seconds: float) -> str:
        """One call. Raises PassingError where a further one may succeed, EndpointError otherwise."""
        redirects = MAX_REDIRECTS if endpoint.get("follow_redirects") else 0
        try:
            async with asyncio.timeout(seconds), self._http.request(outgoing, redirects=redirects) as response:
                return await _answer(response)
        except TimeoutError as error:
            raise PassingError(f"the endpoint did not answer within {seconds:.3g} seconds") from error
        except NotCalled as refused:
            raise EndpointError(f"the endpoint's URL {refused}") from refused
        except aiohttp.ClientConnectorError as error:
            raise PassingError("the endpoint cannot be reached") from error
        except aiohttp.ClientError as error:
            raise PassingError("the connection to the endpoint broke") from error

    def _signed(self, secret_env: str | None, body: bytes) -> dict[str, str]:
        if secret_env is None:
            return {}
        moment = str(int(time.time()))
        signature = function_signature(self._secret(secret_env), moment, body)
        return {SIGNATURE_HEADER: f"t={moment},v1={signature}"}

    def _authorization(self, authorization_env: str | None) -> dict[str, str]:
        if authorization_env is None:
            return {}
        value = self._secret(authorization_env).strip()
        if not value.isascii() or not value.isprintable():
            log.error("secret_malformed", variable=authorization_env, hint="one line of printable ASCII characters")
            raise EndpointError("the endpoint's secret is not configured")
        return {"Authorization": value}

    def _secret(self, variable: str) -> str:
        secret = self.secrets.get(variable)
        if secret is None:
            hint = "set it in the environment or in .env; a credential of the installation is never used"
            log.error("secret_missing", variable=variable, hint=hint)
            raise EndpointError("the endpoint's secret is not configured")
        return secret


def function_signature(secret: str, moment: str, body: bytes) -> str:
    """The hex HMAC-SHA256 with which an endpoint verifies that the call comes from here."""
    return hmac.digest(secret.encode(), moment.encode() + b"." + body, "sha256").hex()


def _body(call: FunctionCall, user: str | None) -> bytes:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise EndpointError("the arguments are not valid JSON, or too deeply nested") from error
    document = {
        "name": call.name,
        "arguments": arguments,
        "client": call.client,
        "conversation": call.conversation,
        "call_id": call.call_id,
        "now": call.now,
    } | ({} if user is None else {"user": _user(call.person, user)})
    # A model may write half a surrogate pair, which UTF-8 has no bytes for.
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _user(person: Person, detail: str) -> dict[str, str | None]:
    """Who writes, in the detail that the endpoint's `user` allows; what a newer program means by another word is not
    known here, so nothing more than `masked` is sent for it."""
    if detail == "full":
        return {"phone": person.phone, "name": person.name, "external_id": person.external_id}
    return {"phone": masked_user(person.phone) if person.phone else None, "name": person.name, "external_id": None}


async def _answer(response: aiohttp.ClientResponse) -> str:
    if response.status == 429:
        raise PassingError("the endpoint answered with status 429", await _refusal(response))
    if 400 <= response.status < 500:
        said = await _refusal(response)
        raise EndpointError(f"the endpoint answered with status {response.status}", said)
    if 300 <= response.status < 400:
        raise EndpointError(f"the endpoint answered with status {response.status}, a redirect that is not followed")
    if response.status >= 500:
        raise PassingError(f"the endpoint answered with status {response.status}")
    content = await _content(response, MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise EndpointError(f"the endpoint's answer is larger than {MAX_ANSWER_BYTES // 1024} KiB")
    try:
        text = content.decode(_charset(response)).removeprefix("\ufeff")
    except (ValueError, LookupError) as error:
        raise EndpointError(f"the endpoint answered with {response.content_type}, which is not text") from error
    if not text.strip():
        return json.dumps({"result": "ok"})
    if _is_json(response):
        try:
            json.loads(text)
        except ValueError as error:
            raise EndpointError("the endpoint's answer is not valid JSON") from error
        except RecursionError as error:
            raise EndpointError("the endpoint's answer is too deeply nested JSON") from error
    return portable(text)


async def _content(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, at most `limit` bytes of it."""
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) >= limit:
            break
    return bytes(content[:limit])


async def _refusal(response: aiohttp.ClientResponse) -> str:
    """The endpoint's text for a request that it refuses, as far as it is text: a reason, or other times to choose."""
    content = await _content(response, 4 * MAX_REFUSAL_CHARACTERS)
    try:
        text = content.decode(_charset(response), "ignore")
    except LookupError:
        return ""
    text = portable(text).strip()
    return text if len(text) <= MAX_REFUSAL_CHARACTERS else text[: MAX_REFUSAL_CHARACTERS - 1] + "…"


def _charset(response: aiohttp.ClientResponse) -> str:
    return response.charset or "utf-8"


def _is_json(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "application/json" or response.content_type.endswith("+json")
