"""A channel: one address as Apprise writes it. It holds its secret, so no sentence here shows more of it than its
scheme, and a key stands for it in the store."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from apprise import Apprise

Kind: TypeAlias = Literal["info", "success", "warning", "failure"]

TIMEOUT_SECONDS = 30
"""Time limit of one message on one channel."""
SECRET_CHARACTERS = 8
"""A word of an address with this length may be its secret; a message of Apprise that contains one is not repeated."""
MAIL_SCHEMES = ("mailto", "mailtos")


def channel_of(url: str) -> str:
    """Key of a channel in the store; its address may hold a secret, so that is not stored."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def is_understood(url: str) -> bool:
    """Whether Apprise understands an address."""
    return bool(_channel(url))


def shown(url: str) -> str:
    """As much of an address as may be shown: `slack://…`."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://…" if separator else "without a scheme"


def send(url: str, title: str, body: str, kind: Kind) -> str | None:
    """Sends a message, which may take TIMEOUT_SECONDS. None when it was accepted; otherwise the reason, as far as it
    may be shown: empty, or with a colon before it."""
    from apprise import NotifyFormat, NotifyType

    result = _channel(url).notify(
        title=title,
        body=body,
        notify_type=NotifyType(kind),
        body_format=NotifyFormat.TEXT,
        timeout=TIMEOUT_SECONDS,
    )
    if result:
        return None
    said = [str(entry.message) for entry in result.logs()]
    secrets = [part for part in re.split(r"\W+", url.partition("://")[2]) if len(part) >= SECRET_CHARACTERS]
    harmless = [sentence.rstrip(".") for sentence in said if not any(secret in sentence for secret in secrets)]
    return f": {'; '.join(harmless)}" if harmless else ""


def mail_channel(urls: Sequence[str], address: str) -> str | None:
    """The channel of an e-mail address: over the mail server of the first `mailto://` or `mailtos://` among the
    installation's own channels; None without one."""
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme in MAIL_SCHEMES:
            return parts._replace(path="", query=_query(parts.query, address)).geturl()
    return None


def _query(query: str, address: str) -> str:
    """The query of a mail address, for another recipient."""
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in ("to", "cc", "bcc")]
    return "&".join([*kept, urlencode({"to": address})])


def _channel(url: str) -> Apprise:
    """The channel at an address; empty, and so false, when Apprise does not understand it."""
    with warnings.catch_warnings():
        # Apprise loads every service it knows, and one of them still imports the module imghdr.
        warnings.filterwarnings("ignore", message=".*imghdr.*", category=DeprecationWarning)
        from apprise import Apprise

        channel = Apprise()
        channel.add(url)
    return channel
