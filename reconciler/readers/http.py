"""GET and JSON over HTTP, with retries: the only way in which planning talks to a provider.

A read has no effect, so a call without an answer after the last retry is a `TemporaryError`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from reconciler.errors import PermanentError, ProviderError, TemporaryError, UnknownOutcome, error_of_status
from reconciler.streams import print_notice
from runtime.store.client.light_http import MAX_BODY, AnswerTooLarge, HttpAnswer, LightHttp, NoAnswer, NotConnected
from runtime.store.codec import share_texts

LONGEST_WAIT: Final = 60.0
"""Longest pause in seconds; a provider that asks for more is not waited for, and its source is not read."""
SHOWN_WAIT: Final = 5.0
"""A pause of more seconds is shown on stderr."""
CONNECT_RETRIES: Final = 2
"""Retries where no connection can be made; more would only delay the user."""
RETRIED: Final = frozenset({429, 500, 502, 503, 504})


class Reader:
    """A JSON API that can only be read. Thread-safe; keeps its connections.

    `timeout`: time limit of one attempt, in seconds. `retries`: attempts after the first.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        retries: int = 4,
        max_body: int = MAX_BODY,
    ) -> None:
        parts = urlsplit(base_url)
        self._server = parts.netloc.rpartition("@")[2] + parts.path
        self._http = LightHttp(
            base_url, headers={"Accept": "application/json", **headers}, timeout=timeout, max_body=max_body
        )
        self._retries = retries

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """GET `path` below the base URL. Returns parsed JSON. Raises a `ProviderError`."""
        return self.get_with_headers(path, query)[0]

    def get_with_headers(
        self, path: str, query: Mapping[str, str | int] | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        """The same, with the answer's headers, their names in lower case."""
        where = self._server + path.partition("?")[0]
        answer = self._answer(path + ("?" + urlencode(query) if query else ""), where)
        if answer.status >= 300:
            raise _refusal(where, answer)
        try:
            return json.loads(answer.body, object_hook=share_texts), answer.headers
        except ValueError as error:
            raise PermanentError(f"{where} did not answer with JSON") from error

    def _answer(self, target: str, where: str) -> HttpAnswer:
        """The first answer whose status is not `RETRIED`, or the last of all. Raises a `ProviderError` without one."""
        for attempt in count():
            try:
                answer = self._http.call("GET", target)
            except AnswerTooLarge as error:
                raise PermanentError(f"{where} sent an answer that is not read: {error}") from error
            except NoAnswer as error:
                if attempt >= (
                    min(CONNECT_RETRIES, self._retries) if isinstance(error, NotConnected) else self._retries
                ):
                    raise TemporaryError(f"{where} cannot be reached: {error}") from error
                time.sleep(_pause(attempt))
            else:
                wait = answer.retry_after or _pause(attempt)
                if answer.status not in RETRIED or attempt >= self._retries or wait > LONGEST_WAIT:
                    return answer
                if wait > SHOWN_WAIT:
                    print_notice(
                        f"{where} answered {answer.status} and asks for a pause of {wait:.0f} seconds: waiting."
                    )
                time.sleep(wait)
        raise AssertionError("counting has no end")


def _pause(attempt: int) -> float:
    """Seconds before the next attempt: none after the first, then half a second, twice as long each time."""
    if attempt == 0:
        return 0.0
    return min(8.0, 0.25 * 2.0**attempt + random.uniform(0, 0.25))  # noqa: S311 - spreads attempts, protects no secret


def _refusal(where: str, answer: HttpAnswer) -> ProviderError:
    status, body = answer.status, answer.body
    # OpenAI's own message for a 401 quotes a part of the key.
    said = "it does not accept the credentials" if status == 401 else provider_message(body).rstrip(".")
    text = f"{where} answered {status}" + (f": {said}" if said else "")
    if (answer.retry_after or 0) > LONGEST_WAIT:
        text += f"; it asks for a pause of {answer.retry_after:,.0f} seconds, so run again after that"
    if status < 400:
        return PermanentError(f"{where} answered {status}, a redirect, and none is followed")
    kind = error_of_status(status)
    return TemporaryError(text) if kind is UnknownOutcome else kind(text)


def provider_message(body: bytes) -> str:
    """The human part of a provider's error body, at most 200 characters; "" when it has none that is known.

    OpenAI: `{"error": {"message"}}`; Twilio: `{"message"}`; ours: as OpenAI. Nothing else of a body is shown, since
    it may hold what must not be printed.
    """
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return " ".join(message.split())[:200] if isinstance(message, str) else ""
