"""TwiML: the body of a webhook's response."""

from __future__ import annotations

from typing import assert_never
from xml.sax.saxutils import escape

from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundMedia,
    OutboundTemplate,
    OutboundText,
)
from runtime.text import portable

NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def message_twiml(content: OutboundContent) -> str:
    """A TwiML document that sends one message; raises ValueError for a template or a place, which TwiML has no
    word for."""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response><Message>{_inner(content)}</Message></Response>'


def _inner(content: OutboundContent) -> str:
    match content:
        case OutboundText():
            return _text(content.body)
        case OutboundMedia():
            caption = f"<Body>{_text(content.caption)}</Body>" if content.caption else ""
            return f"{caption}<Media>{_text(content.url)}</Media>"
        case OutboundTemplate() | OutboundLocation():
            raise ValueError("TwiML carries neither a content template nor a place; send it over REST.")
    assert_never(content)


def _text(text: str) -> str:
    return escape(portable(text))
