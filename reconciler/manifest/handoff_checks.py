"""What a block `handoff` says of a desk that its types cannot check: where it is, and whose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.manifest.shape import Loc
from schemas.public_urls import Refusal, refusal

DESK: Final[Loc] = ("handoff", "desk", "chatwoot")
_HINT: Final = "Serve Chatwoot over https at a public address; in your own network, add allow_private: true to desk."


def desk_refusal(handoff: Mapping[str, Any]) -> Refusal | None:
    """Why the runtime would not call a desk, as far as its URL shows; None where it would, or the models say more."""
    desk = handoff.get("desk")
    chatwoot = desk.get("chatwoot") if isinstance(desk, Mapping) else None
    url = chatwoot.get("url") if isinstance(chatwoot, Mapping) else None
    if not isinstance(desk, Mapping) or not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    refused = refusal(url, allow_private=desk.get("allow_private") is True)
    return None if refused is None else refused._replace(hint=_HINT)


def desk_inbox(values: Mapping[str, Any]) -> str | None:
    """Which inbox a client's desk is, in words that are the same for the same one; None without a desk."""
    found: Any = values
    for key in DESK:
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    url, account, inbox = (found.get(key) for key in ("url", "account", "inbox"))
    if not isinstance(url, str) or not isinstance(account, int) or not isinstance(inbox, int):
        return None
    return f"inbox {inbox} of account {account} at {url.rstrip('/').lower()}"
