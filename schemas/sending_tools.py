"""The built-in tools with which a model sends more than words, or passes a conversation on, as they are offered to it.

    send_document, send_image    media.files, each for the files of its sort
    send_location                media.places
    offer_buttons, offer_list    replies.buttons
    hand_over                    handoff

The runtime carries them out, whatever the engine: with `responses` it offers them with each turn, with `agents` the
agent at the provider has them. What a call sends, or changes, does so when the turn ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from schemas.content_shapes import BUTTON_LIMIT, DESCRIPTION_LIMIT, MAX_BUTTONS, MAX_ROWS, MIN_ROWS, ROW_LIMIT
from schemas.function_names import (
    HAND_OVER,
    OFFER_BUTTONS,
    OFFER_LIST,
    SEND_DOCUMENT,
    SEND_IMAGE,
    SEND_LOCATION,
)
from schemas.policy import Place

SENDING: Final = frozenset({SEND_DOCUMENT, SEND_IMAGE, SEND_LOCATION, OFFER_BUTTONS, OFFER_LIST})
OFFERS: Final = frozenset({OFFER_BUTTONS, OFFER_LIST})
"""The tools whose message is the last one of a turn."""
MAX_SENDS: Final = 4
"""Messages that the tools may send in one turn: each one costs, and a phone that rings ten times is a nuisance."""

_ENDS: Final = (
    "Their text is your whole answer: say there what you have to say, and write nothing else. What the person taps "
    "comes as their next message. Never for a question whose answer is open."
)


def sending_tools(
    documents: Collection[str],
    images: Collection[str],
    places: Mapping[str, Place],
    *,
    buttons: bool,
    people: bool = False,
) -> list[dict[str, Any]]:
    """The tools for what is declared, as functions of the Responses API; `documents` and `images`: names of files;
    `people`: whether there are any who take over."""
    tools = []
    if documents:
        said = "Sends the person one of these documents on WhatsApp. Say in your answer what it is."
        tools.append(_tool(SEND_DOCUMENT, said, {"name": _one_of(documents)}, "name"))
    if images:
        said = "Sends the person one of these pictures on WhatsApp."
        caption = {"type": "string", "description": "A line below the picture, if it needs one."}
        tools.append(_tool(SEND_IMAGE, said, {"name": _one_of(images), "caption": caption}, "name"))
    if places:
        known = "; ".join(f"{name}: {_described(place)}" for name, place in places.items())
        said = f"Sends the person one of these places on WhatsApp, which shows it on a map. {known}"
        tools.append(_tool(SEND_LOCATION, said, {"name": _one_of(places)}, "name"))
    return [*tools, *(_OFFER_TOOLS if buttons else ()), *((_HAND_OVER,) if people else ())]


def _tool(name: str, description: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": dict(properties),
            "required": list(required),
            "additionalProperties": False,
        },
        "strict": False,
    }


def _one_of(names: Collection[str]) -> dict[str, Any]:
    return {"type": "string", "enum": sorted(names)}


def _described(place: Place) -> str:
    return ", ".join(filter(None, (place.name, place.address)))


_TEXT: Final = {"type": "string", "description": "The message above them."}
_OFFER_TOOLS: Final = (
    _tool(
        OFFER_BUTTONS,
        f"Offers the person 1 to {MAX_BUTTONS} buttons to tap on, such as a confirmation. {_ENDS}",
        {
            "text": _TEXT,
            "buttons": {
                "type": "array",
                "items": {"type": "string", "description": f"What the button says, at most {BUTTON_LIMIT} characters."},
                "minItems": 1,
                "maxItems": MAX_BUTTONS,
            },
        },
        "text",
        "buttons",
    ),
    _tool(
        OFFER_LIST,
        f"Offers the person a list of {MIN_ROWS} to {MAX_ROWS} rows to choose one from, such as free hours. {_ENDS}",
        {
            "text": _TEXT,
            "button": {
                "type": "string",
                "description": f"What opens the list, at most {BUTTON_LIMIT} characters, such as: Ver horas.",
            },
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "title": {"type": "string", "description": f"At most {ROW_LIMIT} characters."},
                        "description": {
                            "type": "string",
                            "description": f"At most {DESCRIPTION_LIMIT} characters; for all rows, or for none.",
                        },
                    },
                    "required": ["title"],
                    "additionalProperties": False,
                },
                "minItems": MIN_ROWS,
                "maxItems": MAX_ROWS,
            },
        },
        "text",
        "button",
        "rows",
    ),
)
_HAND_OVER: Final = _tool(
    HAND_OVER,
    "Passes this conversation to a person of the team, who answers from now on. Call it if the person asks for a "
    "human, is upset, or needs what you cannot do or must not decide. It ends your answer: they read that a person "
    "will write to them, so write nothing else.",
    {
        "reason": {"type": "string", "description": "Why, in a few words, for the team."},
        "summary": {
            "type": "string",
            "description": "What the person wants, what was said and done so far, and what is open, in one paragraph.",
        },
    },
    "reason",
    "summary",
)
