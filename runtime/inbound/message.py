"""An inbound message, read from the parameters that Twilio describes it with. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from yarl import URL

from runtime.store.codec import dump_json
from runtime.store.messages.inbox import InboundMessage
from runtime.store.records import BotRecord
from runtime.text import portable

COLUMNS = frozenset({"AccountSid", "MessageSid", "From", "To", "Body"})
"""Parameters that the inbox has columns for; every other one is kept as JSON."""

Form = Mapping[str, Sequence[str]]
"""A form's fields with all their values."""
MAX_FIELDS = 500
UNREADABLE = "\ufffd"
"""What stands in a decoded text for bytes that are no UTF-8."""


def decoded_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a form, also those without a value; raises ValueError when it is none, or no UTF-8.

    The query of a URL is written alike, and yarl reads one in a third of the time that the standard library takes.
    """
    encoded = body.decode("ascii")
    if encoded.count("&") >= MAX_FIELDS:
        raise ValueError(f"The form has more than {MAX_FIELDS} fields.")
    form: dict[str, list[str]] = {}
    for name, value in URL.build(query_string=encoded, encoded=True).query.items():
        if UNREADABLE in name or UNREADABLE in value:
            unquote(encoded, errors="strict")  # fails, unless the user wrote just that character
        form.setdefault(name, []).append(value)
    return form


def inbound_message(form: Form, bot: BotRecord) -> InboundMessage:
    """The message as the inbox takes it in."""
    sender = form["From"][0]
    return InboundMessage(
        account_sid=form["AccountSid"][0],
        message_sid=form["MessageSid"][0],
        bot_id=bot.id,
        sender=sender,
        user_key=form.get("ExternalUserId", [""])[0] or sender,
        profile_name=_profile_name(form),
        body=_text(form),
        params=dump_json({name: values[0] for name, values in form.items() if name not in COLUMNS}),
    )


def _profile_name(form: Form) -> str | None:
    given = form.get("ProfileName")
    return portable(given[0]) if given else None


def _text(form: Form) -> str:
    """What the user said, as the model reads it: what is no text is named in square brackets."""
    parts = [portable(form.get("Body", [""])[0]).strip()]
    count = form.get("NumMedia", ["0"])[0]
    for index in range(int(count) if count.isdecimal() else 0):
        kind = form.get(f"MediaContentType{index}")
        if kind is None:
            break
        parts.append(f"[{kind[0]}]")
    if "Latitude" in form and "Longitude" in form:
        place = ", ".join(form[name][0] for name in ("Label", "Address") if form.get(name, [""])[0])
        parts.append(f"[location {form['Latitude'][0]},{form['Longitude'][0]}{': ' + place if place else ''}]")
    return "\n".join(part for part in parts if part) or f"[{form.get('MessageType', ['empty'])[0]}]"
