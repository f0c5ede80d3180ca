"""The waiting room: who waits for a person, and messages that got no answer, to be retried or dropped."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, not_here, redirect
from runtime.console.paging import clients_of, id_of, number_of
from runtime.console.words import Sentence
from runtime.store.console import waiting
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import OutOfPlace
from runtime.store.messages import dead_letters, privacy_requests, threads
from runtime.store.messages.privacy_requests import OUTCOMES, NoRequest, PrivacyRequest

PATH: Final = f"{HOME}/waiting"
LISTED: Final = 50
MOST_PEOPLE: Final = 50
"""People who wait that are listed; the list of conversations has all."""
OUT_OF_PLACE: Final = Sentence(
    "Esta persona volvió a escribir y ya se le respondió, o se le está respondiendo: una respuesta ahora llegaría "
    "fuera de lugar. Nada cambió."
)

NO_PROOF: Final = Sentence(
    "Elige un resultado y escribe una referencia de lo enviado, como un número de ticket: sin números de personas ni "
    "lo que escribieron, porque se conserva."
)


class WaitingPages:
    """Handlers of /console/waiting."""

    def __init__(self, database: Database, timezone: str) -> None:
        self._database = database
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        one, request = f"{PATH}/dead-letters/{{id}}", f"{PATH}/requests/{{id}}"
        return [
            OperatorPage("GET", PATH, self.show),
            OperatorPage("POST", f"{one}/retry", self.retry, needs="answer"),
            OperatorPage("POST", f"{one}/drop", self.drop, needs="answer"),
            OperatorPage("POST", f"{request}/acknowledge", self.acknowledge, needs="privacy"),
            OperatorPage("POST", f"{request}/answer", self.answer, needs="privacy"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/waiting"""
        return await self._room(visit)

    async def retry(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/waiting/dead-letters/{id}/retry"""
        turn_id = await self._turn_id(visit)
        way = dead_letters.force_retry if visit.form.get("force") == "true" else dead_letters.retry
        try:
            is_retried = await self._database.write(way, turn_id, visit.actor)
        except OutOfPlace:
            return await self._room(visit, OUT_OF_PLACE, turn_id)
        if not is_retried:
            raise not_here()
        return redirect(PATH)

    async def drop(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/waiting/dead-letters/{id}/drop"""
        if not await self._database.write(dead_letters.drop, await self._turn_id(visit), visit.actor):
            raise not_here()
        return redirect(PATH)

    async def acknowledge(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/waiting/requests/{id}/acknowledge"""
        request = await self._request(visit)
        await self._database.write(privacy_requests.acknowledge, request.id, visit.actor)
        return redirect(PATH)

    async def answer(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/waiting/requests/{id}/answer: it was answered, on whichever way; here is noted how."""
        request, proof = await self._request(visit), visit.form.get("proof", "").strip()
        outcome = next((one for one in OUTCOMES if one == visit.form.get("outcome")), None)
        if outcome is None or not 3 <= len(proof) <= 200 or privacy_requests.is_content(proof):
            return await self._room(visit, NO_PROOF)
        try:
            await self._database.write(privacy_requests.answer, request.id, outcome, proof, visit.actor)
        except NoRequest as error:
            raise not_here() from error
        return redirect(PATH)

    async def _request(self, visit: OperatorVisit) -> PrivacyRequest:
        """The request that a path names, which is open; raises Declined where it is not one of the operator's
        clients'."""
        try:
            request = await self._database.read(privacy_requests.get, id_of(visit))
        except NoRequest as error:
            raise not_here() from error
        if request.answered_at is not None or not visit.operator.sees(request.client):
            raise not_here()
        return request

    async def _turn_id(self, visit: OperatorVisit) -> int:
        """The turn that a path names; raises Declined where it is not one of the operator's clients'."""
        turn_id = id_of(visit)
        client = await self._database.read(dead_letters.client_of, turn_id)
        if client is None or not visit.operator.sees(client):
            raise not_here()
        return turn_id

    async def _room(
        self, visit: OperatorVisit, problem: Sentence | None = None, out_of_place: int | None = None
    ) -> web.Response:
        clients, after = clients_of(visit), visit.query("after")
        people = await self._database.read_traced(
            threads.listed_by, visit.actor, clients=clients, waiting=True, limit=MOST_PEOPLE
        )
        letters = await self._database.read_traced(
            dead_letters.listed_by,
            visit.actor,
            clients=clients,
            limit=LISTED + 1,
            after=number_of(after) if after else 0,
        )
        requests = await self._database.read(privacy_requests.open_requests)
        now = timestamp()
        return visit.page(
            "waiting.html",
            200 if problem is None else 409,
            client=visit.query("client"),
            people=sorted(people, key=lambda one: one.last_inbound or ""),
            late=await self._database.read(waiting.late, people, now),
            letters=letters[:LISTED],
            after=letters[LISTED - 1].id if len(letters) > LISTED else None,
            requests=[one for one in requests if clients is None or one.client in clients],
            outcomes=OUTCOMES,
            now=now,
            problem=problem,
            out_of_place=out_of_place,
            zone=self._timezone,
        )
