"""What a turn leaves that hands its conversation over to people: what its user reads, what people read, and for
how long they have it."""

from __future__ import annotations

import json
from datetime import datetime

from runtime.catalog import Configuration
from runtime.delivery.splitting import split_reply
from runtime.engines.sending import AcceptedCall
from runtime.store.messages.handoffs import SUMMARY_LIMIT, Cause, Handoff
from runtime.text import portable
from runtime.turns.opening_hours import is_open, next_opening, opening_in_words
from schemas.handoff import AFTER_FAILURES, SOON, HandoffPolicy, sentence_for_person


def handoff_of(policy: HandoffPolicy, cause: Cause, summary: str | None = None) -> Handoff:
    """The handoff that a client's policy makes of a cause."""
    minutes = policy.escalate_after
    return Handoff(cause, summary, policy.resume_seconds, None if minutes is None else 60.0 * minutes)


def tell_of(configuration: Configuration, timezone: str, now: datetime) -> str:
    """The sentence for the user. `timezone`: where the configuration names none."""
    zone = configuration.timezone or timezone
    hours = configuration.policy.hours
    opening = None if hours is None or is_open(hours, zone, now) else next_opening(hours, zone, now)
    words = SOON if opening is None else opening_in_words(opening, now)
    return split_reply(sentence_for_person(configuration.policy.handoff or HandoffPolicy(), words))[0]


def summary_of(call: AcceptedCall) -> str | None:
    """What the model wrote for people: the reason, and a paragraph."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(arguments, dict):
        return None
    said = [str(arguments[name]).strip() for name in ("reason", "summary") if arguments.get(name)]
    return portable("\n".join(said))[:SUMMARY_LIMIT] or None


def is_one_too_many(policy: HandoffPolicy, failures: int) -> bool:
    """Whether people are to have a conversation after this number of turns in a row without an answer."""
    return failures >= (policy.after_failures or AFTER_FAILURES)
