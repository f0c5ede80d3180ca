"""TwiML: what a webhook is answered with."""

from __future__ import annotations

from xml.sax.saxutils import escape

from runtime.text import portable

NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def message_twiml(text: str) -> str:
    """A TwiML document that sends one message."""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response><Message>{escape(portable(text))}</Message></Response>'
