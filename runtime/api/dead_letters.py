"""/dead-letters/: turns that failed for good, to be retried or dropped."""

from __future__ import annotations

from dataclasses import asdict

from runtime.api.endpoint import ApiEndpoint, Call, page_of, whole_number
from runtime.api.errors import ApiError
from runtime.store.database.database import Database
from runtime.store.messages import dead_letters
from runtime.store.messages.dead_letters import DeadLetter

QUERY = {
    "client": "Only this client's.",
    "limit": "Page size, from 1 to 1000.",
    "after": "The last id of the previous page.",
}


class DeadLetters:
    """Handlers of /dead-letters/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one = "/dead-letters/{id}"
        return [
            ApiEndpoint(
                "GET", "/dead-letters/", "List dead letters.", self.index, answer=list[DeadLetter], query=QUERY
            ),
            ApiEndpoint(
                "POST", f"{one}/retry", "Retry one: its messages are answered after all.", self.retry, status=204
            ),
            ApiEndpoint("DELETE", one, "Drop one: its messages stay unanswered.", self.drop, status=204),
        ]

    async def index(self, call: Call) -> object:
        """GET /dead-letters/"""
        limit, after = page_of(call)
        letters = await self._database.read(
            dead_letters.list_dead_letters,
            client=call.query.get("client"),
            limit=limit or 1000,
            after=whole_number(after or "0", "after"),
        )
        return [asdict(letter) for letter in letters]

    async def retry(self, call: Call) -> object:
        """POST /dead-letters/{id}/retry"""
        turn_id = whole_number(call.path["id"], "id")
        if not await self._database.write(dead_letters.retry, turn_id, call.caller.name):
            raise _none(turn_id)
        return None

    async def drop(self, call: Call) -> object:
        """DELETE /dead-letters/{id}"""
        turn_id = whole_number(call.path["id"], "id")
        if not await self._database.write(dead_letters.drop, turn_id, call.caller.name):
            raise _none(turn_id)
        return None


def _none(turn_id: int) -> ApiError:
    return ApiError(404, "not_found", f"There is no dead letter {turn_id}; see GET /dead-letters/.")
