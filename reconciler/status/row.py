"""One client's row, as every format of the status shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.status.budget import BudgetStatus
from reconciler.status.canary import CanaryStatus
from runtime.store.activity_records import RatingRecord, ReplyCounts, RetentionRecord

REPLY_DAYS = 30

Answers = Literal["delivered", "sent", "pending", "undelivered", "failed", "none"]


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that keeps a client from answering, or will."""

    topic: str
    """One word, for a column."""
    text: str
    """English, without a full stop."""


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """One client's row. None means: not found, or not known because its source could not be read."""

    client: str
    name: str
    state: str
    number: str
    sender_status: str | None
    is_sender_read: bool
    """Whether Twilio was read; otherwise it is not known whether there is a sender."""
    quality_rating: str | None
    messaging_limit: str | None
    """How many people it may write to first within 24 hours, in Twilio's words."""
    webhook: str | None
    """`ours`, or the URL that is called instead; "" when no webhook is set."""
    assistant_id: str | None
    engine: str
    model: str
    model_days_left: int | None
    """Days until the provider shuts the model down; None when no date is known."""
    knowledge_files: int | None
    """Documents that a search finds; 0 when the assistant searches in none."""
    knowledge_in_progress: int | None
    """Documents that are being indexed."""
    knowledge_failed: int | None
    """Documents that could not be indexed, so that no search finds them."""
    bot_id: str | None
    bot_state: str | None
    answers: Answers | None
    """The outcome of the last answer: `delivered`; `sent`, not reported yet; `pending`, being made; `undelivered`, no
    phone got it; `failed`, none could be made; `none`, no message waits for one. None when the store does not have
    it."""
    last_message_at: str | None
    last_turn: str | None
    last_error: str | None
    last_undelivered: str | None
    """Twilio's error code of the last answer, where it reached no phone."""
    undelivered: Mapping[str, int]
    """Number of messages of the last day that reached no phone, by Twilio's error code."""
    missing_secrets: Mapping[str, str] | None
    """Variables that the client names and that are not set where the runtime runs, with what fails without them; None
    when that is not known."""
    budget: BudgetStatus | None
    """None where the manifest declares none."""
    loops: int
    """Conversations that are paused, since the other side is a program."""
    loops_until: str | None
    """When the newest of them is answered again."""
    last_applied_at: str | None
    sync: str
    """`in sync`, `made by hand` (as declared, not recorded), `differs`, `withheld` (it waits for something outside of
    git), `error` or `unresolved`."""
    replies: ReplyCounts | None = None
    """What its answers of the last REPLY_DAYS took, and what was saved; read for one client only."""
    template_events: str | None = None
    """Of the subscription to what Meta decides about the account's templates: `active`, `missing`, or Twilio's status;
    None where none is declared, or Twilio was not read."""
    requests: int = 0
    """What people asked for under the law and is not answered."""
    request_due_at: str | None = None
    """When the first of it is due."""
    blocked: int = 0
    """People of whom nothing is processed."""
    erasures: int = 0
    """Erased people of whom something is left elsewhere, which is tried again."""
    canary: CanaryStatus | None = None
    """None where the manifest declares none."""
    ratings: Sequence[RatingRecord] = ()
    retention: RetentionRecord | None = None
    """What was deleted last, since its retention was over; read for one client only."""
    """What Meta said of its number, the newest change first; read for one client only."""
    problems: Sequence[str] = ()
    """The plan's messages about it."""
    attention: Sequence[Attention] = ()
    """What an operator has to act on, or wait for."""

    @property
    def is_online(self) -> bool:
        """Whether its number sends and receives."""
        return self.sender_status is not None and self.sender_status.startswith("ONLINE")
