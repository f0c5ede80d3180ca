"""What a user's message is besides words and files (a tapped button, a row of a list, a location …) as parameters of
Twilio's webhook.

Twilio documents a part of this only: what a row of a list and a reaction look like is open, and a setting plays each
way. Nothing here does I/O.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.errors import InputError
from sandbox.storage import Json

STOP_PROMOTIONS = {"es": "Detener promociones", "en": "Stop promotions", "pt": "Parar promoções"}
"""The label of WhatsApp's own button, by language."""
ListReplies = Literal["fields", "metadata", "body"]


@dataclass(frozen=True, slots=True)
class MessagePart:
    """A part as Twilio reports it: the message's body, its type, and further parameters."""

    body: str
    message_type: str
    parameters: Mapping[str, str]


def part_of(name: str, value: object, list_replies: ListReplies) -> MessagePart:
    """The part of a name, from a document of /_sandbox/inbound. Raises InputError with a sentence."""
    if name == "list":
        return _list_reply(_object(name, value, ("title", "id", "description")), list_replies)
    return _PARTS[name](value)


def type_of_media(content_type: str) -> str:
    """`MessageType` of a message with such a file."""
    essence = content_type.partition(";")[0].strip().lower()
    family = essence.partition("/")[0]
    if essence in ("text/vcard", "text/x-vcard"):
        return "contacts"
    if essence == "image/webp":
        return "sticker"
    return family if family in ("image", "audio", "video") else "document"


def _object(part: str, value: object, known: tuple[str, ...]) -> dict[str, str]:
    """The texts of a part; what is not given is empty."""
    shape = f"'{part}' is an object of texts: {', '.join(known)}"
    if not isinstance(value, dict) or not value.keys() <= set(known):
        raise InputError(shape)
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in value.values()):
        raise InputError(shape)
    return {name: str(value.get(name, "")) for name in known}


def _location(value: object) -> MessagePart:
    place = _object("location", value, ("latitude", "longitude", "label", "address"))
    if not place["latitude"] or not place["longitude"]:
        raise InputError("'location' needs latitude and longitude")
    given = {name.capitalize(): text for name, text in place.items() if text}
    return MessagePart("", "location", given)


def _button(value: object) -> MessagePart:
    """A quick reply. `template` is anything but empty for a button of an approved template."""
    button = _object("button", value, ("title", "id", "template"))
    parameters = {"ButtonText": button["title"], **({"ButtonPayload": button["id"]} if button["id"] else {})}
    return MessagePart(button["title"], "button" if button["template"] else "interactive", parameters)


def _stop_promotions(value: object) -> MessagePart:
    """WhatsApp's own button below a marketing template, in the template's language. From then on it delivers no
    marketing template of the sender to the user."""
    if value not in STOP_PROMOTIONS:
        raise InputError(f"'stop_promotions' is the language of a template: {', '.join(STOP_PROMOTIONS)}")
    label = STOP_PROMOTIONS[str(value)]
    return MessagePart(label, "button", {"ButtonText": label, "ButtonPayload": "STOP"})


def _list_reply(row: dict[str, str], shape: ListReplies) -> MessagePart:
    parameters: dict[str, str] = {}
    if shape == "fields":
        parameters = {f"List{name.capitalize()}": text for name, text in row.items() if text}
    elif shape == "metadata":
        reply = {name: text for name, text in row.items() if text}
        data = {"context": {}, "interactive": {"type": "list_reply", "list_reply": reply}}
        parameters = {"ChannelMetadata": _json({"type": "whatsapp", "data": data})}
    return MessagePart(row["title"], "interactive", parameters)


def _flow(value: object) -> MessagePart:
    if not isinstance(value, dict):
        raise InputError("'flow' is an object: the answers to a form")
    return MessagePart("", "interactive", {"FlowData": _json(value), "InteractiveData": _json({"answers": value})})


def _reaction(value: object) -> MessagePart:
    if not isinstance(value, str) or not value:
        raise InputError("'reaction' is an emoji")
    return MessagePart(value, "reaction", {})


def _unsupported(value: object) -> MessagePart:
    if not isinstance(value, str) or not value:
        raise InputError("'unsupported' is what WhatsApp calls the message, for example poll_creation")
    return MessagePart("", "unsupported", {"ChannelMetadata": _json({"type": "whatsapp", "data": {"type": value}})})


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_PARTS: dict[str, Callable[[object], MessagePart]] = {
    "location": _location,
    "button": _button,
    "flow": _flow,
    "reaction": _reaction,
    "unsupported": _unsupported,
    "stop_promotions": _stop_promotions,
}
NAMES = ("list", *_PARTS)
"""Of the parts that a document of /_sandbox/inbound may have, one at most."""
TAPPED = {"button": "buttons", "list": "rows"}
"""Parts that may be given as a number or a title → what the message that shows them has them in."""


def tapped(name: str, value: int | str, message: Json) -> Json:
    """The part for the button or row of a message that has this number, from 1 on, or this title. Raises InputError
    with a sentence."""
    shown = message["_content"][TAPPED[name]]
    wanted = str(value).strip().casefold()
    numbered = enumerate(shown, 1)
    found = next((one for number, one in numbered if wanted in (str(number), one["title"].casefold())), None)
    if found is None:
        titles = ", ".join(f"{number} {one['title']}" for number, one in enumerate(shown, 1))
        raise InputError(f"there is no {value!r} to tap, but: {titles}")
    part: Json = {key: text for key, text in found.items() if text}
    return {**part, "template": "yes"} if name == "button" and message["_template"] else part
