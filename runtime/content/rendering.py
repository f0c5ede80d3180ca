"""What a user's message reads like as text: for a person, and for a model that takes text only.

A person is shown what Twilio sent, and what was read in it. A model gets what it can use: the id of what was chosen
beside its label, a transcript that is marked as one, and of a file that nothing here can read that it is one.
`[audio/ogg]` would be answered as if it had been said.
"""

from __future__ import annotations

from runtime.content.parts import (
    Attached,
    ButtonReply,
    Content,
    Flow,
    ListReply,
    Location,
    Media,
    Part,
    Reaction,
    Sticker,
    Text,
    UnreadFile,
    UnreadReason,
    Unsupported,
)


def as_text(content: Content) -> str:
    """The whole message, a part a line; what is not text is named in square brackets. Never empty."""
    if len(content.parts) == 1:
        return part_as_text(content.parts[0])
    return "\n".join([part_as_text(part) for part in content.parts])


def for_model(content: Content) -> str:
    """The whole message as a model gets it, a part a line. Never empty."""
    return "\n".join([_part_for_model(part) for part in content.parts])


def needs_words(content: Content) -> bool:
    """Whether a message is nothing but files that cannot be read. A sticker says what an emoji does."""
    return all(isinstance(part, Media) and not isinstance(part, Sticker) for part in content.parts)


def _part_for_model(part: Part) -> str:
    match part:
        case Attached():
            return f"[{NAMES[part.part.kind]}: {part.about}; shown in that turn only]"
        case UnreadFile():
            return f"[{NAMES[part.part.kind]}, {_UNREAD[part.reason]}]"
        case Media() if part.text is not None:
            return f"[{NAMES[part.kind]}{_READ_BY.get(part.kind, '')}] {part.text}"
        case Media():
            return f"[{NAMES[part.kind]}{_CANNOT.get(part.kind, '')}]"
        case ButtonReply() if part.id and part.id != part.text:
            return f"{part.text} [button id: {part.id}]"
        case ListReply():
            more = [part.description, part.id and part.id != part.title and f"row id: {part.id}"]
            told = "; ".join(str(one) for one in more if one)
            return f"{part.title} [{told}]" if told else part.title
        case Reaction():
            return f"[reaction {part.emoji}]" if part.emoji else "[reaction taken back]"
        case Unsupported():
            return _UNSUPPORTED.get(part.type, "[a message of a kind that cannot be shown here]")
        case _:
            return part_as_text(part)


NAMES = {
    "voice": "voice note",
    "audio": "audio file",
    "image": "picture",
    "sticker": "sticker",
    "video": "video",
    "document": "document",
    "contact": "contact card",
}
_READ_BY = {"voice": ", transcribed", "audio": ", transcribed"}
_CANNOT = {
    "voice": ", which cannot be heard here",
    "audio": ", which cannot be heard here",
    "image": ", which cannot be seen here",
    "video": ", which cannot be seen here",
    "document": ", which cannot be read here",
    "contact": ", which cannot be read here",
}
_UNREAD: dict[UnreadReason, str] = {
    "off": "which cannot be read here",
    "not_heard": "in which no words were recognised",
    "too_long": "which is too long to be transcribed here",
    "too_large": "which is too large to be opened here",
    "too_many_pages": "which has too many pages to be read here",
    "not_supported": "whose format cannot be read here",
    "not_fetched": "which could not be fetched",
    "unreadable": "which could not be opened",
}
_UNSUPPORTED = {
    "call_permission": "[answer to a request for permission to call]",
    "location": "[location that is not on Earth]",
    "empty": "[empty message]",
}


def part_as_text(part: Part) -> str:
    """One part; never empty."""
    match part:
        case Text() | ButtonReply():
            return part.text
        case Attached() | UnreadFile():
            return part_as_text(part.part)
        case Media():
            return f"[{part.content_type}] {part.text}" if part.text else f"[{part.content_type}]"
        case ListReply():
            return part.title
        case Location():
            place = ", ".join(name for name in (part.label, part.address) if name)
            return f"[location {part.latitude},{part.longitude}{': ' + place if place else ''}]"
        case Flow():
            return f"[flow {part.data}]"
        case Reaction():
            return part.emoji or "[reaction]"
        case _:
            return f"[{part.type}]"
