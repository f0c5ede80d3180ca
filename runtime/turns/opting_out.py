"""Which of a turn's messages opt out or in, and whether that was new. Pure.

What a message's user wants was recorded in the commit that stored it, with the time at which it came in: so a message
whose time stands in its conversation is the one that changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runtime.content.opting import Opting, may_opt_out, opting_of
from runtime.store.messages.turns import Turn
from schemas.policy import Policy


class MessageOpting(NamedTuple):
    """What one message asks for."""

    asked: Opting | None
    is_new: bool
    """Whether it changed what the user gets."""


def own_words(policy: Policy) -> Sequence[str]:
    """The client's own words that opt out."""
    return (policy.opt_out.words if policy.opt_out is not None else None) or ()


def optings_of(turn: Turn, policy: Policy) -> Sequence[MessageOpting]:
    """What each message asks for."""
    words = own_words(policy)
    out, back = turn.conversation.opted_out_at, turn.conversation.opted_in_at
    found = []
    for message in turn.messages:
        asked = opting_of(message.content, words)
        if asked is None and message.received_at == out and may_opt_out(message.content):
            asked = "out"
        is_new = asked is not None and message.received_at == (out if asked == "out" else back)
        # Of two in the same millisecond the first one did it.
        found.append(MessageOpting(asked, is_new and MessageOpting(asked, is_new) not in found))
    return found
