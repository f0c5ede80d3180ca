"""The content of a message to a user: text, a media file, a place, or one of Twilio's content templates with variables.

The outbox also stores its readable form, in `body`: all of a text, and what an older program sends in place of the
other kinds. Nothing here does I/O.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias, assert_never
from urllib.parse import unquote, urlsplit

from runtime.store.codec import dump_json
from runtime.text import portable


@dataclass(frozen=True, slots=True)
class OutboundText:
    """Words."""

    body: str

    @property
    def readable(self) -> str:
        """What a person would read."""
        return self.body


@dataclass(frozen=True, slots=True)
class OutboundMedia:
    """A file, which Twilio fetches. WhatsApp: one a message, at most 16 MB (a picture 5 MB)."""

    url: str
    """Of a file of the store its path (`runtime.delivery.file_links`): it gets an address when it is sent."""
    caption: str = ""

    @property
    def readable(self) -> str:
        """What a person would read: the caption, and the file's name in square brackets. The URL may be a secret."""
        name = portable(unquote(urlsplit(self.url).path.rpartition("/")[2]))
        return "\n".join(part for part in (self.caption, f"[{name or 'media'}]") if part)


@dataclass(frozen=True, slots=True)
class OutboundLocation:
    """A place, which WhatsApp shows on a map."""

    latitude: float
    longitude: float
    name: str
    address: str = ""

    @property
    def body(self) -> str:
        """The words that Twilio keeps of it."""
        return self.name

    @property
    def readable(self) -> str:
        """What a person would read, and an older program sends: name, address, position."""
        place = f"{self.latitude:g}, {self.longitude:g}"
        return "\n".join(part for part in (self.name, self.address, f"[{place}]") if part)


@dataclass(frozen=True, slots=True)
class OutboundTemplate:
    """A content template (`HX…`). An approved one may be sent at any time, any other within the 24-hour window."""

    content_sid: str
    body: str
    """The template's text with these variables, as far as we know; Twilio renders what is sent."""
    variables: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    """What buttons or rows below the text say. One with options is never approved."""

    @property
    def readable(self) -> str:
        """What a person would read, and an older program sends in place of options."""
        return "\n".join((self.body, *(f"- {option}" for option in self.options)))


OutboundContent: TypeAlias = OutboundText | OutboundMedia | OutboundLocation | OutboundTemplate


def is_offer(content: OutboundContent) -> bool:
    """Whether it is buttons or a list, which can be said in words instead: as its `readable` form."""
    return isinstance(content, OutboundTemplate) and bool(content.options)


def made_portable(content: OutboundContent) -> OutboundContent:
    """The content without characters that are invalid in the store or in messages."""
    match content:
        case OutboundText():
            return OutboundText(portable(content.body))
        case OutboundMedia():
            return OutboundMedia(content.url, portable(content.caption))
        case OutboundLocation():
            return replace(content, name=portable(content.name), address=portable(content.address))
        case OutboundTemplate():
            variables = {name: portable(value) for name, value in content.variables.items()}
            options = tuple(map(portable, content.options))
            return OutboundTemplate(content.content_sid, portable(content.body), variables, options)
    assert_never(content)


def encoded(content: OutboundContent) -> str | None:
    """The part of it that is not in `body`, as JSON; None where that is empty."""
    match content:
        case OutboundText():
            return None
        case OutboundMedia():
            return dump_json({"type": "media", "url": content.url, "caption": content.caption})
        case OutboundLocation():
            return dump_json({"type": "location", **asdict(content)})
        case OutboundTemplate():
            variables = dict(content.variables)
            offered = {"body": content.body, "options": list(content.options)} if content.options else {}
            return dump_json({"type": "template", "content_sid": content.content_sid, "variables": variables} | offered)
    assert_never(content)


def decoded(body: str, stored: str | None) -> OutboundContent:
    """The content of a row. A row of an older program is text; an unknown kind of a newer one is sent in its readable
    form."""
    document: dict[str, Any] = json.loads(stored) if stored else {}
    match document.get("type"):
        case "media":
            return OutboundMedia(document["url"], document["caption"])
        case "template":
            text, options = document.get("body", body), tuple(document.get("options", ()))
            return OutboundTemplate(document["content_sid"], text, document["variables"], options)
        case "location":
            where = document["latitude"], document["longitude"]
            return OutboundLocation(*where, document["name"], document["address"])
        case _:
            return OutboundText(body)
