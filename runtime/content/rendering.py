"""What a user's message reads like as text: for a model that takes text only, and for a person."""

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
    Text,
)


def as_text(content: Content) -> str:
    """The whole message, a part a line; what is not text is named in square brackets. Never empty."""
    if len(content.parts) == 1:
        return part_as_text(content.parts[0])
    return "\n".join([part_as_text(part) for part in content.parts])


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
