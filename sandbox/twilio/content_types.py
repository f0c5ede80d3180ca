"""The types of content that Twilio's Content API knows: their shape, their limits on WhatsApp, and what a phone shows.
Nothing here does I/O.

The limits are Twilio's where its pages have one, else Meta's. A text with variables is measured when it is sent.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.storage import Json

VARIABLE: Final = re.compile(r"\{\{ ?(\w{1,16}) ?\}\}")
NEVER_APPROVED: Final = ("twilio/list-picker", "twilio/location", "twilio/catalog", "twilio/schedule")
"""Types that cannot be submitted for approval, and need none within the 24-hour window."""
_ALWAYS_APPROVED = (
    "twilio/carousel",
    "twilio/flows",
    "whatsapp/flows",
    "whatsapp/authentication",
    "whatsapp/card",
    "twilio/card",
)
"""Types that are sent after approval only."""
_MOST_UNAPPROVED_BUTTONS = 3
_ID_APPROVED, _ID_IN_SESSION = 128, 256

Fault = str | None
"""Why a value is refused, as a sentence; None where it is not."""
Shape = Callable[[object, str], Fault]


def _text(value: object, at: str) -> Fault:
    return None if isinstance(value, str) else f"{at} is not a string"


def _number(value: object, at: str) -> Fault:
    return None if isinstance(value, int | float) and not isinstance(value, bool) else f"{at} is not a number"


def _flag(value: object, at: str) -> Fault:
    return None if isinstance(value, bool) else f"{at} is not a boolean"


def _choice(*allowed: str) -> Shape:
    return lambda value, at: (
        None if value in allowed and isinstance(value, str) else f"{at} is one of {', '.join(allowed)}"
    )


def _list(inner: Shape) -> Shape:
    def check(value: object, at: str) -> Fault:
        if not isinstance(value, list):
            return f"{at} is not a list"
        return next((fault for index, item in enumerate(value) if (fault := inner(item, f"{at}[{index}]"))), None)

    return check


def _object(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    members = {**required, **(optional or {})}

    def check(value: object, at: str) -> Fault:
        if not isinstance(value, dict):
            return f"{at} is not an object"
        for name in required:
            if name not in value:
                return f"{at}.{name} is required"
        for name, item in value.items():
            if name not in members:
                return f"{at}.{name} is unknown"
            if fault := members[name](item, f"{at}.{name}"):
                return fault
        return None

    return check


def _texts(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, _text)


_WEBVIEW = _choice("TALL", "FULL", "HALF", "NONE")
_CARD_ACTION = _object(
    {"type": _choice("URL", "PHONE_NUMBER", "QUICK_REPLY", "COPY_CODE", "VOICE_CALL"), "title": _text},
    {**_texts("url", "phone", "id", "code"), "webview_size": _WEBVIEW},
)
_CALL_KINDS = _choice("URL", "PHONE_NUMBER", "COPY_CODE", "VOICE_CALL", "VOICE_CALL_REQUEST", "REQUEST_CONTACT_INFO")
_CAROUSEL_ACTION = _object(
    {"type": _choice("URL", "PHONE_NUMBER", "QUICK_REPLY"), "title": _text}, _texts("url", "phone", "id")
)
_CAROUSEL_CARD = _object({"body": _text, "media": _text, "actions": _list(_CAROUSEL_ACTION)}, {"title": _text})
_PAGE = _object(
    {"id": _text, "title": _text, "layout": _list(_object({"type": _text}, {"label": _text}))},
    _texts("next_page_id", "subtitle"),
)
_PRODUCT = _object({}, {**_texts("id", "section_title", "name", "media_url", "description"), "price": _number})
_SHAPES: Final[Mapping[str, Shape]] = {
    "twilio/text": _object({"body": _text}),
    "twilio/media": _object({"media": _list(_text)}, {"body": _text}),
    "twilio/location": _object({"latitude": _number, "longitude": _number}, _texts("label", "id", "address")),
    "twilio/list-picker": _object(
        {**_texts("body", "button"), "items": _list(_object(_texts("id", "item"), _texts("description")))}
    ),
    "twilio/quick-reply": _object(
        {"body": _text, "actions": _list(_object({"title": _text}, {"type": _choice("QUICK_REPLY"), "id": _text}))}
    ),
    "twilio/call-to-action": _object(
        {"body": _text, "actions": _list(_object({"type": _CALL_KINDS}, _texts("title", "url", "phone", "code", "id")))}
    ),
    "twilio/card": _object({}, {**_texts("title", "subtitle"), "media": _list(_text), "actions": _list(_CARD_ACTION)}),
    "twilio/catalog": _object(
        {"body": _text}, {**_texts("title", "subtitle", "id", "dynamic_items"), "items": _list(_PRODUCT)}
    ),
    "twilio/carousel": _object({"body": _text, "cards": _list(_CAROUSEL_CARD)}),
    "twilio/flows": _object(
        {**_texts("body", "button_text", "type"), "pages": _list(_PAGE)}, _texts("subtitle", "media_url")
    ),
    "twilio/schedule": _object(_texts("id", "title", "timeSlots")),
    "whatsapp/card": _object(
        {"body": _text},
        {**_texts("footer", "header_text"), "media": _list(_text), "actions": _list(_CARD_ACTION)},
    ),
    "whatsapp/authentication": _object(
        {"actions": _list(_object({"type": _choice("COPY_CODE"), "copy_code_text": _text}))},
        {"add_security_recommendation": _flag, "code_expiration_minutes": _number},
    ),
    "whatsapp/flows": _object(
        _texts("body", "button_text", "flow_id"),
        {
            **_texts("subtitle", "media_url", "flow_token", "flow_first_page_id"),
            "is_flow_first_page_endpoint": _flag,
        },
    ),
}
_LONGEST: Final[Mapping[str, Mapping[str, int]]] = {
    "twilio/text": {"body": 1_600},
    "twilio/media": {"body": 1_600},
    "twilio/quick-reply": {"body": 1_024, "actions[].title": 20, "actions[].id": _ID_IN_SESSION},
    "twilio/list-picker": {
        "body": 1_024,
        "button": 20,
        "items[].item": 24,
        "items[].id": 200,
        "items[].description": 72,
    },
    "twilio/call-to-action": {"body": 640, "actions[].title": 20},
}
"""In characters, by place."""
_REQUIRED = ("body", "button", "actions[].title", "items[].item", "items[].id")
"""What cannot be empty on a phone."""
_MOST: Final[Mapping[str, tuple[str, int]]] = {
    "twilio/quick-reply": ("actions", 10),
    "twilio/list-picker": ("items", 10),
    "twilio/call-to-action": ("actions", 10),
    "twilio/media": ("media", 1),
}


def fault_of(types: Mapping[str, object]) -> Fault:
    """What Twilio refuses when a content is created."""
    given = {name: value for name, value in types.items() if value is not None}
    if not given:
        return "types has no type"
    for name, value in given.items():
        if name not in _SHAPES:
            return f"types.{name} is unknown"
        if (fault := _SHAPES[name](value, f"types.{name}")) or (fault := _too_much(name, value)):
            return fault
    return None


def _too_much(name: str, value: Any) -> Fault:
    """A text without variables that is too long, too many parts, or none."""
    for place, text in texts_of(value):
        longest = _LONGEST.get(name, {}).get(place)
        if longest is not None and len(text) > longest and not VARIABLE.search(text):
            return f"types.{name}.{place} is longer than {longest} characters"
    if name == "twilio/call-to-action" and any(VARIABLE.search(button.get("title", "")) for button in value["actions"]):
        return f"types.{name}.actions[].title cannot have variables"
    if name in _MOST:
        part, most = _MOST[name]
        if not 1 <= len(value[part]) <= most:
            return f"types.{name}.{part} has from 1 to {most} elements"
    return None


def texts_of(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a type, each with its place: `body`, `actions[].title`."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item, f"{place}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts_of(item, f"{place}.{name}" if place else name)


def chosen(types: Mapping[str, Any]) -> tuple[str, Json]:
    """The type that WhatsApp gets of those of a content: the richest; text is what is left."""
    given = {name: value for name, value in types.items() if value is not None}
    name = next((name for name in given if name != "twilio/text"), "twilio/text")
    return name, given[name]


@dataclass(frozen=True, slots=True)
class Shown:
    """A content with its variables filled in, as the phone shows it."""

    type: str
    filled: Json
    missing: tuple[str, ...]
    """Variables that have no value."""

    @property
    def body(self) -> str:
        return str(self.filled.get("body") or self.filled.get("title") or "")

    @property
    def media(self) -> list[str]:
        given = self.filled.get("media", [])
        return list(given) if isinstance(given, list) else [given]

    def fault(self, *, is_approved: bool) -> Fault:
        """Why WhatsApp does not accept it."""
        if self.type in _ALWAYS_APPROVED and not is_approved:
            return f"{self.type} needs approval"
        return self._length_fault(is_approved) or self._button_fault(is_approved)

    def _length_fault(self, is_approved: bool) -> Fault:
        longest = {**_LONGEST.get(self.type, {})}
        if is_approved and "actions[].id" in longest:
            longest["actions[].id"] = _ID_APPROVED
        for place, text in texts_of(self.filled):
            if len(text) > longest.get(place, len(text)):
                return f"{place} has {len(text)} characters, at most {longest[place]} are allowed"
            if place in _REQUIRED and self.type != "twilio/media" and not text.strip():
                return f"{place} is empty"
        return None

    def _button_fault(self, is_approved: bool) -> Fault:
        buttons = self.filled.get("actions", [])
        for name in ("title", "id"):
            for part in (buttons, self.filled.get("items", [])):
                values = [item[name] for item in part if name in item]
                if len(set(values)) < len(values):
                    return f"two have the same {name}"
        if is_approved or self.type not in ("twilio/quick-reply", "twilio/call-to-action"):
            return None
        if len(buttons) > _MOST_UNAPPROVED_BUTTONS:
            return f"more than {_MOST_UNAPPROVED_BUTTONS} buttons need approval"
        kinds = [button.get("type", "QUICK_REPLY") for button in buttons]
        if len(set(kinds)) > 1 or "PHONE_NUMBER" in kinds or kinds.count("URL") > 1:
            return "these buttons need approval"
        return None

    def as_json(self) -> Json:
        """What the phone shows: type, body, and what can be tapped."""
        shown: Json = {"type": self.type, "body": self.body}
        if buttons := self.filled.get("actions"):
            shown["buttons"] = [
                {"title": button.get("title", ""), "id": button.get("id") or button.get("title", "")}
                for button in buttons
            ]
        if self.type == "twilio/list-picker":
            shown["button"] = self.filled["button"]
            shown["rows"] = [
                {"title": row["item"], "id": row["id"], "description": row.get("description", "")}
                for row in self.filled["items"]
            ]
        if self.type == "twilio/location":
            shown["location"] = {name: value for name, value in self.filled.items() if name != "id"}
        return shown


def show(types: Mapping[str, Any], values: Mapping[str, str]) -> Shown:
    """A content with these values for its variables."""
    name, value = chosen(types)
    missing: dict[str, None] = {}
    return Shown(name, _filled(value, values, missing), tuple(missing))


def _filled(value: Any, values: Mapping[str, str], missing: dict[str, None]) -> Any:
    def replaced(found: re.Match[str]) -> str:
        if found[1] not in values:
            missing[found[1]] = None
            return found[0]
        return values[found[1]]

    if isinstance(value, str):
        return VARIABLE.sub(replaced, value)
    if isinstance(value, list):
        return [_filled(item, values, missing) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, values, missing) for name, item in value.items()}
    return value
