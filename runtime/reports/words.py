"""A report's words in Spanish and in English, and how numbers, times and months are written in each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Final

from runtime.reports.month import Month
from schemas.money import Language, decimal_text, money_text

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("Reporte de {month}", "Report for {month}"),
    "by": ("por {agency}, {day}", "by {agency}, {day}"),
    "lead": (
        "{name} recibió mensajes de {people} en {conversations}. De {received}, el asistente respondió el {share}.",
        "{name} got messages from {people} in {conversations}. Of {received}, the assistant answered {share}.",
    ),
    "lead_time": ("La mitad de las respuestas salió antes de {time}.", "Half of the answers went out within {time}."),
    "lead_cost": ("El mes suma {amount}{vat}.", "The month comes to {amount}{vat}."),
    "lead_nothing": ("En {month} nadie escribió a {name}.", "In {month} no person wrote to {name}."),
    "person": ("persona", "person"),
    "people": ("personas", "people"),
    "conversation": ("conversación", "conversation"),
    "conversations": ("conversaciones", "conversations"),
    "message": ("mensaje", "message"),
    "messages": ("mensajes", "messages"),
    "fact_conversations": ("Conversaciones", "Conversations"),
    "fact_people": ("Personas", "People"),
    "fact_received": ("Mensajes recibidos", "Messages received"),
    "fact_sent": ("Mensajes enviados", "Messages sent"),
    "fact_answered": ("Respondidos", "Answered"),
    "fact_time": ("Tiempo de respuesta", "Time to answer"),
    "time_most": ("90 % en menos de {time}", "90% within {time}"),
    "before": ("mes anterior: {value}", "month before: {value}"),
    "of_received": ("{count} de {whole}", "{count} of {whole}"),
    "days": ("Mensajes por día", "Messages by day"),
    "days_most": (
        "El día con más mensajes fue el {day}, con {count}; el promedio es de {mean} al día.",
        "The busiest day was {day}, with {count}; the mean is {mean} a day.",
    ),
    "day": ("Día", "Day"),
    "hours": ("Cuándo escriben", "When people write"),
    "hours_note": (
        "Mensajes recibidos por día de la semana y hora ({zone}). La hora con más es el {weekday} a las {hour}, con "
        "{count}.",
        "Messages received by weekday and hour ({zone}). The busiest hour is {weekday} at {hour}, with {count}.",
    ),
    "weekday": ("Día de la semana", "Weekday"),
    "outcomes": ("Qué pasó con los mensajes", "What happened to the messages"),
    "outcome": ("Resultado", "Result"),
    "share": ("Parte", "Share"),
    "answered": ("Respondidos por el asistente", "Answered by the assistant"),
    "unanswered": ("Sin respuesta: {reason}", "Not answered: {reason}"),
    "failed": ("La respuesta falló", "The answer failed"),
    "waiting": ("Por responder", "Still to be answered"),
    "undelivered": (
        "Enviados que no llegaron al teléfono: {count} ({why}).",
        "Sent, and not delivered to the phone: {count} ({why}).",
    ),
    "reason_unknown": ("el asistente ya no existía", "the assistant was deleted"),
    "reason_human": ("los atendía una persona", "a person had the conversation"),
    "reason_paused": ("el asistente estaba en pausa", "the assistant was paused"),
    "reason_loop": ("los escribió un programa", "a program wrote them"),
    "reason_limited": ("demasiados en un minuto", "too many within a minute"),
    "reason_reaction": ("eran solo una reacción", "only a reaction"),
    "reason_media": ("archivos sin texto", "files without words"),
    "reason_opt_out": ("pidió no recibir avisos", "asked for no notifications"),
    "reason_opt_in": ("pidió recibir avisos", "asked for notifications"),
    "reason_thanks": ("solo agradecía o se despedía", "only thanks or a goodbye"),
    "reason_no_reply": ("no hacía falta responder", "needed no answer"),
    "reason_handed_over": ("el número pasó a otro asistente", "the number passed to another assistant"),
    "reason_hours": ("fuera de horario", "outside of the hours"),
    "reason_consent": ("sin un sí a que el asistente los lea", "no yes yet to the assistant reading them"),
    "reason_consent_no": ("no quiso que el asistente lea", "did not want the assistant to read"),
    "reason_consent_revoked": ("retiró su consentimiento", "withdrew the consent"),
    "reason_budget": ("se acabó el presupuesto", "the budget was spent"),
    "used": ("Lo que más se usó", "What was used most"),
    "documents": ("Documentos citados", "Documents cited"),
    "functions": ("Funciones", "Functions"),
    "answers": ("Respuestas", "Answers"),
    "variants": ("Un asistente a prueba", "An assistant on trial"),
    "variants_note": (
        "Una parte de las personas, siempre las mismas, recibió las respuestas de otra versión del asistente.",
        "Some people, always the same ones, were answered by another version of the assistant.",
    ),
    "variant_stable": ("el de siempre", "the usual one"),
    "variant_canary": ("a prueba", "on trial"),
    "turns": ("veces que le tocó responder", "times that it was to answer"),
    "variant_handoffs": ("derivó a una persona", "handed over to a person"),
    "tokens_each": ("largo de una respuesta, en tokens", "length of an answer, in tokens"),
    "messages_each": ("mensajes por respuesta", "messages an answer"),
    "cost_each": ("costo por vez, respecto del de siempre", "cost each time, against the usual one"),
    "costs": ("Costos", "Costs"),
    "what": ("Qué", "What"),
    "quantity": ("Cantidad", "Quantity"),
    "amount": ("Monto", "Amount"),
    "unpriced": ("sin precio", "no price"),
    "month_before": ("Mes anterior", "Month before"),
    "group_model": ("Inteligencia artificial (tokens)", "Artificial intelligence (tokens)"),
    "group_transcription": ("Transcripción de audios (minutos)", "Transcription of audio (minutes)"),
    "group_web_search": ("Búsquedas en la web", "Searches in the web"),
    "group_file_search": ("Búsquedas en documentos", "Searches in documents"),
    "group_twilio_in": ("Mensajes recibidos (Twilio)", "Messages received (Twilio)"),
    "group_twilio_out": ("Mensajes enviados (Twilio)", "Messages sent (Twilio)"),
    "group_twilio_failed": ("Mensajes que no salieron (Twilio)", "Messages that were not sent (Twilio)"),
    "group_meta_service": ("Respuestas entregadas (Meta)", "Answers delivered (Meta)"),
    "group_meta_utility": ("Plantillas de utilidad (Meta)", "Utility templates (Meta)"),
    "group_meta_marketing": ("Plantillas de marketing (Meta)", "Marketing templates (Meta)"),
    "group_meta_authentication": ("Plantillas de autenticación (Meta)", "Authentication templates (Meta)"),
    "monthly": ("Mensualidad", "Monthly fee"),
    "net": ("Total neto", "Net total"),
    "vat": ("IVA {percent}", "VAT {percent}"),
    "total": ("Total", "Total"),
    "with_vat": (" con IVA", " with VAT"),
    "without_vat": (" sin IVA", " without VAT"),
    "note_vat": ("Los montos por línea son netos; el total incluye IVA.", "Lines are net; the total includes VAT."),
    "note_without_vat": ("Los valores son netos, sin IVA.", "Amounts are net, without VAT."),
    "note_no_tax": ("Los valores no incluyen impuestos.", "Amounts include no taxes."),
    "note_rounding": (
        "Cada monto se redondea por separado; la suma de las líneas puede diferir en el último dígito.",
        "Each amount is rounded by itself; the sum of the lines may differ in the last digit.",
    ),
    "note_rate": (
        "Calculado con el dólar a {rate} (desde el {since}).",
        "Calculated with the dollar at {rate} (since {since}).",
    ),
    "note_budget": (
        "Presupuesto de mensajes: {limit} al mes, netos; se usó el {share}.",
        "Budget for messages: {limit} a month, net; {share} of it was used.",
    ),
    "note_free": (
        "Respuestas sin costo de Meta, que regala las primeras {free} de cada mes y número: {used}.",
        "Answers that were free at Meta, as the first {free} of each month and number are: {used}.",
    ),
    "note_shares": ("De los costos de mensajes, {shares}.", "Of the costs of messages, {shares}."),
    "confidence_exact": ("{share} es exacto", "{share} is exact"),
    "confidence_list_price": ("{share} es a precio de lista", "{share} is at list price"),
    "confidence_estimated": ("{share} es estimado", "{share} is estimated"),
    "note_unknown": (
        "Sin precio conocido, y por eso fuera del total: {what}.",
        "Without a known price, and so not in the total: {what}.",
    ),
    "note_since": (
        "Los mensajes se cuentan en los costos desde el {since}; de antes solo se conoce la inteligencia artificial, "
        "estimada.",
        "Costs have messages since {since}; before that only artificial intelligence is known, as an estimate.",
    ),
    "note_border": (
        "El límite del mes es aproximado: los costos se cuentan por mes en UTC, y lo demás en la hora de {zone}. Entre "
        "un comienzo de mes y el otro hay {count}.",
        "The month's border is approximate: costs are counted by the month in UTC, the rest in the time of {zone}. "
        "Between one begin of a month and the other there are {count}.",
    ),
    "note_open": (
        "El mes no ha terminado: son las cifras hasta el {day}.",
        "The month is not over: these are the figures until {day}.",
    ),
    "note_conversation": (
        "Una conversación empieza cuando una persona escribe después de 24 horas sin hacerlo.",
        "A conversation begins when a person writes who has not written for 24 hours.",
    ),
    "notes": ("Cómo leer este reporte", "How to read this report"),
    "contact": ("Contacto", "Contact"),
    "section": ("sección", "section"),
    "item": ("dato", "item"),
    "value": ("valor", "value"),
    "unit": ("unidad", "unit"),
    "overview": ("Resumen de {month}", "Overview of {month}"),
    "overview_note": (
        "Para la agencia: muestra costos y margen. No se envía a clientes.",
        "For the agency: it shows costs and margin. Not to be sent to clients.",
    ),
    "client": ("Cliente", "Client"),
    "cost": ("Costo", "Cost"),
    "revenue": ("Ingreso neto", "Net revenue"),
    "margin": ("Margen", "Margin"),
    "unpriced_mark": ("Con uso sin precio conocido: {clients}.", "With usage without a known price: {clients}."),
}
"""In Spanish and in English."""
MONTHS: Final = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)
ENGLISH_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
ENGLISH_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._place = 0 if language == "es" else 1
        self.weekdays = WEEKDAYS if language == "es" else ENGLISH_WEEKDAYS

    def __call__(self, key: str, **values: str) -> str:
        """The words under a key of WORDS."""
        return WORDS[key][self._place].format(**values)

    def has(self, key: str) -> bool:
        """Whether there are words under a key."""
        return key in WORDS

    def month(self, month: Month) -> str:
        """`octubre de 2026`, `October 2026`."""
        if self.language == "en":
            return f"{ENGLISH_MONTHS[month.number - 1]} {month.year}"
        return f"{MONTHS[month.number - 1]} de {month.year}"

    def day(self, day: date) -> str:
        """`29 de noviembre de 2026`, `29 November 2026`."""
        if self.language == "en":
            return f"{day.day} {ENGLISH_MONTHS[day.month - 1]} {day.year}"
        return f"{day.day} de {MONTHS[day.month - 1]} de {day.year}"

    def minute(self, moment: datetime) -> str:
        """A day with the time."""
        return f"{self.day(moment.date())}, {moment:%H:%M}"

    def number(self, number: float | Fraction, places: int = 0) -> str:
        """`12.000`, `12,000`."""
        return decimal_text(Fraction(number), places, self.language)

    def count(self, number: int, one: str, many: str) -> str:
        """`1 mensaje`, `1.842 mensajes`."""
        return f"{self.number(number)} {self(one if number == 1 else many)}"

    def money(self, amount: Fraction, currency: str) -> str:
        """See `money_text`."""
        return money_text(amount, currency, language=self.language)

    def percent(self, share: Fraction, places: int = 1) -> str:
        """`97,4 %`, `97.4%`. Less than all, and more than nothing, are never rounded to either."""
        least = Fraction(1, 10**places)
        percent = share * 100
        if 0 < share < 1:
            percent = min(max(percent, least), 100 - least)
        text = self.number(percent, places if percent != int(percent) else 0)
        return f"{text} %" if self.language == "es" else f"{text}%"

    def seconds(self, seconds: float) -> str:
        """`3,4 s`, `2 min 5 s`, `1 h 12 min`."""
        if seconds < 60:
            return f"{self.number(seconds, 1)} s"
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return f"{minutes} min {rest} s" if rest else f"{minutes} min"
        hours, minutes = divmod(minutes, 60)
        return f"{self.number(hours)} h {minutes} min" if minutes else f"{self.number(hours)} h"
