"""The bot store's records of what bots do: their last turns, what answers took and cost, canaries, ratings, deletions.

Apart from those of `runtime.store.records`, which every plan is made from. Times as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LOOP_PAUSE_SECONDS = 1800.0
"""How long a conversation is not answered once it was found to be a loop between programs."""


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """A bot's last message, and the result of its last turn."""

    bot_id: str
    last_message_at: str
    last_turn: str | None = None
    """running | answered | unanswered | dead; None before the first one."""
    last_error: str | None = None
    last_undelivered: str | None = None
    """Twilio's error code of the last turn's messages, where one reached no phone (`runtime.store.delivery_errors`)."""
    undelivered: Mapping[str, int] = field(default_factory=dict)
    """Number of messages of the last UNDELIVERED_HOURS that reached no phone, by Twilio's error code."""
    loops: int = 0
    """Number of conversations that are paused, since they are loops between programs."""
    loops_since: str | None = None
    """When the newest of them was paused."""
    last_delivery: str | None = None
    """The outcome of the last turn's messages: delivered | sent (not all of them are reported yet) | undelivered; None
    where it has none."""
    requests: int = 0
    """Number of people's requests to its client that are not answered."""
    request_due_at: str | None = None
    """When the first of them is due by law."""
    blocked: int = 0
    """Number of people of whom nothing is processed."""
    erasures: int = 0
    """Number of erased people of whom something is left elsewhere, which is tried again."""


@dataclass(frozen=True, slots=True)
class ReplyCounts:
    """What the answers to a client's messages of a period took, and what was saved. A turn counts in the period in
    which its messages came in."""

    answered: int
    """Turns with an answer."""
    messages: int
    """Messages of those answers that Twilio accepted; a part of a long answer is one."""
    saved_by_list: int
    """Turns without an answer, since their messages were thanks or goodbyes."""
    saved_by_model: int
    """Turns that the model chose not to answer."""

    @property
    def saved(self) -> int:
        """Replies that were saved, at least one message each."""
        return self.saved_by_list + self.saved_by_model


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What a client's answers used of one kind of one model in some time."""

    client: str
    kind: str
    """One of `schemas.prices.ModelKind`."""
    model: str
    quantity: int
    nano_usd: int | None
    """10⁻⁹ USD; None where no price is known."""
    turns: int
    """In how many turns it was used."""


@dataclass(frozen=True, slots=True)
class SpentRecord:
    """What the ledger has of a client with a budget, for the current month in UTC."""

    client: str
    month: str
    amount: int
    """10⁻⁹ USD."""
    unknown: int
    """Number of rows without a known price, which are not in `amount`."""


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """The declared canary of a bot, and whether the runtime has stopped it."""

    bot_id: str
    canary: str
    """Its digest (`schemas.canary`)."""
    since: str
    """When it was declared."""
    stopped_at: str | None = None
    reason: str | None = None
    """A word of `runtime.turns.canaries.StopReason`."""


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """What one of a client's two variants did, in its turns of some time that were the variant's to answer."""

    variant: str
    """`stable` or `canary`."""
    turns: int
    answered: int
    failed: int
    handoffs: int
    """Turns after which people had the conversation."""
    unanswered: int
    """Turns that needed no answer: thanks, or the model's choice."""
    messages: int
    """Messages of its answers that Twilio accepted; a part of a long answer is one."""
    output_tokens: int
    """Of the model's, for those answers: how long they are. What they say may be encrypted."""
    nano_usd: int | None
    """What its turns cost, in 10⁻⁹ USD; None where the price of a part is not known."""


@dataclass(frozen=True, slots=True)
class RatingRecord:
    """What Twilio and Meta said of a number from a time on."""

    number: str
    """E.164."""
    since: str
    """When it was first seen so."""
    status: str
    """ONLINE, OFFLINE, …; an open list."""
    quality: str | None = None
    """HIGH, MEDIUM, LOW, …; None before there is one."""
    messaging_limit: str | None = None
    """In Twilio's words, like `10K Customers/24hr`."""


@dataclass(frozen=True, slots=True)
class OlderRecord:
    """How many of a client's messages are older than a timestamp, and settled."""

    messages: int
    people: int


@dataclass(frozen=True, slots=True)
class RetentionRecord:
    """A run that deleted of a client what its retention is over for."""

    client: str
    began_at: str
    ended_at: str | None
    """None: it is running, or its process crashed and it is resumed."""
    retention: Mapping[str, Any]
    """As it was declared."""
    deleted: Mapping[str, int]
    """How many of what: messages, sent, turns, memory, notes, transcripts, people, recipients, usage."""
    kept: Mapping[str, int]
    """How many of what is over and not settled: `open`, `dead_letters`."""
