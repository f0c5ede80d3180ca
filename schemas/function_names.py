"""Names of functions that are the runtime's own tools: no client may declare one that is called so."""

from __future__ import annotations

from typing import Final

NO_REPLY: Final = "no_reply"
"""The tool with which a model ends a turn without a message to the user."""
HAND_OVER: Final = "hand_over"
"""The tool with which a model passes a conversation to a person (`schemas.sending_tools`)."""
SEND_DOCUMENT: Final = "send_document"
SEND_IMAGE: Final = "send_image"
SEND_LOCATION: Final = "send_location"
OFFER_BUTTONS: Final = "offer_buttons"
OFFER_LIST: Final = "offer_list"
"""The tools with which a model sends more than words; `schemas.sending_tools` has them."""

HINT: Final = "Give the function another name."

_USES: Final = {
    NO_REPLY: "with it the assistant leaves thanks without an answer",
    HAND_OVER: "with it the assistant passes a conversation to a person",
    SEND_DOCUMENT: "with it the assistant sends a document of media.files",
    SEND_IMAGE: "with it the assistant sends a picture of media.files",
    SEND_LOCATION: "with it the assistant sends a place of media.places",
    OFFER_BUTTONS: "with it the assistant offers buttons",
    OFFER_LIST: "with it the assistant offers a list",
}


def reserved(name: str) -> str | None:
    """Why no function may have this name, without a full stop; None for a name that is free."""
    use = _USES.get(name)
    return None if use is None else f'"{name}" is the name of a built-in tool ({use})'
