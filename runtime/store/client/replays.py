"""Reads a client's newest questions without who wrote them, by SQL or over the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runtime.store.database.url import is_api

if TYPE_CHECKING:
    from runtime.store.audit import Actor
    from runtime.store.messages.replays import ReplayedTurn

REPLAYS = "/replays/"


def read_recent(
    url: str, token: str | None, actor: Actor, client: str, limit: int, timeout: float = 10
) -> Sequence[ReplayedTurn]:
    """The newest answered turns of a client, the newest first. `actor`: who reads, for the audit; over the API that is
    the token's. Raises NotReplayable and other StoreErrors."""
    from runtime.store.messages.replays import recent_turns

    if not is_api(url):
        from runtime.store.database.once import run_once

        return run_once(url, recent_turns, actor, client, limit)
    from runtime.store.client.http import HttpStore, StoreApiError
    from runtime.store.errors import NotReplayable

    try:
        with HttpStore(url, token, timeout) as api:
            return [_turn(item) for item in api.call("GET", REPLAYS, client=client, limit=limit)]
    except StoreApiError as error:
        if error.error.get("code") == "not_replayable":
            raise NotReplayable(str(error)) from error
        raise


def _turn(item: Mapping[str, Any]) -> ReplayedTurn:
    from runtime.store.messages.replays import PastCall, PastExchange, ReplayedTurn

    before = [PastExchange(one["said"], one["answered"]) for one in item["before"]]
    calls = [PastCall(one["name"], one["arguments"], one["output"]) for one in item["calls"]]
    return ReplayedTurn(**{**item, "before": before, "calls": calls})
