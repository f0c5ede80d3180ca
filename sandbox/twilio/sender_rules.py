"""What Twilio accepts in a WhatsApp sender: a body checked as the Senders API v2 checks it. Nothing here does I/O."""

import json
from typing import Any

from sandbox.errors import ProviderRefusal
from sandbox.storage import Json
from sandbox.twilio.message_rules import is_url
from sandbox.twilio.wire import error

VERTICALS = (
    "Alcohol",
    "Automotive",
    "Beauty, Spa and Salon",
    "Clothing and Apparel",
    "Education",
    "Entertainment",
    "Event Planning and Service",
    "Finance and Banking",
    "Food and Grocery",
    "Hotel and Lodging",
    "Matrimony Service",
    "Medical and Health",
    "Non-profit",
    "Online Gambling",
    "OTC Drugs",
    "Other",
    "Physical Gambling",
    "Professional Services",
    "Public Service",
    "Restaurant",
    "Shopping and Retail",
    "Travel and Transportation",
)
WEBHOOK_KEYS = (
    "callback_url",
    "callback_method",
    "fallback_url",
    "fallback_method",
    "status_callback_url",
    "status_callback_method",
)
PROFILE_KEYS = ("name", "about", "address", "description", "logo_url", "vertical", "websites", "emails")
_OTHER_CHANNELS = frozenset(("banner_url", "privacy_url", "terms_of_service_url", "accent_color"))
"""Keys of a profile that WhatsApp does not have: checked, not kept."""
_CONFIGURATION_KEYS = ("waba_id", "verification_method", "verification_code", "voice_application_sid", "account_type")
_TOP = {"webhook": WEBHOOK_KEYS, "profile": PROFILE_KEYS, "configuration": _CONFIGURATION_KEYS}
_LONGEST_NAME = 256
_LONGEST = {"about": 139, "description": 512, "address": 256}
_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("webhook", "callback_method"): ("POST", "PUT"),
    ("webhook", "fallback_method"): ("POST", "PUT"),
    ("webhook", "status_callback_method"): ("POST", "PUT"),
    ("configuration", "verification_method"): ("sms", "voice"),
    ("configuration", "account_type"): ("ISV", "ISVSubAccount", ""),
    ("profile", "vertical"): (*VERTICALS, ""),
}


def refused(message: str) -> ProviderRefusal:
    return error(400, 63100, message)


def parsed(raw: bytes) -> Json:
    """The JSON object of a create or update. A form body, as the async SDK sends it by mistake, is refused like any
    other non-JSON.
    """
    try:
        body = json.loads(raw)
    except ValueError:
        raise refused("Validation error: the request body is empty or not valid JSON") from None
    if not isinstance(body, dict):
        raise refused("Validation error: the request body is not a JSON object")
    return {key: value for key, value in body.items() if key in (*_TOP, "sender_id", "friendly_name")}


def checked(body: Json) -> Json:
    """The parts of a body that Twilio keeps; unknown keys are silently ignored, wrong values are refused."""
    kept: Json = {}
    for part, known in _TOP.items():
        value = body.get(part)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise refused(f"Validation error: {part} is not an object")
        kept[part] = {key: _field(part, key, item) for key, item in value.items() if key in known}
        for key in value.keys() & _OTHER_CHANNELS:
            _text(f"{part}.{key}", value[key], 4096)
    if "friendly_name" in body:
        kept["friendly_name"] = _text("friendly_name", body["friendly_name"], _LONGEST_NAME)
    return kept


def _field(part: str, key: str, value: Any) -> Any:
    where = f"{part}.{key}"
    if value is None:
        return None
    if key in ("websites", "emails"):
        return _links(where, key.removesuffix("s"), value)
    value = _text(where, value, _LONGEST.get(key, 4096))
    choices = _CHOICES.get((part, key))
    if choices is not None and value not in choices:
        raise refused(
            f"Validation error: {where} '{value}' is not one of {', '.join(item for item in choices if item)}"
        )
    if key.endswith("_url") and value and not is_url(value):
        raise refused(f"Validation error: {where} '{value}' is not a URL")
    return value


def _text(where: str, value: Any, most: int) -> str | None:
    if value is not None and not isinstance(value, str):
        raise refused(f"Validation error: {where} is not a string")
    if value is not None and len(value) > most:
        raise refused(f"Validation error: {where} is longer than {most} characters")
    return value


def _links(where: str, key: str, value: Any) -> list[Json]:
    if not isinstance(value, list) or len(value) > 2:
        raise refused(f"Validation error: {where} is a list of at most 2 objects")
    for item in value:
        texts = [item.get(key), item.get("label", "")] if isinstance(item, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise refused(f"Validation error: {where} holds objects with '{key}' and 'label'")
    return [{key: item[key], "label": item.get("label") or key.capitalize()} for item in value]
