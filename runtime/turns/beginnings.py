"""Words that come before the model's in the first message of an answer: that an assistant gives it, or that it is
outside of the hours. Never a message of their own, since each one costs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runtime.delivery.splitting import is_within
from runtime.store.messages.outbound_content import OutboundContent, OutboundTemplate
from runtime.store.messages.turns import Turn
from runtime.text import is_blank
from runtime.turns.policy import DISCLOSURE, Beginning
from schemas.content_shapes import TEXT_LIMIT
from schemas.policy import Policy

TEXT_VARIABLE: Final = "1"
"""Of the text, in the shapes of buttons and lists."""


def begun_with(text: str, beginnings: Sequence[Beginning]) -> str:
    """A text that begins with these words; an empty one stays empty."""
    return text if is_blank(text) else "\n\n".join([*(one.text for one in beginnings), text])


def offer_begun_with(offer: OutboundContent, beginnings: Sequence[Beginning]) -> OutboundContent:
    """Buttons or a list whose text begins with these words, where they fit; as it is otherwise."""
    if not beginnings or not isinstance(offer, OutboundTemplate):
        return offer
    body = begun_with(offer.body, beginnings)
    if not is_within(body, TEXT_LIMIT):
        return offer
    return replace(offer, body=body, variables={**offer.variables, TEXT_VARIABLE: body})


def disclosure_for(turn: Turn, policy: Policy) -> str:
    """What the first answer to a person is to begin with; empty for a person who was answered before."""
    said = policy.replies.disclosure if policy.replies is not None else None
    if said is None or turn.conversation.noticed_at(DISCLOSURE) is not None or _was_answered(turn):
        return ""
    return said


def _was_answered(turn: Turn) -> bool:
    """Whether the memory has an answer to words of theirs. After the fallback message, which is one too, the person
    rather reads it a second time than never."""
    roles = [json.loads(kept.item).get("role") for kept in turn.history]
    if "user" not in roles or turn.conversation.fallback_at is not None:
        return False
    return "assistant" in roles[roles.index("user") :]
