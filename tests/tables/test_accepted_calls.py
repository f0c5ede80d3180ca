"""Calls of built-in tools that an earlier attempt at a turn accepted, under the policy of now."""

from __future__ import annotations

from typing import Any

from runtime.engines.sending import SENT, AcceptedCall
from runtime.turns.sending import Sending
from schemas.policy import MediaPolicy, Place
from schemas.policy_document import PolicyDocument

CASA = AcceptedCall("send_location", '{"name": "casa"}')
LOCAL = '{"name": "local"}'
POLICY = PolicyDocument(media=MediaPolicy(places={"local": Place(latitude=-33.0, longitude=-70.0, name="Local")}))


def sending(*accepted: AcceptedCall) -> Sending:
    """Places need no store."""
    database: Any = None
    return Sending(POLICY, database, [*accepted])


async def test_what_is_not_declared_any_more_keeps_nothing_else_from_being_sent() -> None:
    assert await sending(CASA).result("send_location", LOCAL) == SENT


async def test_the_same_is_not_sent_twice() -> None:
    twice = await sending(AcceptedCall("send_location", LOCAL)).result("send_location", '{"name":  "local"}')
    assert "it is sent with this answer already" in twice
