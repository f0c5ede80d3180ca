"""Twilio's webhook signatures: computed and verified.

Twilio: Security, "Validating requests". The signed text is the URL as Twilio was given it (its fragment left out), then
every form parameter, sorted by name, each name followed by its value; a name with several values has each distinct one,
sorted. A JSON body is covered by the URL's `bodySHA256` instead. Never looks at Host or X-Forwarded-*.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
"""Header that names a shared key and another algorithm; without it, the account's auth token and SHA-1."""

Params = Mapping[str, Sequence[str]]


def signature(token: str, url: str, params: Params, *, algorithm: str = "sha1") -> str:
    """The value of X-Twilio-Signature for a request."""
    parts = [url]
    for name in sorted(params):
        values = params[name]
        for value in values if len(values) == 1 else sorted(set(values)):
            parts += (name, value)
    text = "".join(parts)
    # Not hmac.digest: it releases the GIL, and getting it back takes longer than the digest.
    return b64encode(hmac.new(token.encode(), text.encode(), algorithm).digest()).decode()


def is_signed(
    given: str | None, tokens: Iterable[str], url: str, params: Params, *, body: bytes = b"", algorithm: str = "sha1"
) -> bool:
    """True when one of the tokens made the signature; a missing one is False, never an error.

    The URL is tried with and without its scheme's default port, since Twilio signs either.
    """
    if not given:
        return False
    digest = None if params else parse_qs(urlsplit(url).query).get("bodySHA256")
    if digest and not hmac.compare_digest(sha256(body).hexdigest().encode(), digest[0].lower().encode()):
        return False
    candidates = _spellings(url)
    received = given.encode("utf-8", "surrogateescape")
    return any(
        hmac.compare_digest(signature(token, candidate, params, algorithm=algorithm).encode(), received)
        for token in tokens
        for candidate in candidates
    )


def algorithm_of(settings: str | None) -> str:
    """`sha1`, or `sha256` when the settings header names HMAC_SHA256."""
    if settings is None:
        return "sha1"
    fields = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    return "sha256" if fields.get("algorithm", "").upper() == "HMAC_SHA256" else "sha1"


@lru_cache(maxsize=1024)
def _spellings(url: str) -> tuple[str, ...]:
    url = url.partition("#")[0]
    parts = urlsplit(url)
    host = parts.netloc
    bare = host.rpartition("@")[2]
    # The colons inside an IPv6 address in brackets are not a port's.
    has_port = ":" in bare.rpartition("]")[2]
    other = host.rpartition(":")[0] if has_port else f"{host}:{443 if parts.scheme == 'https' else 80}"
    return url, url.replace(f"//{host}", f"//{other}", 1)
