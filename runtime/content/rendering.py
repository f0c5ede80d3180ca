"""What a user's message reads like as text: for a person, and for a model that takes text only.

A person is shown what Twilio sent. A model gets what it can use: the id of what was chosen beside its label, and of a
file that nothing here can read that it is one. `[audio/ogg]` would be answered as if it had been said.
"""

from __future__ import annotations

from runtime.content.parts import (
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
        case Media():
            return _FILES[part.kind]
        case ButtonReply() if part.id and part.id != part.text:
            return f"{part.text} [button id: {part.id}]"
        case ListReply():
            more = [part.description, part.id and part.id != part.title and f"row id: {part.id}"]
            told = "; ".join(str(one) for one in more if one)
            return f"{part.title} [{told}]" if told else part.title
        case _:
            return part_as_text(part)


_FILES = {
    "voice": "[voice note, which cannot be heard here]",
    "audio": "[audio file, which cannot be heard here]",
    "image": "[picture, which cannot be seen here]",
    "sticker": "[sticker]",
    "video": "[video, which cannot be seen here]",
    "document": "[document, which cannot be read here]",
    "contact": "[contact card, which cannot be read here]",
}


def part_as_text(part: Part) -> str:
    """One part; never empty."""
    match part:
        case Text() | ButtonReply():
            return part.text
        case Media():
            return f"[{part.content_type}]"
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
