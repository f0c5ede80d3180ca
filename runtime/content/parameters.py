"""Reads a user's message from the parameters of Twilio's webhook.

The kind of a message follows from which parameters are present and from the media's type. `MessageType`, which Twilio
does not document and some captures lack, decides only where nothing else does. Parameters that are not known here
change nothing: the inbox keeps them beside the content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from runtime.content.parts import (
    Audio,
    ButtonReply,
    Contact,
    Content,
    Document,
    Flow,
    Image,
    ListReply,
    Location,
    Media,
    Part,
    Quoted,
    Reaction,
    Referral,
    Sticker,
    Text,
    Unsupported,
    Video,
    Voice,
)
from runtime.text import portable

Parameters: TypeAlias = Mapping[str, str]
"""A webhook's parameters, each with its first value."""

MEDIA_LIMIT = 10
"""Media of one message, as Twilio's MMS allow; WhatsApp's messages have one."""
FLOW_LIMIT = 8_000
"""Characters of a form's answers."""
UNTYPED = "application/octet-stream"
"""The type of media for which Twilio names none."""
CALL_PERMISSION = "VOICE_CALL_REQUEST"
"""Body and ButtonText of an answer to a request for permission to call: not the user's words."""
REFERRAL = {
    "ReferralSourceType": "source_type",
    "ReferralSourceId": "source_id",
    "ReferralSourceUrl": "source_url",
    "ReferralHeadline": "headline",
    "ReferralBody": "body",
    "ReferralCtwaClid": "click_id",
    "ReferralMediaId": "media_id",
    "ReferralMediaUrl": "media_url",
    "ReferralMediaContentType": "media_content_type",
}
BEYOND_WORDS = frozenset(
    {
        *REFERRAL,
        "OriginalRepliedMessageSid",
        "MediaUrl0",
        "MediaContentType0",
        "ButtonText",
        "ButtonPayload",
        "ListId",
        "ListTitle",
        "ChannelMetadata",
        "InteractiveData",
        "FlowData",
        "Latitude",
        "Longitude",
    }
)
"""Parameters without which a message consists of its `Body`."""

_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?(?:[eE]-?[0-9]{1,2})?")
_SYMBOL = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934-\u2b55\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff]"
)
_STYLE = "[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
_EMOJI = re.compile(f"{_SYMBOL}{_STYLE}(?:\u200d{_SYMBOL}{_STYLE})*|[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3")


def content_of(parameters: Parameters) -> Content:
    """The message that a webhook with these parameters brings."""
    profile_name = _value(parameters, "ProfileName") or None
    if BEYOND_WORDS.isdisjoint(parameters) and parameters.get("MessageType", "text") == "text":
        # Nearly every message. Looking for all the others in it would take as long as storing it.
        body = _value(parameters, "Body")
        return Content(
            (Text(body) if body else Unsupported(parameters.get("MessageType", "empty")),), None, None, profile_name
        )
    given = parameters.get("OriginalRepliedMessageSid")
    quoted = Quoted(portable(given), _value(parameters, "OriginalRepliedMessageSender")) if given else None
    referral = {field: portable(value) for name, field in REFERRAL.items() if (value := parameters.get(name))}
    return Content(
        _parts(parameters, quoted),
        quoted,
        Referral(**referral) if referral else None,
        profile_name,
    )


def _parts(parameters: Parameters, quoted: Quoted | None) -> tuple[Part, ...]:
    body, hint = _value(parameters, "Body"), _value(parameters, "MessageType")
    media = _media(parameters, hint)
    if data := _value(parameters, "FlowData"):
        # The button that sends a form has a label, which says nothing.
        return (*([Text(body)] if body else []), *media, Flow(_answers(data)))
    if (choice := _choice(parameters, body)) is not None:
        return (choice, *media)
    # An emoji that replies to a message is a reaction to it, unless Twilio calls it a text.
    if hint == "reaction" or (quoted and not media and hint != "text" and _EMOJI.fullmatch(body)):
        return (Reaction(body),)
    parts: list[Part] = [Text(body)] if body else []
    parts += media
    if "Latitude" in parameters or "Longitude" in parameters:
        parts.append(_location(parameters))
    if data := _value(parameters, "InteractiveData"):
        parts.append(Flow(_answers(data)))
    if parts == [Text(body)] and hint in _CHOICES:
        # A choice of which Twilio sent the label only, in Body.
        return (_CHOICES[hint](body),)
    return tuple(parts) or (Unsupported(hint or "empty"),)


def _media(parameters: Parameters, hint: str) -> list[Media]:
    """The media whose parameters are present. NumMedia adds nothing to them, and may be any text."""
    found: list[Media] = []
    for index in range(MEDIA_LIMIT):
        url, content_type = _value(parameters, f"MediaUrl{index}"), _value(parameters, f"MediaContentType{index}")
        if not url and not content_type:
            break
        found.append(_media_kind(content_type, hint)(url, content_type or UNTYPED))
    return found


def _media_kind(content_type: str, hint: str) -> type[Media]:
    essence = content_type.partition(";")[0].strip().lower()
    if essence == "image/webp" and hint == "image":
        return Image
    return _BY_TYPE.get(essence) or _BY_TYPE.get(essence.partition("/")[0], Document)


def _choice(parameters: Parameters, body: str) -> Part | None:
    """What the user tapped or chose. How a list's reply arrives is not documented, so three ways are read: its own
    parameters, JSON in ChannelMetadata, only its title in Body."""
    label, payload = _value(parameters, "ButtonText"), _value(parameters, "ButtonPayload")
    if label == CALL_PERMISSION:
        return Unsupported("call_permission")
    if payload:
        return ButtonReply(label or body or payload, payload)
    row, title = _value(parameters, "ListId"), _value(parameters, "ListTitle")
    if row or title:
        return ListReply(title or body or row, row or None, _value(parameters, "ListDescription") or None)
    for name in ("ChannelMetadata", "InteractiveData"):
        if (reply := _nested_reply(parameters.get(name, ""))) is not None:
            return reply
    return ButtonReply(label) if label else None


def _nested_reply(text: str) -> ButtonReply | ListReply | None:
    """The reply somewhere in a JSON text: `{"list_reply": {"id", "title", "description"}}`, or `button_reply`."""
    if '"list_reply"' not in text and '"button_reply"' not in text:
        return None
    for value in _objects(text):
        for name, kind in (("list_reply", ListReply), ("button_reply", ButtonReply)):
            reply = value.get(name)
            if isinstance(reply, dict) and (title := _text_of(reply, "title")):
                more = {"description": _text_of(reply, "description")} if kind is ListReply else {}
                return kind(title, _text_of(reply, "id"), **more)
    return None


def _answers(data: str) -> str:
    """A form's answers, bounded: those that Meta wraps, `{"nfm_reply": {"response_json": "{…}"}}`, without what wraps
    them; all of it otherwise."""
    found = None
    if '"nfm_reply"' in data:
        replies = [reply for value in _objects(data) if isinstance(reply := value.get("nfm_reply"), dict)]
        found = next((answers for reply in replies if (answers := _text_of(reply, "response_json"))), None)
    return (found or data)[:FLOW_LIMIT]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """All objects in a JSON text, however deep; none where it is not JSON."""
    try:
        left: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        return  # Body is all there is
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left += value.values()
        elif isinstance(value, list):
            left += value


def _text_of(reply: Mapping[str, Any], name: str) -> str | None:
    value = reply.get(name)
    return (portable(value).strip() or None) if isinstance(value, str) else None


def _location(parameters: Parameters) -> Location | Unsupported:
    latitude, longitude = _value(parameters, "Latitude"), _value(parameters, "Longitude")
    if not (_is_degrees(latitude, 90) and _is_degrees(longitude, 180)):
        return Unsupported("location")
    return Location(latitude, longitude, _value(parameters, "Label"), _value(parameters, "Address"))


def _is_degrees(text: str, most: int) -> bool:
    return _DEGREES.fullmatch(text) is not None and abs(float(text)) <= most


def _value(parameters: Parameters, name: str) -> str:
    given = parameters.get(name)
    return portable(given).strip() if given else ""


_CHOICES = {"interactive": ListReply, "button": ButtonReply}
_BY_TYPE: dict[str, type[Media]] = {
    "audio/ogg": Voice,
    "audio": Audio,
    "image/webp": Sticker,
    "image": Image,
    "video": Video,
    "text/vcard": Contact,
    "text/x-vcard": Contact,
}
