"""A turn: what the model got and said, what it called, how long it took and what it cost; and the test case that is
made of it, as `horizonai-whatsapp-bot conversations test` does: with other names, read and confirmed by a person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from runtime.console.page import Declined, OpenPage, OperatorPage, OperatorVisit, not_here
from runtime.console.paging import CONVERSATIONS, conversation_of, id_of, kept_query
from runtime.console.words import Sentence
from runtime.delivery.operators import HumanOperators
from runtime.store.console import turns
from runtime.store.console.turns import TurnTimes, TurnView
from runtime.store.database.database import Database
from runtime.store.errors import NoConversation, NotReplayable, RecordDamaged
from runtime.store.messages import replays
from runtime.store.messages.replayed_case import case_of
from runtime.store.messages.threads import ConversationSummary

CASE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
TEXT_LIMIT: Final = 300
NO_CASE: Final[Mapping[str, Sentence]] = {
    "blocked": Sentence("Esta persona está bloqueada: nada de ella se procesa, tampoco como prueba."),
    "sensitive": Sentence(
        "Las personas de este cliente escriben sobre datos sensibles o son menores, así que de lo que escribieron no "
        "se hacen pruebas. Se puede escribir una a mano."
    ),
    "nothing": Sentence("De este turno no se puede hacer una prueba: no tiene una pregunta y una respuesta."),
}
"""Why no case is made of a turn, by `NotReplayable.cause`."""
BAD_NAME: Final = Sentence("El nombre se escribe con letras minúsculas, números, - y _.")
NOT_CONFIRMED: Final = Sentence("Lee la prueba y confirma que no queda nada de una persona.")


@dataclass(frozen=True, slots=True)
class TurnStep:
    """A step of a turn, in seconds from its beginning."""

    name: Sentence
    kind: str
    """`wait`, `model`, `send`: its colour."""
    begins: float
    lasts: float


class TurnPages:
    """Handlers of /console/conversations/{id}/turns/{turn}."""

    def __init__(self, database: Database, people: HumanOperators, timezone: str) -> None:
        self._database = database
        self._people = people
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        one = f"{CONVERSATIONS}/{{id}}/turns/{{turn}}"
        return [
            OperatorPage("GET", one, self.show),
            OperatorPage("GET", f"{one}/test", self.show_case, needs="answer"),
            OperatorPage("POST", f"{one}/test", self.send_case, needs="answer"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}/turns/{turn}"""
        conversation = await conversation_of(visit, self._people)
        turn = await self._database.read_traced(
            turns.read_by, visit.actor, conversation.client, conversation.id, id_of(visit, "turn")
        )
        if turn is None:
            raise not_here()
        steps = steps_of(turn.times)
        return visit.page(
            "turn.html",
            conversation=conversation,
            turn=turn,
            steps=steps,
            total=max((step.begins + step.lasts for step in steps), default=0.0),
            zone=self._timezone,
            kept=kept_query(visit),
            **await self._instructions(conversation, turn),
        )

    async def show_case(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}/turns/{turn}/test"""
        return await self._case_page(visit, visit.request.query)

    async def send_case(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/turns/{turn}/test: the case as a file, once it was read and confirmed."""
        if visit.form.get("confirmed") != "yes":
            return await self._case_page(visit, visit.form, NOT_CONFIRMED, 400)
        name = visit.form.get("name", "")
        if not CASE_NAME.fullmatch(name):
            return await self._case_page(visit, visit.form, BAD_NAME, 400)
        text = await self._case(visit, await conversation_of(visit, self._people), name, _expected(visit.form))
        disposition = f'attachment; filename="{name}.yaml"'
        return web.Response(
            text=text, content_type="application/yaml", charset="utf-8", headers={"Content-Disposition": disposition}
        )

    async def _case_page(
        self, visit: OperatorVisit, given: Mapping[str, str], problem: Sentence | None = None, status: int = 200
    ) -> web.Response:
        conversation = await conversation_of(visit, self._people)
        name = given.get("name", "")
        text = await self._case(visit, conversation, name if CASE_NAME.fullmatch(name) else "caso", _expected(given))
        return visit.page(
            "turn_test.html",
            status,
            conversation=conversation,
            turn=id_of(visit, "turn"),
            text=text,
            name=name or "caso",
            given={key: given.get(key, "")[:TEXT_LIMIT] for key in ("contains", "not_contains", "judge")},
            problem=problem,
            kept=kept_query(visit),
        )

    async def _case(
        self, visit: OperatorVisit, conversation: ConversationSummary, name: str, expected: Mapping[str, Any]
    ) -> str:
        """Raises Declined where none is made."""
        # It brings a YAML library, which most services never need.
        from runtime.store.messages.case_text import case_text

        try:
            turn = await self._database.read_traced(
                replays.turn_for, visit.actor, conversation.id, id_of(visit, "turn")
            )
            return case_text(name, turn, case_of(turn, self._timezone, expected))
        except NoConversation as error:
            raise not_here() from error
        except NotReplayable as error:
            raise Declined(409, NO_CASE[error.cause]) from error
        except ValueError as error:
            raise Declined(409, NO_CASE["nothing"]) from error

    async def _instructions(self, conversation: ConversationSummary, turn: TurnView) -> dict[str, Any]:
        """The instructions as they are now, and whether they are those that the turn got."""
        try:
            found = await self._people.catalog.configuration(conversation.bot_id)
        except RecordDamaged:
            found = None
        if found is None:
            return {"instructions": None, "are_same": False}
        own = found.bot.instructions or (found.assistant.instructions if found.assistant else None)
        canary = found.policy.canary
        if turn.variant == "canary" and canary is not None:
            own = canary.instructions or own
        version = found.assistant.version if found.assistant else None
        return {"instructions": own, "are_same": turn.assistant_version == version and version is not None}


def steps_of(times: TurnTimes) -> Sequence[TurnStep]:
    """The steps of a turn in their order, as far as it got."""
    if times.received is None or times.finished is None:
        return []
    began, last = _seconds(times.received), _seconds(times.last_received or times.received)
    started = max(_seconds(times.started), last)
    finished = max(_seconds(times.finished), started)
    found = [
        TurnStep(Sentence("Espera desde el primer mensaje"), "wait", 0.0, started - began),
        TurnStep(Sentence("Modelo, documentos y funciones"), "model", started - began, finished - started),
    ]
    if times.sent is not None:
        sent = max(_seconds(times.sent) - finished, 0.0)
        found.append(TurnStep(Sentence("Envío por Twilio"), "send", finished - began, sent))
    return found


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _expected(given: Mapping[str, str]) -> dict[str, Any]:
    """What a person says must be true of the answer."""
    lists = {key: [text] for key in ("contains", "not_contains") if (text := given.get(key, "").strip()[:TEXT_LIMIT])}
    judge = given.get("judge", "").strip()[:TEXT_LIMIT]
    return {**lists, **({"judge": judge} if judge else {})}
