"""A WhatsApp user's phone: sends words, files, taps and places to a sender of a running sandbox and reads the answers.

It calls the sandbox's Twilio over HTTP like every client, and never the runtime.
"""

import json
import mimetypes
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

AD = {
    "ReferralSourceType": "ad",
    "ReferralSourceId": "120215678901230456",
    "ReferralSourceUrl": "https://fb.me/4kXyZ12Ab",
    "ReferralHeadline": "Escríbenos por WhatsApp",
    "ReferralBody": "Reserva hoy y te respondemos al tiro.",
    "ReferralCtwaClid": "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0",
    "ReferralMediaContentType": "image/jpeg",
    "ReferralMediaUrl": "https://scontent.xx.fbcdn.net/v/anuncio.jpg",
    "ReferralNumMedia": "1",
}
"""What Twilio adds to the first message after a click on an ad that opens WhatsApp."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_TYPES = {
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".amr": "audio/amr",
    ".m4a": "audio/mp4",
    ".webp": "image/webp",
    ".vcf": "text/vcard",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}presentationml.presentation",
}
"""Types of files that Python knows on some machines only, or by another name than WhatsApp."""
_REACTION_SECONDS = 3.0
"""How long an answer is waited for that is not expected: to a reaction, or by a person."""


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
    extra: Mapping[str, str]
    """Parameters of the webhook besides those of every message."""
    parts: Mapping[str, Any]
    """What the message has besides words, as /_sandbox/inbound takes it."""
    is_for_human: bool = False
    """Whether a person may answer, later: no answer is expected now."""

    @property
    def is_reaction(self) -> bool:
        return "reaction" in self.parts

    @property
    def wait(self) -> float:
        """Seconds to wait for an answer."""
        return min(self.timeout, _REACTION_SECONDS) if self.expects_none else self.timeout

    @property
    def expects_none(self) -> bool:
        """Whether it may stay without an answer."""
        return self.is_reaction or self.is_for_human


def attached(path: Path) -> dict[str, Any]:
    """A file as a part of a message, its type by its name."""
    ending = path.suffix.lower()
    content_type = _TYPES.get(ending) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"media": [{"content_type": content_type, "base64": b64encode(path.read_bytes()).decode()}]}


def place(text: str) -> dict[str, Any]:
    """A location from LATITUDE,LONGITUDE or LATITUDE,LONGITUDE,LABEL. Raises ValueError."""
    latitude, longitude, *label = text.split(",", 2)
    float(latitude), float(longitude)
    location = {"latitude": latitude.strip(), "longitude": longitude.strip()}
    return {"location": {**location, **({"label": label[0].strip()} if label else {})}}


def say(message: PhoneMessage) -> list[str]:
    """The answers as the phone shows them, in the order they came; none to a reaction. Raises PhoneError when there is
    none.
    """
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
    if not outcome["answers"] and not message.expects_none:
        raise PhoneError(
            f"{message.to}: the webhook took the message, but no answer came within {message.timeout:g} s. "
            "See the runtime's log."
        )
    return [shown(item) for item in outcome["answers"]]


def both_sides(twilio: str, to: str, origin: str) -> list[str]:
    """The whole chat as the phone shows it: `>` what the user wrote, `<` what came back. Raises PhoneError."""
    query = urlencode({"to": to, "from": origin})
    messages = _answered(Request(f"{_base(twilio)}/_sandbox/chat?{query}"), to, twilio, 10)  # noqa: S310 - checked
    return [("> " if one["is_user_s"] else "< ") + shown(one).replace("\n", "\n  ") for one in messages]


def shown(answer: Mapping[str, Any]) -> str:
    """An answer in words: its text, files and place, and what can be tapped, with its number."""
    lines = [answer["body"]] if answer["body"] else []
    lines += [f"[file] {url}" for url in answer.get("media", ())]
    lines += ["[file]"] * answer.get("files", 0)
    if (location := answer.get("location")) is not None:
        named = ", ".join(location[name] for name in ("label", "address") if location.get(name))
        lines.append(f"[location] {location['latitude']},{location['longitude']} {named}".rstrip())
    if "rows" in answer:
        lines.append(f"[{answer['button']}]")
    for number, choice in enumerate(answer.get("buttons") or answer.get("rows") or (), 1):
        described = f": {choice['description']}" if choice.get("description") else ""
        lines.append(f"  {number}. {choice['title']}{described}")
    return "\n".join(lines)


def _post(message: PhoneMessage) -> dict[str, Any]:
    document = {
        "to": message.to,
        "from": message.origin,
        "body": message.text,
        "wait": message.wait,
        "settle": message.settle,
        "extra": dict(message.extra),
        **message.parts,
    }
    url, headers = f"{_base(message.twilio)}/_sandbox/inbound", {"Content-Type": "application/json"}
    request = Request(url, json.dumps(document).encode(), headers)  # noqa: S310 - checked in _base
    return dict(_answered(request, message.to, message.twilio, message.timeout + 5))


def _base(twilio: str) -> str:
    if not twilio.startswith(("http://", "https://")):
        raise PhoneError(f"{twilio} is not a URL; --twilio takes one like http://127.0.0.1:8102")
    return twilio.rstrip("/")


def _answered(request: Request, to: str, twilio: str, timeout: float) -> Any:
    """The sandbox's answer. Raises PhoneError."""
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310 - checked in _base
            return json.load(response)
    except HTTPError as error:
        with error:
            raise PhoneError(f"{to}: {_sentence(error.read(), error.code)}") from None
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise PhoneError(
            f"no sandbox answers at {twilio} ({reason}). Start one with `python -m sandbox serve`."
        ) from None


def _sentence(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the sandbox answered HTTP {status}"
