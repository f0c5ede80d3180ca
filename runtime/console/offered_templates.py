"""Templates in a conversation: what an operator sends once WhatsApp's window of 24 hours is closed, by the way of
`horizonai-whatsapp-bot send --template`. What cannot be sent is shown with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from runtime.budgets.budgets import BudgetExceeded
from runtime.console.page import Declined, OpenPage, OperatorPage, OperatorVisit, redirect
from runtime.console.paging import CONVERSATIONS, address_of, conversation_of, kept_query
from runtime.console.words import Sentence
from runtime.delivery.delivery import NotSent
from runtime.delivery.operators import HumanOperators
from runtime.delivery.proactive import DailyLimit, Proactive
from runtime.delivery.templates import ABSENT, UNKNOWN, ApprovalUnknown, OfferedTemplate, TemplateRefused, Templates
from runtime.errors import OperatorError
from runtime.price_list import PriceList
from runtime.store.console import person
from runtime.store.database.database import Database
from runtime.store.errors import NumberNeeded, OptedOut, PersonBlocked
from runtime.store.messages import operators
from runtime.store.messages.threads import ConversationSummary
from runtime.store.records import BotRecord
from runtime.twilio.accounts import AccountError
from schemas.addresses import number_of
from schemas.templates import variables_of

VARIABLE: Final = "v."
"""Begins the names of a form's fields that fill a template."""
NAMES: Final = frozenset({"nombre", "name"})
"""Variables that are filled in with the person's name until another is written."""
NO_BOT: Final = Sentence("El número de esta conversación ya no existe; no hay desde dónde enviar.")
NO_ACCOUNT: Final = Sentence("No se envió: falta la clave de Twilio de este cliente. Avisa a quien administra.")
ONLY_ADMIN: Final = Sentence("Es de marketing: la envía quien administra la consola.")
NO_MARKETING: Final = Sentence("Esta persona no quiere promociones.")
NOTHING_WANTED: Final = Sentence("Esta persona no quiere ningún mensaje.")
STATUSES: Final[Mapping[str, Sentence]] = {
    ABSENT: Sentence("Todavía no está en Twilio; reconcile la crea."),
    UNKNOWN: Sentence("Twilio no dice si está aprobada. Prueba de nuevo en unos minutos."),
    "unsubmitted": Sentence("Todavía no se pidió su aprobación."),
    "received": Sentence("Meta la está revisando."),
    "pending": Sentence("Meta la está revisando."),
    "rejected": Sentence("Meta la rechazó."),
    "paused": Sentence("Meta la pausó por malas reacciones de las personas."),
    "disabled": Sentence("Meta la desactivó."),
}
REFUSALS: Final[Mapping[type[Exception], Sentence]] = {
    PersonBlocked: Sentence("No se envió: esta persona está bloqueada."),
    NumberNeeded: Sentence("No se envió: de esta persona no se conoce el número, y esta plantilla lo necesita."),
    ApprovalUnknown: Sentence("No se envió: Twilio no dice si la plantilla está aprobada. Prueba de nuevo."),
    BudgetExceeded: Sentence(
        "No se envió: el presupuesto del mes se acabó, y el manifiesto dice que entonces se pausa."
    ),
    DailyLimit: Sentence("No se envió: este cliente ya escribió primero a tantas personas como puede en 24 horas."),
    NotSent: Sentence("No se envió: Twilio o WhatsApp no la aceptaron. Quedó anotado en la conversación."),
    AccountError: NO_ACCOUNT,
}
"""Why a template was not sent, by the error."""


@dataclass(frozen=True, slots=True)
class PickedTemplate:
    """A template as the picker shows it."""

    offered: OfferedTemplate
    reason: Sentence | None
    """Why it cannot be sent; None: it can."""
    nano_usd: int | None
    """10⁻⁹ USD of one message; None where a price is not known."""
    values: Mapping[str, str]
    """Its variables, filled in as far as they are known."""


class TemplatePages:
    """Handlers of /console/conversations/{id}/templates."""

    def __init__(
        self,
        database: Database,
        people: HumanOperators,
        proactive: Proactive,
        templates: Templates,
        prices: PriceList,
    ) -> None:
        self._database = database
        self._people = people
        self._proactive = proactive
        self._templates = templates
        self._prices = prices

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        path = f"{CONVERSATIONS}/{{id}}/templates"
        return [
            OperatorPage("GET", path, self.show, needs="answer"),
            OperatorPage("POST", path, self.send, needs="answer"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}/templates"""
        return await self._picker(visit, await conversation_of(visit, self._people))

    async def send(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/conversations/{id}/templates"""
        conversation = await conversation_of(visit, self._people)
        to = await self._database.read(operators.correspondent, conversation.id)
        if to is None:
            return await self._picker(visit, conversation, NO_BOT, 409)
        values = {name[len(VARIABLE) :]: text for name, text in visit.form.items() if name.startswith(VARIABLE)}
        try:
            await self._proactive.send_template(
                by=visit.actor,
                to=number_of(to.address),
                name=visit.form.get("name", ""),
                variables=values,
                bot_id=to.bot_id,
                number=None,
                may_campaign=visit.operator.role == "admin",
                author=visit.actor.name,
            )
        except (OperatorError, OptedOut, PersonBlocked, NumberNeeded) as error:
            return await self._picker(visit, conversation, _refusal(error), 409)
        return redirect(address_of(visit, conversation.id))

    async def _picker(
        self,
        visit: OperatorVisit,
        conversation: ConversationSummary,
        problem: Sentence | None = None,
        status: int = 200,
    ) -> web.Response:
        configuration = await self._people.catalog.configuration(conversation.bot_id)
        if configuration is None:
            raise Declined(409, NO_BOT)
        data = configuration.policy.data
        try:
            picked = await self._picked(visit, conversation, configuration.bot)
        except AccountError as error:
            raise Declined(503, NO_ACCOUNT) from error
        return visit.page(
            "templates.html",
            status,
            conversation=conversation,
            picked=picked,
            problem=problem,
            chosen=visit.form.get("name", ""),
            kept=kept_query(visit),
            back=address_of(visit, conversation.id),
            is_sensitive=data is not None and bool(data.sensitive),
        )

    async def _picked(
        self, visit: OperatorVisit, conversation: ConversationSummary, bot: BotRecord
    ) -> list[PickedTemplate]:
        facts = await self._database.read(person.facts_of, conversation.id)
        refused = facts.opted_out_of if facts is not None else None
        offered = await self._templates.offered(bot)
        to = await self._database.read(operators.correspondent, conversation.id)
        prices = await self._prices.of_messages(bot.label, to.address if to is not None else "")
        found = []
        for one in offered:
            meta = prices.meta.get(one.category)
            parts = [prices.message_out.amount(1), meta.amount(1) if meta is not None else None]
            known = [part for part in parts if part is not None]
            written = visit.form if visit.form.get("name") == one.name else {}
            values = {
                name: written.get(VARIABLE + name, (conversation.name or "") if name in NAMES else "")
                for name in variables_of(one.template)
            }
            reason = _reason(one, refused, is_admin=visit.operator.role == "admin")
            found.append(PickedTemplate(one, reason, sum(known) if len(known) == len(parts) else None, values))
        return sorted(found, key=lambda one: one.reason is not None)


def _reason(offered: OfferedTemplate, refused: str | None, *, is_admin: bool) -> Sentence | None:
    """Why a template cannot be sent. `refused`: what the person wants no messages of."""
    if not offered.is_approved:
        return STATUSES.get(offered.status) or Sentence("Meta dice: %(status)s.", {"status": offered.status[:40]})
    if refused == "all":
        return NOTHING_WANTED
    if offered.category == "marketing":
        return NO_MARKETING if refused else None if is_admin else ONLY_ADMIN
    return None


def _refusal(error: Exception) -> Sentence:
    if isinstance(error, OptedOut):
        return NOTHING_WANTED if error.opt_out_list == "all" else NO_MARKETING
    if isinstance(error, TemplateRefused):
        if error.field == "variables":
            return Sentence("No se envió: cada dato necesita un texto, en una sola línea.")
        return Sentence("No se envió: esta plantilla ya no está, o Meta no la ha aprobado.")
    found = next((said for kind, said in REFUSALS.items() if isinstance(error, kind)), None)
    return found or Sentence("No se envió. Avisa a quien administra; el motivo quedó en el registro.")
