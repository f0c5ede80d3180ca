"""The parts of a user's message, frozen values.

    Content ──► parts: text | voice · audio · image · sticker · video · document · contact (media) | location
            │          | button_reply · list_reply · flow | reaction | unsupported
            ├─► quoted      the message that this one replies to
            ├─► referral    the ad that the user came from
            └─► profile_name

A turn's engine gets some of them prepared: a file as `Attached` with its bytes, or as `UnreadFile`.

Dataclasses rather than pydantic models: each message makes them twice, in a third of the time. All values are text
without characters that the store or XML cannot carry (`runtime.text.portable`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """What the user wrote; beside media it is the caption."""

    kind: ClassVar = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file that Twilio keeps until it is deleted there; each is one of the kinds below. There is no other copy."""

    kind: ClassVar[str]
    url: str
    """Needs Basic auth of the account that received the message, and redirects. Empty when Twilio sent none."""
    content_type: str
    """As declared, parameters included: `audio/ogg; codecs=opus`. The bytes may be something else."""
    text: str | None = None
    """What it says, once it was read in a turn: the transcript of a recording, the names and numbers of a card."""
    deleted_at: str | None = None
    """When we deleted it at Twilio, as text of `timestamp`: `data.retention.media`."""


class Voice(Media):
    """A voice note: Ogg/Opus, which WhatsApp records. An Ogg file that was sent as one looks the same."""

    __slots__ = ()
    kind: ClassVar = "voice"


class Audio(Media):
    """An audio file."""

    __slots__ = ()
    kind: ClassVar = "audio"


class Image(Media):
    """A picture."""

    __slots__ = ()
    kind: ClassVar = "image"


class Sticker(Media):
    """A sticker: WebP, often animated."""

    __slots__ = ()
    kind: ClassVar = "sticker"


class Video(Media):
    """A video."""

    __slots__ = ()
    kind: ClassVar = "video"


class Document(Media):
    """Any other file. Twilio does not send its name."""

    __slots__ = ()
    kind: ClassVar = "document"


class Contact(Media):
    """A card from the user's contacts: a vCard."""

    __slots__ = ()
    kind: ClassVar = "contact"


@dataclass(frozen=True, slots=True)
class Location:
    """A place, in decimal degrees as Twilio wrote them; both are numbers that are on Earth."""

    kind: ClassVar = "location"
    latitude: str
    longitude: str
    label: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class ButtonReply:
    """A button that the user tapped."""

    kind: ClassVar = "button_reply"
    text: str
    """The button's label."""
    id: str | None = None
    """The id that the button was made with; None when Twilio sent the label only."""


@dataclass(frozen=True, slots=True)
class ListReply:
    """A row of a list that the user chose."""

    kind: ClassVar = "list_reply"
    title: str
    id: str | None = None
    """The id that the row was made with; None when Twilio sent the title only: find it in the list that was sent."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A WhatsApp form that the user filled in."""

    kind: ClassVar = "flow"
    data: str
    """The answers: JSON as Twilio wrote it, in practice an object; at most FLOW_LIMIT characters."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji put on a message, which `Content.quoted` names."""

    kind: ClassVar = "reaction"
    emoji: str
    """Empty when the user took it back."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A message that none of the other kinds describes."""

    kind: ClassVar = "unsupported"
    type: str
    """Twilio's MessageType, `empty` without one; `location` for one that is not on Earth, `call_permission`."""


UnreadReason: TypeAlias = Literal[
    "off", "not_heard", "too_long", "too_large", "too_many_pages", "not_supported", "not_fetched", "unreadable"
]
"""Why a file was not read: its kind is off for this client; nothing was recognised in it; it has too many minutes,
bytes or pages; its format cannot be read; Twilio did not give it; its bytes are not what they should be."""
Detail: TypeAlias = Literal["low", "high", "auto"]


@dataclass(frozen=True, slots=True)
class Attached:
    """A picture or a document in a prepared message: the engine gets its bytes with this turn's request only. Never
    stored."""

    kind: ClassVar = "attached"
    part: Media
    path: Path
    """Where the bytes lie until the turn's attempt ends."""
    content_type: str
    """By its bytes."""
    name: str
    """Ours, with the extension of its type; the user's is not used."""
    about: str
    """In a few words, such as `PDF, 3 pages`."""
    detail: Detail


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file in a prepared message that could not be read. Never stored."""

    kind: ClassVar = "unread"
    part: Media
    reason: UnreadReason


StoredPart: TypeAlias = Text | Media | Location | ButtonReply | ListReply | Flow | Reaction | Unsupported
Part: TypeAlias = StoredPart | Attached | UnreadFile

KINDS: tuple[type[StoredPart], ...] = (
    Text,
    Voice,
    Audio,
    Image,
    Sticker,
    Video,
    Document,
    Contact,
    Location,
    ButtonReply,
    ListReply,
    Flow,
    Reaction,
    Unsupported,
)


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message that a message replies to. WhatsApp names it for seven days."""

    message_sid: str
    sender: str = ""
    """Its author's address: ours or the user's."""


@dataclass(frozen=True, slots=True)
class Referral:
    """The ad or post that led the user to write; only their first message after it has one. Values are Meta's."""

    source_type: str = ""
    """`ad` or `post`."""
    source_id: str = ""
    source_url: str = ""
    headline: str = ""
    body: str = ""
    click_id: str = ""
    """`CtwaClid`, by which Meta counts what came of the click."""
    media_id: str = ""
    media_url: str = ""
    media_content_type: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A user's message."""

    parts: tuple[Part, ...]
    """At least one, in the order in which they read."""
    quoted: Quoted | None = None
    referral: Referral | None = None
    profile_name: str | None = None
    """The name in the user's WhatsApp profile at that time: chosen by them, not verified."""
