"""A recipient of people's data: who, what of whom, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from schemas.data_policy import Leave

Role = Literal["model", "channel", "whatsapp", "hosting", "function", "server", "desk", "notified"]
Gets = Literal[
    "messages",
    "voice",
    "files",
    "searches",
    "address",
    "name",
    "arguments",
    "person_masked",
    "person_full",
    "questions",
    "handed_over",
    "conversations",
    "notice",
    "thread",
    "everything",
]
"""What of people; in words: `reconciler.recipients.words`."""

ALERTS: Final = "ALERT_NOTIFY"
"""The setting with the agency's own channels, which get what is notified of a client that names none."""
PLATFORM: Final[tuple[str, ...]] = ("openai", "twilio", "meta", "hosting", ALERTS)
"""The names of recipients that come with the service, not with what one client declares."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One of a client, with everything that it gets."""

    name: str
    """A host, an e-mail address, a variable with an address, or one of PLATFORM."""
    role: Role
    gets: tuple[Gets, ...]
    through: tuple[str, ...] = ()
    """By which functions, or endpoints of OpenAI."""
    leave: Leave | None = None
    """The client's, as the manifest names it."""

    @property
    def is_platform(self) -> bool:
        """Whether it comes with the service."""
        return self.name in PLATFORM


@dataclass(frozen=True, slots=True)
class ShownRecipient:
    """A recipient that a plan shows: one that is new with it, or that has no leave. Not in the digest."""

    client: str
    recipient: Recipient
    is_new: bool
