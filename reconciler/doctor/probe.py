"""One bounded HTTP request to an address that others will call: does it answer? No redirects, no retries."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from runtime.store.client.light_http import LightHttp, NoAnswer
from schemas.public_urls import is_public

PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a request."""

    status: int | None
    """None without an answer."""
    said: str
    """The status, or why there was no answer."""
    body: bytes = b""


def probe(
    method: str,
    url: str,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Probe:
    """Send one request, with a form or a body when one is given; never raises for the other side's failures."""
    body = body if form is None else urlencode(form).encode()
    sent = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        parts = urlsplit(url)
        http = LightHttp(f"{parts.scheme}://{parts.netloc}", headers={**sent, **(headers or {})}, timeout=PROBE_SECONDS)
        with closing(http):
            answer = http.call(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body)
    except (NoAnswer, ValueError) as error:
        return Probe(None, str(error))
    return Probe(answer.status, f"it answers {answer.status}", answer.body)


def leads_inside(url: str) -> bool:
    """Whether the host's name leads to an address that is not a public one, so that the runtime refuses the call; False
    for a name that leads nowhere."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return not all(is_public(str(address[0]).partition("%")[0]) for *_, address in found)
