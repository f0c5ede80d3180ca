"""Addresses at which Twilio fetches a file of the store: signed, for a day.

    outbox    /media/<sha256>/menu.pdf
    send      PUBLIC_URL/media/<sha256>/menu.pdf?exp=<unix seconds>&sig=<hex HMAC-SHA256>

The outbox has the path only; a message that is sent later, or again, gets an address that is valid then. The key is
derived from the store's secret, so every replica signs and accepts the same.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import replace
from urllib.parse import quote, unquote, urlencode

from runtime.errors import PermanentError
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia

PATH = "/media/"
VALID_SECONDS = 24 * 3600
"""How long an address is valid: Twilio fetches a file within seconds, and may again for a message that waits there."""


def path_of_file(sha256: str, name: str) -> str:
    """The path of a file of the store, with the name that people see."""
    return f"{PATH}{sha256}/{quote(name, safe='')}"


class FileLinks:
    """Signs addresses and verifies them."""

    def __init__(self, salt: str, public_url: str | None) -> None:
        """`salt`: the store's secret. `public_url`: where the service is reached; None where none is known."""
        self._key = hmac.digest(salt.encode(), b"addresses of files", "sha256")
        self._public_url = public_url

    def resolved(self, content: OutboundContent) -> OutboundContent:
        """The content with an address that Twilio can fetch; raises PermanentError where none is known."""
        if not isinstance(content, OutboundMedia) or not content.url.startswith(PATH):
            return content
        if self._public_url is None:
            raise PermanentError("The file cannot be sent: PUBLIC_URL is not set.")
        sha256, _, name = content.url.removeprefix(PATH).partition("/")
        expires = int(time.time()) + VALID_SECONDS
        query = urlencode({"exp": expires, "sig": self._signature(sha256, unquote(name), expires)})
        return replace(content, url=f"{self._public_url}{content.url}?{query}")

    def is_valid(self, sha256: str, name: str, expires: str, signature: str) -> bool:
        """Whether an address was signed here and has not expired."""
        if not expires.isascii() or not expires.isdecimal() or len(expires) > 12 or not signature.isascii():
            return False
        expected = self._signature(sha256, name, int(expires))
        return hmac.compare_digest(signature, expected) and int(expires) >= time.time()

    def _signature(self, sha256: str, name: str, expires: int) -> str:
        return hmac.digest(self._key, f"{sha256}/{name}/{expires}".encode(), "sha256").hex()
