"""An inbound message, read from Twilio's parameters. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from yarl import URL

from runtime.content.opting import Opting, opting_of, own_words_of
from runtime.content.parameters import content_of
from runtime.content.parts import ButtonReply
from runtime.store.codec import dump_json
from runtime.store.messages.inbox import InboundMessage
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import MessagePrices
from runtime.text import portable

COLUMNS = frozenset({"AccountSid", "MessageSid", "From", "To", "Body"})
"""Parameters with a column in the inbox; all others are stored as JSON."""

Form = Mapping[str, Sequence[str]]
"""A form's fields with all their values."""
MAX_FIELDS = 500
_BY_TWILIO: Mapping[str, Opting] = {"STOP": "out", "START": "in"}
"""Twilio: `OptOutType`, where a Messaging Service with Advanced Opt-Out has found a word of its own."""
UNREADABLE = "\ufffd"
"""The replacement in a decoded text for bytes that are not UTF-8."""


def decoded_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a form, also those without a value; raises ValueError when it is not a form, or not UTF-8.

    A URL's query has the same syntax, and yarl parses one in a third of the time that the standard library takes.
    """
    encoded = body.decode("ascii")
    if encoded.count("&") >= MAX_FIELDS:
        raise ValueError(f"The form has more than {MAX_FIELDS} fields.")
    form: dict[str, list[str]] = {}
    is_doubtful = False
    for name, value in URL.build(query_string=encoded, encoded=True).query.items():
        if UNREADABLE in name or UNREADABLE in value:
            is_doubtful = True
        form.setdefault(name, []).append(value)
    if is_doubtful:
        unquote(encoded, errors="strict")  # raises, unless the user wrote that very character
    return form


def _discards_of_blocked(bot: BotRecord) -> bool:
    """Whether nothing is kept of what a blocked person writes."""
    data = bot.policy.get("data")
    return isinstance(data, Mapping) and data.get("blocked") == "discard"


def inbound_message(form: Form, bot: BotRecord, prices: MessagePrices) -> InboundMessage:
    """The message in the form that the inbox stores. `prices`: of messages with its sender."""
    parameters = {name: values[0] for name, values in form.items()}
    sender = parameters["From"]
    content = content_of(parameters)
    by_twilio = _BY_TWILIO.get(parameters.get("OptOutType", ""))
    return InboundMessage(
        account_sid=parameters["AccountSid"],
        message_sid=parameters["MessageSid"],
        bot_id=bot.id,
        sender=sender,
        user_key=portable(parameters.get("ExternalUserId", "")) or sender,
        content=content,
        params=dump_json({name: value for name, value in parameters.items() if name not in COLUMNS}),
        number=bot.twilio_phone_number,
        prices=prices,
        opting=by_twilio or opting_of(content, own_words_of(bot.policy)),
        is_discarded_if_blocked=_discards_of_blocked(bot),
        opted_by="twilio" if by_twilio else "button" if isinstance(content.parts[0], ButtonReply) else "word",
    )
