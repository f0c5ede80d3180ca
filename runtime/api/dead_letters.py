"""/dead-letters/: turns that failed for good, to be retried or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from runtime.api.endpoint import ApiEndpoint, Call, page_of, whole_number
from runtime.api.errors import ApiError
from runtime.store.database.database import Database
from runtime.store.errors import OutOfPlace
from runtime.store.messages import dead_letters
from runtime.store.messages.dead_letters import DeadLetter

QUERY = {
    "client": "Only this client's.",
    "limit": "Page size, from 1 to 1000.",
    "after": "The last id of the previous page.",
}
FORCE = {"force": "`true` retries it also when its user's later messages were answered."}


class DeadLetters:
    """Handlers of /dead-letters/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one = "/dead-letters/{id}"
        return [
            ApiEndpoint(
                "GET",
                "/dead-letters/",
                "List dead letters; what people wrote is in them for a token with the scope `messages`. Recorded in "
                "the audit.",
                self.index,
                answer=list[DeadLetter],
                query=QUERY,
                is_per_client=True,
            ),
            ApiEndpoint(
                "POST",
                f"{one}/retry",
                "Retry one: its messages are answered after all. 409 when its user wrote again and was answered.",
                self.retry,
                status=204,
                query=FORCE,
                is_per_client=True,
            ),
            ApiEndpoint(
                "DELETE", one, "Drop one: its messages stay unanswered.", self.drop, status=204, is_per_client=True
            ),
        ]

    async def index(self, call: Call) -> object:
        """GET /dead-letters/"""
        limit, after = page_of(call)
        letters = await self._database.read_traced(
            dead_letters.listed_by,
            call.caller.actor,
            clients=clients_asked_for(call),
            limit=limit or 1000,
            after=whole_number(after or "0", "after"),
            texts="messages" in call.caller.scopes,
        )
        return [asdict(letter) for letter in letters]

    async def retry(self, call: Call) -> object:
        """POST /dead-letters/{id}/retry"""
        turn_id = await self._turn_id(call)
        force = call.query.get("force", "false")
        if force not in ("true", "false"):
            raise ApiError(400, "invalid_field", f"force must be true or false, not {force!r}.", field="force")
        way = dead_letters.force_retry if force == "true" else dead_letters.retry
        try:
            is_retried = await self._database.write(way, turn_id, call.caller.actor)
        except OutOfPlace as error:
            raise ApiError(409, "out_of_place", str(error)) from error
        if not is_retried:
            raise _none(turn_id)
        return None

    async def drop(self, call: Call) -> object:
        """DELETE /dead-letters/{id}"""
        turn_id = await self._turn_id(call)
        if not await self._database.write(dead_letters.drop, turn_id, call.caller.actor):
            raise _none(turn_id)
        return None

    async def _turn_id(self, call: Call) -> int:
        """The turn that a path names; raises 404 where the caller is bound to other clients."""
        turn_id = whole_number(call.path["id"], "id")
        if call.caller.clients is not None:
            client = await self._database.read(dead_letters.client_of, turn_id)
            if client not in call.caller.clients:
                raise _none(turn_id)
        return turn_id


def clients_asked_for(call: Call) -> Sequence[str] | None:
    """The clients that a request is about, as far as the caller reaches them; None: all."""
    wanted, reached = call.query.get("client"), call.caller.clients
    if wanted is None:
        return None if reached is None else sorted(reached)
    return [wanted] if reached is None or wanted in reached else []


def _none(turn_id: int) -> ApiError:
    return ApiError(404, "not_found", f"There is no dead letter {turn_id}; see GET /dead-letters/.")
