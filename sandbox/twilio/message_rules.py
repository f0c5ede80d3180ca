"""What Twilio accepts in the form of a new message, apart from who sends it to whom. Nothing here does I/O."""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from sandbox.errors import ProviderRefusal
from sandbox.twilio.addresses import SENDER, whatsapp_address
from sandbox.twilio.wire import error

LONGEST = 1600
"""Of a body, in UTF-16 units."""
_MOST_MEDIA = 10
_MOST_VALIDITY = 36_000
Form = dict[str, list[str]]
Accepts = Callable[[str], bool]


def check(form: Form) -> None:
    """Raises Twilio's error for the first value that it does not accept. What it does not know is ignored."""
    body = "".join(form.get("Body", [])[:1])
    if len(body.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST:
        raise error(400, 21617, f"The concatenated message body exceeds the {LONGEST} character limit")
    media = [url for url in form.get("MediaUrl", []) if url]
    if len(media) > _MOST_MEDIA:
        raise error(400, 21623, "Number of media files exceeds allowed limit")
    if not all(map(is_url, media)):
        raise error(400, 21620, "Invalid media URL(s)")
    for name, (accepts, refused) in _RULES.items():
        for value in form.get(name, []):
            if value and not accepts(value):
                raise refused(name, value)


def is_url(text: str) -> bool:
    """Whether Twilio can call it."""
    try:
        parts = urlsplit(text)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return bool(named) and parts.scheme in ("http", "https") and not re.search(r"\s", text)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


def _sid(prefix: str) -> Accepts:
    return lambda text: re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", text) is not None


def _within(least: int, most: int) -> Accepts:
    return lambda text: text.isdecimal() and least <= int(text[:10]) <= most


def _choice(*allowed: str) -> Accepts:
    return lambda text: text in allowed


def _is_number(text: str) -> bool:
    return SENDER.match(whatsapp_address(text)) is not None


def _is_price(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _invalid(name: str, value: str) -> ProviderRefusal:
    return error(400, 20001, f"Invalid parameter {name}: {value}")


def _no_callback(name: str, value: str) -> ProviderRefusal:
    return error(400, 21609, f"The '{name}' URL {value} is not a valid URL.")


def _no_number(name: str, value: str) -> ProviderRefusal:
    return error(400, 21212, f"The '{name}' number {value} is not a valid phone number")


def _no_content(name: str, value: str) -> ProviderRefusal:
    return error(400, 21655, f"The {name} {value} is invalid")


def _no_service(name: str, value: str) -> ProviderRefusal:
    return error(400, 21701, f"The Messaging Service does not exist: {name} {value}")


_FLAG = _choice("true", "false", "True", "False")
_RULES: dict[str, tuple[Accepts, Callable[[str, str], ProviderRefusal]]] = {
    "StatusCallback": (is_url, _no_callback),
    "FallbackFrom": (_is_number, _no_number),
    "ContentSid": (_sid("HX"), _no_content),
    "MessagingServiceSid": (_sid("MG"), _no_service),
    "ApplicationSid": (_sid("AP"), _invalid),
    "MaxPrice": (_is_price, _invalid),
    "Attempt": (_within(0, 2**31), _invalid),
    "ValidityPeriod": (_within(1, _MOST_VALIDITY), _invalid),
    "SendAt": (_is_moment, _invalid),
    "ContentRetention": (_choice("retain", "discard"), _invalid),
    "AddressRetention": (_choice("retain", "obfuscate"), _invalid),
    "TrafficType": (_choice("free"), _invalid),
    "ScheduleType": (_choice("fixed"), _invalid),
    "RiskCheck": (_choice("enable", "disable"), _invalid),
    **dict.fromkeys(
        ("ProvideFeedback", "ForceDelivery", "SmartEncoded", "ShortenUrls", "SendAsMms"), (_FLAG, _invalid)
    ),
}
