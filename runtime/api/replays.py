"""/replays/: a client's newest questions without who wrote them. Reading is recorded in the audit."""

from __future__ import annotations

from dataclasses import asdict

from runtime.api.dead_letters import clients_asked_for
from runtime.api.endpoint import ApiEndpoint, Call, whole_number
from runtime.api.errors import ApiError
from runtime.store.database.database import Database
from runtime.store.errors import NotReplayable
from runtime.store.messages import replays
from runtime.store.messages.replays import ReplayedTurn


class Replays:
    """The handler of /replays/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoint served."""
        return [
            ApiEndpoint(
                "GET",
                "/replays/",
                "A client's newest answered questions, with other names and numbers. 409 unless its manifest has "
                "`data: {replay: true}`, and always with `data.sensitive` or `data.minors`. Recorded in the audit.",
                self.index,
                answer=list[ReplayedTurn],
                query={"client": "The client.", "limit": "How many, from 1 to 500; 50 without it."},
                needs="messages",
                is_per_client=True,
            )
        ]

    async def index(self, call: Call) -> object:
        """GET /replays/"""
        asked, limit = call.query.get("client"), whole_number(call.query.get("limit", "50"), "limit", 1, 500)
        if asked is None:
            raise ApiError(400, "missing_field", "client is missing.", field="client")
        if not clients_asked_for(call):
            raise ApiError(404, "not_found", f"There is no client {asked}; see GET /bots/.")
        try:
            found = await self._database.read_traced(replays.recent_turns, call.caller.actor, asked, limit)
        except NotReplayable as error:
            raise ApiError(409, "not_replayable", str(error)) from error
        return [asdict(turn) for turn in found]
