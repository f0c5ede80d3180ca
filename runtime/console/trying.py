"""Trying: a chat with a client's assistant as applied, or its canary, by the code that answers its users. Nothing is
sent, no function is called, and nothing of it is remembered.

    message ──► TrialConversation (a store in memory) ──► answer
                  └─ a function ──► the page asks what it answers ──► the same turn continues

What was said is in the page itself, signed, and comes back with its form: any replica continues it, and when the page
is closed it is lost. What its model costs is shown and in the audit, and in no client's ledger or budget.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from aiohttp import web

from runtime.catalog import Catalog, Configuration
from runtime.console.page import HOME, Declined, OpenPage, OperatorPage, OperatorVisit, not_here
from runtime.console.words import Sentence
from runtime.observability.logs import LogContext
from runtime.settings import Settings
from runtime.store.console import trials
from runtime.store.console.trials import TriableBot
from runtime.store.database.database import Database
from runtime.store.errors import RecordDamaged
from runtime.store.tariffs import stored_tariffs
from runtime.text import is_blank
from runtime.turns.canaries import as_canary
from runtime.turns.progress import engine_notes
from runtime.turns.trial import AnswerNeeded, AsksPerson, TrialConversation, Trials, Tried

PATH: Final = f"{HOME}/trying"
AT_ONCE: Final = 4
"""Answers that are made at the same time in this process."""
ANSWER_SECONDS: Final = 90.0
MESSAGE_CHARACTERS: Final = 4_000
RESULT_CHARACTERS: Final = 8_000
STATE_CHARACTERS: Final = 300_000
"""Of the form's field with what was said."""
STATE_BYTES: Final = 4_000_000
"""Of the same, unpacked."""
SUCCESS: Final = {"result": "ok"}
RESULT: Final = "result."
"""Begins the names of a form's fields with what functions answer; the call's id follows."""
NOT_OURS: Final = Sentence("Este ensayo ya no se puede continuar: empieza uno nuevo.")
TOO_LONG: Final = Sentence("El ensayo es demasiado largo: empieza uno nuevo.")
TOO_SLOW: Final = Sentence("La respuesta tardó demasiado. Prueba de nuevo.")
EMPTY: Final = Sentence("Escribe algo antes de enviar.")
AT_PROVIDER: Final = Sentence(
    "El asistente de este cliente está en OpenAI, donde un ensayo dejaría rastro. Se puede ensayar con "
    "engine: responses."
)
NO_CANARY: Final = Sentence("Este cliente no tiene un canario.")
DAMAGED: Final = Sentence("La configuración de este cliente no se puede leer. Avisa a quien administra.")


class TryingPages:
    """Handlers of /console/trying."""

    def __init__(self, database: Database, catalog: Catalog, settings: Settings) -> None:
        self._database = database
        self._catalog = catalog
        self._settings = settings
        self._slots = asyncio.Semaphore(AT_ONCE)

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [
            OperatorPage("GET", PATH, self.show, needs="answer"),
            OperatorPage("POST", PATH, self.say, needs="answer"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/trying: which assistant, or an empty chat with one."""
        client, variant = visit.query("client"), _variant(visit.query("variant"))
        bots = await self._database.read(trials.bots_of, visit.clients)
        if not client:
            return visit.page("trying.html", bot=None, bots=bots)
        bot = _bot_of(bots, client)
        await self._configuration(bot, variant)
        return await self._page(visit, bot, variant, {"said": [], "pending": None, "store": None})

    async def say(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/trying: a message, or what functions answer."""
        bots = await self._database.read(trials.bots_of, visit.clients)
        bot, variant = _bot_of(bots, visit.form.get("client", "")), _variant(visit.form.get("variant", ""))
        configuration = await self._configuration(bot, variant)
        state = self._opened(visit, bot, variant)
        pending = state["pending"]
        if pending is None and is_blank(visit.form.get("text", "")):
            return await self._page(visit, bot, variant, state, EMPTY, 400)
        if pending is None:
            text = visit.form["text"].replace("\r\n", "\n").strip()[:MESSAGE_CHARACTERS]
            pending = {"text": text, "progress": None}
        else:
            pending = pending | {"progress": _answered(pending["progress"], visit.form)}
        try:
            state = await self._continued(visit, bot, variant, configuration, state, pending)
        except TimeoutError:
            return await self._page(visit, bot, variant, state, TOO_SLOW, 504)
        return await self._page(visit, bot, variant, state)

    async def _continued(
        self,
        visit: OperatorVisit,
        bot: TriableBot,
        variant: str,
        configuration: Configuration,
        state: Mapping[str, Any],
        pending: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The state after a turn, or after the part of one up to a function that a person answers."""
        shared = Trials(await self._database.read(stored_tariffs), settings=self._settings)
        server = shared.server()
        try:
            chat = TrialConversation(
                shared, *_triable(configuration), server, AsksPerson(), name=visit.operator.name.partition(" ")[0]
            )
            chat.now = time.time()
            if state["store"] is not None:
                chat.resume(state["store"])
            before = chat.state()
            async with asyncio.timeout(ANSWER_SECONDS), self._slots:
                with LogContext(trial=True):
                    tried = await chat.say([pending["text"]], progress=pending["progress"])
        except AnswerNeeded:
            return {**state, "store": before, "pending": {"text": pending["text"], "progress": chat.progress}}
        finally:
            await server.close()
            shared.close()
        await self._database.write(trials.record_trial, visit.actor, bot, variant, tried.nano_usd)
        said = [*state["said"], _shown(pending["text"], tried)]
        return {"said": said, "pending": None, "store": chat.state()}

    async def _configuration(self, bot: TriableBot, variant: str) -> Configuration:
        """The bot as it is applied, or its canary. Raises Declined where it cannot be tried."""
        try:
            found = await self._catalog.configuration(bot.bot_id)
        except RecordDamaged as error:
            raise Declined(409, DAMAGED) from error
        if found is None:
            raise not_here()
        if found.bot.assistant_id is not None and found.assistant is None:
            raise Declined(409, AT_PROVIDER)
        if variant == "stable":
            return found
        if found.policy.canary is None:
            raise Declined(409, NO_CANARY)
        return as_canary(found, found.policy.canary)

    async def _page(
        self,
        visit: OperatorVisit,
        bot: TriableBot,
        variant: str,
        state: Mapping[str, Any],
        problem: Sentence | None = None,
        status: int = 200,
    ) -> web.Response:
        found = await self._catalog.configuration(bot.bot_id)
        costs = [one["nano_usd"] for one in state["said"]]
        closed = self._closed(visit, bot, variant, state)
        return visit.page(
            "trying.html",
            status,
            bot=bot,
            variant=variant,
            has_canary=found is not None and found.policy.canary is not None,
            said=state["said"],
            pending=state["pending"] and {"text": state["pending"]["text"], "calls": _calls(state["pending"])},
            state=closed,
            problem=TOO_LONG if len(closed) > STATE_CHARACTERS else problem,
            is_full=len(closed) > STATE_CHARACTERS,
            nano_usd=sum(cost for cost in costs if cost is not None),
            is_cost_known=None not in costs,
            draft=visit.form.get("text", "") if problem is not None else "",
        )

    def _closed(self, visit: OperatorVisit, bot: TriableBot, variant: str, state: Mapping[str, Any]) -> str:
        """The state as a field of a form: packed, and signed for this session and assistant."""
        packed = base64.b64encode(zlib.compress(json.dumps(state, ensure_ascii=False).encode())).decode()
        return f"{_signature(visit, bot, variant, packed)}.{packed}"

    def _opened(self, visit: OperatorVisit, bot: TriableBot, variant: str) -> dict[str, Any]:
        """The state that came back. Raises Declined for one that this session was not given."""
        signature, _, packed = visit.form.get("state", "").partition(".")
        if not hmac.compare_digest(signature.encode(), _signature(visit, bot, variant, packed).encode()):
            raise Declined(409, NOT_OURS)
        if len(packed) > STATE_CHARACTERS:
            raise Declined(409, TOO_LONG)
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(packed), STATE_BYTES)
        if unpacking.unconsumed_tail:
            raise Declined(409, TOO_LONG)
        state: dict[str, Any] = json.loads(text)
        return state


def _signature(visit: OperatorVisit, bot: TriableBot, variant: str, packed: str) -> str:
    key = f"trying {visit.session or ''}".encode()
    return hmac.new(key, f"{bot.bot_id} {variant} {packed}".encode(), sha256).hexdigest()


def _bot_of(bots: Sequence[TriableBot], client: str) -> TriableBot:
    """Raises Declined for a client that there is not, or that the operator does not see."""
    found = next((bot for bot in bots if bot.client == client), None)
    if found is None:
        raise not_here()
    return found


def _variant(text: str) -> str:
    return "canary" if text == "canary" else "stable"


def _triable(configuration: Configuration) -> tuple[Any, Any]:
    """The records to be tried: in service, and without servers of tools, which the provider would call."""
    bot, assistant = replace(configuration.bot, state="active"), configuration.assistant
    if assistant is not None:
        assistant = replace(assistant, tools=[tool for tool in assistant.tools if tool.get("type") != "mcp"])
    return bot, assistant


def _shown(text: str, tried: Tried) -> dict[str, Any]:
    """An exchange as the page shows it."""
    ending = tried.ending
    return {
        "text": text,
        "messages": list(tried.messages),
        "calls": [dict(call) for call in tried.calls],
        "nano_usd": tried.nano_usd,
        "model": ending.model,
        "why": None if ending.state == "answered" else ending.error or ending.reason or ending.state,
        "handed_over": ending.handoff is not None,
    }


def _calls(pending: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The calls without an answer."""
    notes = engine_notes(pending["progress"])
    answered = {note["call_id"] for note in notes if note.get("type") == "function_call_output"}
    return [note for note in notes if note.get("type") == "function_call" and note["call_id"] not in answered]


def _answered(progress: str, form: Mapping[str, str]) -> str:
    """The notes of a turn with what a person says that its functions answer."""
    results = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": _result(form, call["call_id"])}
        for call in _calls({"progress": progress})
        if RESULT + call["call_id"] in form
    ]
    return json.dumps([*json.loads(progress), *results], ensure_ascii=False)


def _result(form: Mapping[str, str], call_id: str) -> str:
    typed = form[RESULT + call_id][:RESULT_CHARACTERS].strip()
    if not typed:
        return json.dumps(SUCCESS)
    try:
        return json.dumps(json.loads(typed), ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps(typed, ensure_ascii=False)
