"""A proposal's words and tables, in Spanish, for either format. What the agency pays, and its margin, are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from reconciler.proposals.costs import FREE_REPLIES, MessageCosts, exchange_rate, message_costs
from reconciler.proposals.subject import Subject, country_name
from reconciler.render.sections import Section, Table
from reconciler.render.spanish import MONTHS, number_text
from schemas.money import WHOLE, exact, money_text
from schemas.tariffs import Agency, Tariffs

TO_AGREE: Final = "por acordar"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The whole document."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    agency: str | None
    logo: str | None
    """As the tariffs name it."""


def proposal(subject: Subject, tariffs: Tariffs, messages: int, at: datetime) -> Proposal:
    """The proposal for a client with about this number of answers a month. Raises `UnknownPrice`."""
    agency = tariffs.agency
    day = f"{at.day} de {MONTHS[at.month - 1]} de {at.year}"
    return Proposal(
        title=f"Asistente de WhatsApp para {subject.name}",
        subtitle=f"Propuesta de {agency.name}, {day}" if agency.name else f"Propuesta, {day}",
        sections=[
            Section("Qué incluye", items=list(_included(subject))),
            Section("Cómo trabajamos", steps=_process(subject)),
            _costs(agency, message_costs(subject, tariffs, at), messages, at, subject),
            Section("Las reglas de WhatsApp", items=_rules(subject)),
            Section("Los datos de las personas", items=list(_privacy(subject, agency))),
            *([Section("Contacto", paragraphs=[agency.contact])] if agency.contact else ()),
        ],
        agency=agency.name,
        logo=agency.logo,
    )


def _included(subject: Subject) -> Iterator[str]:
    yield (
        f"Número de WhatsApp propio: {subject.number}"
        if subject.number
        else "Número de WhatsApp propio: el suyo, o uno nuevo"
    )
    yield "Asistente con las instrucciones, el tono y la información de su marca"
    if subject.documents:
        yield f"Respuestas a partir de sus documentos: {', '.join(subject.documents)}"
    yield from (f"Integración con sus sistemas: {function}" for function in subject.functions)
    if subject.searches_web:
        yield "Búsqueda en la web cuando una pregunta lo necesita"
    yield "Atención las 24 horas, todos los días"
    yield "Monitoreo y soporte"


def _process(subject: Subject) -> list[str]:
    return [
        "Configuración: 1 a 2 días; el registro del número en WhatsApp puede tomar más",
        f"Personalización de las instrucciones con el equipo de {subject.name}",
        "Pruebas internas, y después con ustedes",
        "Lanzamiento",
        "Capacitación de su equipo",
    ]


def _costs(agency: Agency, costs: MessageCosts, messages: int, at: datetime, subject: Subject) -> Section:
    fees = agency.fees
    return Section(
        "Costos",
        items=[
            f"Configuración inicial: {_fee(fees.setup, agency)}",
            f"Mensualidad: {_fee(fees.monthly, agency)}",
            f"Por respuesta, las primeras {number_text(FREE_REPLIES)} de cada mes: "
            f"{_unit(costs.free, agency.currency)}",
            f"Por respuesta, desde la {number_text(FREE_REPLIES + 1)}: {_unit(costs.beyond, agency.currency)}",
        ],
        table=_volumes(agency, costs, messages),
        paragraphs=list(_notes(agency, at, subject)),
    )


def _volumes(agency: Agency, costs: MessageCosts, messages: int) -> Table:
    """Half, all and twice of what is expected."""
    monthly = agency.fees.monthly
    head = ["Respuestas al mes", "Mensajes"]
    head += [] if monthly is None else ["Mensualidad", "Total neto"]
    head += [] if agency.vat_percent is None else [f"IVA {_percent(agency.vat_percent)}", "Total"]
    rows = []
    for volume in (max(1, messages // 2), messages, messages * 2):
        amounts = [costs.of(volume)]
        if monthly is not None:
            amounts += [exact(monthly), amounts[0] + exact(monthly)]
        if agency.vat_percent is not None:
            tax = amounts[-1] * exact(agency.vat_percent) / 100
            amounts += [tax, amounts[-1] + tax]
        rows.append([number_text(volume), *(money_text(amount, agency.currency) for amount in amounts)])
    return Table(head, rows, are_numbers=True)


def _notes(agency: Agency, at: datetime, subject: Subject) -> Iterator[str]:
    yield (
        "Una respuesta es un mensaje del asistente a una persona que escribió; incluye el mensaje recibido, el envío "
        f"y la inteligencia artificial. Las cifras son para personas con números de {country_name(subject.country)}; "
        "la tarifa de Meta depende del país de quien recibe."
    )
    yield (
        f"Meta no cobra las primeras {number_text(FREE_REPLIES)} respuestas entregadas de cada número en cada mes. Una "
        "respuesta muy larga se envía en dos mensajes, y cuenta como dos."
    )
    rate = exchange_rate(agency, at)
    if rate is not None:
        yield (
            f"Calculado con el dólar a {money_text(exact(rate.per_usd), agency.currency)} (desde el {rate.since}). "
            "WhatsApp y la inteligencia artificial se pagan en dólares, y sus tarifas pueden cambiar."
        )
    if agency.vat_percent is None:
        yield "Los valores no incluyen impuestos."
    else:
        yield "Los valores son netos; la última columna de la tabla incluye IVA."


def _rules(subject: Subject) -> list[str]:
    return [
        "Meta permite en WhatsApp los asistentes con que una empresa atiende a sus clientes, y desde el 15 de enero de "
        "2026 prohíbe los de propósito general, salvo en algunos países. Por eso este asistente responde solo sobre "
        f"{subject.name}, y no se ofrece como asistente para cualquier cosa.",
        "Quien escribe debe poder llegar a una persona de su equipo.",
        "El asistente responde libremente hasta 24 horas después del último mensaje de la persona. Para escribirle más "
        "tarde, o primero, se usa una plantilla que Meta aprueba, con su propia tarifa, y solo a quien lo aceptó.",
    ]


def _privacy(subject: Subject, agency: Agency) -> Iterator[str]:
    agent = agency.name or "La agencia"
    yield (
        f"{subject.name} es responsable de los datos de quienes le escriben: decide para qué se usan, informa a las "
        "personas y responde a sus solicitudes."
    )
    yield (
        f"{agent} los trata por encargo: solo según sus instrucciones, para este servicio, y sin usarlos para otros "
        "clientes. Avisa de un incidente de seguridad, ayuda a responder solicitudes, y al terminar los devuelve o los "
        "borra."
    )
    others = ", ".join(["Meta y Twilio (WhatsApp)", "OpenAI (las respuestas)", "el servidor donde corre el servicio"])
    own = f", y sus propios sistemas ({', '.join(subject.recipients)})" if subject.recipients else ""
    yield (
        f"Para prestarlo los reciben también {others}{own}. {subject.name} autoriza a cada uno por escrito; uno nuevo "
        "se avisa antes. Meta, Twilio y OpenAI los tratan en los Estados Unidos."
    )
    if subject.country == "CL":
        yield (
            "En Chile se aplica la Ley 19.628. Su reforma por la Ley 21.719, cuya entrada en vigencia está fijada para "
            "el 1 de diciembre de 2026 salvo que se postergue, pide un contrato entre responsable y encargado "
            "(artículo 15 bis), que se firma junto con esta propuesta."
        )
    yield "Esto describe el servicio, y no es asesoría legal."


def _fee(amount: float | None, agency: Agency) -> str:
    return TO_AGREE if amount is None else money_text(exact(amount), agency.currency)


def _percent(percent: float) -> str:
    return f"{percent:g} %".replace(".", ",")


def _unit(amount: Fraction, currency: str) -> str:
    """The price of one answer, which is a fraction of a coin."""
    return money_text(amount, currency, 2 if currency in WHOLE else 4)
