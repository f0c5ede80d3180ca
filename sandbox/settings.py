"""How the stand-ins behave without faults: thinking time, one-time passwords, how long a sender takes to come
online.

`PUT /_sandbox/settings` changes them while the sandbox runs; a reset restores what the command line said. They are not
kept across restarts.
"""

import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin

from sandbox.errors import InputError


@dataclass(frozen=True, slots=True)
class Values:
    """One set of settings."""

    assistants_api: Literal["compatible", "gone"] = "compatible"
    """`gone` answers 404 under /assistants and /threads, as OpenAI itself does since 2026-08-26."""
    organization: str = "org-sandbox"
    """Whose key it is, by the headers of OpenAI's answers."""
    project: str = "proj_sandbox"
    words_only_model: str = ""
    """Name of a model that refuses pictures and documents, as some models of compatible servers do."""
    think_seconds: float = 0.0
    """How long a model takes before each answer, in seconds."""
    usage_seconds: float = 3.0
    """How long after the end of an agent's turn its usage is reported."""
    index_seconds: float = 0.0
    """How long a file takes to become searchable in a vector store, in seconds."""
    create_seconds: float = 0.05
    """How long a sender stays in each status on its way to ONLINE."""
    update_seconds: float = 0.02
    """How long a sender stays in ONLINE:UPDATING."""
    otp: Literal["foreign", "always", "never"] = "foreign"
    """Which senders wait in PENDING_VERIFICATION. `foreign`: all but +1555 numbers, which count as bought from Twilio.
    """
    otp_code: str = "123456"
    """The one-time password that the phone of every new sender receives."""
    profile_texts: Literal["as sent", "tidied", "in capitals", "ignored"] = "as sent"
    """What is stored of a profile's texts: `tidied` loses outer blanks and gives a website a slash, `ignored` stays."""
    name_review: Literal["approve", "pending", "decline", "limit"] = "approve"
    """Meta's decision about a new display name."""
    delivery_seconds: float = 0.0
    """How long an outbound message takes for each step from queued to delivered."""
    read_receipts: bool = False
    """Whether a delivered message is read, too, with a callback of its own."""
    session_window: bool = True
    """Whether free text to someone who did not write within 24 hours fails with 63016, as on WhatsApp."""
    list_replies: Literal["fields", "metadata", "body"] = "fields"
    """How the choice of a row of a list arrives, which is not documented: as parameters of its own, in ChannelMetadata
    only, or as its title in Body only."""
    fetch_media: bool = True
    """Whether a message's MediaUrl is fetched. Without, any URL counts as a file that WhatsApp takes."""
    button_variables: bool = True
    """Whether titles and ids of quick replies may have variables, which is not documented."""
    template_review: Literal["rules", "approve", "pending", "reject"] = "rules"
    """Meta's decision about a submitted template: by its published rules, or one of these."""
    sink_status: Literal["active", "initialized"] = "active"
    """The status of a new sink of events; Twilio's pages say either. `initialized` waits for its test event."""
    template_review_seconds: float = 0.0
    """How long after it was submitted a template is decided about."""
    media_auth: bool = True
    """Whether a MediaUrl needs the account's credentials, as it does at all but old accounts."""
    complete_seconds: float = 0.0
    """How long after it arrived a message and its media cannot be deleted (20009): a minute at Twilio, rarely days."""
    message_price: Literal["twilio", "twilio and meta"] = "twilio"
    """Whose charges a message's `price` contains: Twilio's own fee, or Meta's part with it. Which of them Twilio means
    is not documented."""
    desk_version: str = "4.15.1"
    """Chatwoot's version; inboxes are signed from 4.13 on."""
    desk_upload_seconds: float = 0.0
    """How long after it was written a message's file at the desk is not found yet."""
    clock_ahead_seconds: float = 0.0
    """How far the sandbox's clock is ahead of this machine's, for what happens on another day; below 0: behind."""


class Settings:
    """The values in force."""

    def __init__(self, initial: Values) -> None:
        self._initial = initial
        self.values = initial

    def update(self, changes: dict[str, Any]) -> Values:
        """Raises InputError with a sentence for the caller when a key or a value is not possible."""
        kinds = {item.name: item.type for item in fields(Values)}
        for key, value in changes.items():
            if key not in kinds:
                raise InputError(f"unknown setting {key!r}; there are: {', '.join(sorted(kinds))}")
            _check(key, kinds[key], value)
        self.values = replace(self.values, **changes)
        return self.values

    def time(self) -> float:
        """The sandbox's clock, in seconds since the epoch."""
        return time.time() + self.values.clock_ahead_seconds

    def clear(self) -> None:
        self.values = self._initial

    def as_json(self) -> dict[str, Any]:
        return asdict(self.values)


def _check(key: str, kind: object, value: object) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise InputError(f"setting {key!r} is one of {', '.join(get_args(kind))}, not {value!r}")
    elif kind is float:
        least = float("-inf") if key == "clock_ahead_seconds" else 0
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            raise InputError(f"setting {key!r} is a number of seconds, not {value!r}")
    elif not isinstance(value, kind if isinstance(kind, type) else str):
        raise InputError(f"setting {key!r} is a {getattr(kind, '__name__', kind)}, not {value!r}")
