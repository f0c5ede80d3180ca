"""Which messages at the desk an operator wrote to the person, and what of them goes out by WhatsApp.

Never a note, never a greeting, an out-of-office message or a survey, never a bot's or an automation's, and never what
was written from here: its `source_id` says so. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.store.messages.desk import OURS

OUTGOING: Final = 1
"""A message's type, as Chatwoot's REST API numbers it: 0 incoming, 1 outgoing, 2 activity, 3 template."""
LATEST_SECONDS: Final = 3600.0
"""How old an operator's message may be to be sent: what lay at the desk for longer may not be true any more."""
LATE: Final = "No se envió: llegó a nuestro sistema más de una hora después. Escríbelo de nuevo si aún corresponde."
NAMELESS: Final = "Chatwoot"


@dataclass(frozen=True, slots=True)
class OperatorMessage:
    """A message that an operator wrote to the person."""

    id: int
    content: str
    author: str
    written_at: float
    """Seconds since the epoch."""
    attachments: Sequence[Mapping[str, Any]]


def operator_messages(listed: Sequence[Mapping[str, Any]], known: Collection[int]) -> list[OperatorMessage]:
    """The messages of operators among those of a conversation, in their order. `known`: ids that were taken in, or were
    written from here."""
    found = [_message(row) for row in listed if row["id"] not in known and is_operators(row)]
    return sorted(found, key=lambda message: message.id)


def is_operators(row: Mapping[str, Any]) -> bool:
    """Whether a message as REST lists it is a person's words to the customer."""
    attributes = row.get("content_attributes") or {}
    sender = row.get("sender") or {}
    return (
        row.get("message_type") == OUTGOING
        and row.get("private") is False
        and sender.get("type") == "user"
        and not str(row.get("source_id") or "").startswith(OURS)
        and not attributes.get("deleted")
        and not attributes.get("automation_rule_id")
        and bool(row.get("content") or row.get("attachments"))
    )


def _message(row: Mapping[str, Any]) -> OperatorMessage:
    return OperatorMessage(
        int(row["id"]),
        str(row.get("content") or ""),
        str((row.get("sender") or {}).get("name") or NAMELESS),
        float(row["created_at"]),
        tuple(row.get("attachments") or ()),
    )


def seen_up_to(listed: Sequence[Mapping[str, Any]], seconds: float) -> int:
    """Up to which id messages need not be listed again: Chatwoot gives ids before it commits, so one with a lower id
    may appear later; none is expected to `seconds` after the next."""
    newest = max((float(row["created_at"]) for row in listed), default=0.0)
    return max((int(row["id"]) for row in listed if float(row["created_at"]) < newest - seconds), default=0)
