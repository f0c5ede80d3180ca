"""A WhatsApp user's phone: writes to a sender of a running sandbox and reads the answers.

It calls the sandbox's Twilio over HTTP like every client, and never the runtime.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen


class PhoneError(Exception):
    """No answer came. The text gives the reason and the next step."""


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """One message."""

    twilio: str
    to: str
    origin: str
    text: str
    timeout: float
    settle: float


def say(message: PhoneMessage) -> list[str]:
    """The answers, in the order they came. Raises PhoneError when there is none."""
    outcome = _post(message)
    if outcome["http_status"] is None and outcome["error"]:
        raise PhoneError(
            f"{message.to}: {outcome['error']}. Is the runtime up, and did `reconcile` set the sender's webhook?"
        )
    if outcome["error"]:
        raise PhoneError(
            f"{message.to}: the webhook answered HTTP {outcome['http_status']}: {outcome['error']}. "
            "See the runtime's log."
        )
    if not outcome["answers"]:
        raise PhoneError(
            f"{message.to}: the webhook took the message, but no answer came within {message.timeout:g} s. "
            "See the runtime's log."
        )
    return [item["body"] for item in outcome["answers"]]


def _post(message: PhoneMessage) -> dict[str, Any]:
    document = {
        "to": message.to,
        "from": message.origin,
        "body": message.text,
        "wait": message.timeout,
        "settle": message.settle,
    }
    url = message.twilio.rstrip("/") + "/_sandbox/inbound"
    if not url.startswith(("http://", "https://")):
        raise PhoneError(f"{message.twilio} is not a URL; --twilio takes one like http://127.0.0.1:8102")
    request = Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=message.timeout + 5) as response:  # noqa: S310 - checked above
            return dict(json.load(response))
    except HTTPError as error:
        with error:
            raise PhoneError(f"{message.to}: {_sentence(error.read(), error.code)}") from None
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise PhoneError(
            f"no sandbox answers at {message.twilio} ({reason}). Start one with `python -m sandbox serve`."
        ) from None


def _sentence(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the sandbox answered HTTP {status}"
