"""Twilio's codes for messages that do not reach a phone: what happened and what to do, in words.

Source: Twilio's error dictionary, and the failures of WhatsApp that its status callbacks report. Light on purpose,
since `reconcile` imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Cause = Literal["passing", "client", "content", "person"]
"""Who is affected: a passing failure everyone for a while, `client` every answer of a client until a person acts,
`content` messages of this kind, `person` one recipient."""


@dataclass(frozen=True, slots=True)
class DeliveryError:
    """The meaning of a code; sentences without a full stop."""

    cause: Cause
    says: str
    says_es: str
    fix: str
    fix_es: str


_LATER = ("it was sent again, without success; wait", "se volvió a enviar, sin éxito; hay que esperar")
_CONSOLE = ("see the sender in Twilio's console", "revisa el número en la consola de Twilio")
_META = ("see the account in Meta Business Manager", "revisa la cuenta en Meta Business Manager")
_NOTHING = ("nothing: it concerns this person only", "nada: afecta solo a esta persona")

DELIVERY_ERRORS: Mapping[str, DeliveryError] = {
    "30001": DeliveryError("passing", "Twilio's queue was full", "la cola de Twilio estaba llena", *_LATER),
    "63010": DeliveryError("passing", "WhatsApp had an internal error", "WhatsApp tuvo un error interno", *_LATER),
    "63012": DeliveryError("passing", "WhatsApp had an internal error", "WhatsApp tuvo un error interno", *_LATER),
    "63018": DeliveryError(
        "passing",
        "the number sent more than WhatsApp allows at a time",
        "el número envió más de lo que WhatsApp permite a la vez",
        *_LATER,
    ),
    "63017": DeliveryError(
        "client",
        "the account sends more messages a second than Twilio allows",
        "la cuenta envía más mensajes por segundo de lo que Twilio permite",
        "send slower, or ask Twilio for more",
        "envía más lento o pide más a Twilio",
    ),
    "63007": DeliveryError(
        "client",
        "Twilio does not know the number as a WhatsApp sender of this account",
        "Twilio no conoce el número como sender de WhatsApp de esta cuenta",
        *_CONSOLE,
    ),
    "63020": DeliveryError(
        "client",
        "the client has not accepted Twilio in Meta Business Manager",
        "el cliente no aceptó a Twilio en Meta Business Manager",
        *_META,
    ),
    "63038": DeliveryError(
        "client",
        "the account's daily limit of messages is reached",
        "se alcanzó el límite diario de mensajes de la cuenta",
        "upgrade the Twilio account, or wait until tomorrow",
        "amplía la cuenta de Twilio o espera hasta mañana",
    ),
    "63051": DeliveryError(
        "client",
        "Meta has locked the number",
        "Meta bloqueó el número",
        "register it again with `reconcile verify`",
        "regístralo otra vez con `reconcile verify`",
    ),
    "63062": DeliveryError(
        "client",
        "the account has not accepted Meta's terms for marketing messages",
        "la cuenta no aceptó los términos de Meta para mensajes de marketing",
        *_META,
    ),
    "63112": DeliveryError(
        "client",
        "Meta has disabled the WhatsApp Business account",
        "Meta desactivó la cuenta de WhatsApp Business",
        "appeal in Meta Business Manager (Account quality)",
        "apela en Meta Business Manager (calidad)",
    ),
    "21617": DeliveryError(
        "content",
        "the message is longer than 1,600 characters",
        "el mensaje tiene más de 1.600 caracteres",
        "shorten it",
        "acórtalo",
    ),
    "63005": DeliveryError(
        "content",
        "WhatsApp did not accept the message's content",
        "WhatsApp no aceptó el contenido del mensaje",
        "change the text or the file",
        "cambia el texto o el archivo",
    ),
    "63013": DeliveryError(
        "content",
        "the message violates WhatsApp's policy",
        "el mensaje incumple la política de WhatsApp",
        "change what the assistant sends",
        "cambia lo que envía el asistente",
    ),
    "63019": DeliveryError(
        "content",
        "the file could not be downloaded",
        "no se pudo descargar el archivo",
        "make its URL public and fast",
        "su URL debe ser pública y rápida",
    ),
    "63021": DeliveryError(
        "content",
        "the message's content is not valid for WhatsApp",
        "el contenido del mensaje no es válido en WhatsApp",
        "change the text or the file",
        "cambia el texto o el archivo",
    ),
    "63028": DeliveryError(
        "content",
        "the template was sent with other variables than it has",
        "la plantilla se envió con otras variables que las suyas",
        "correct the variables",
        "corrige las variables",
    ),
    "63040": DeliveryError(
        "content",
        "WhatsApp rejected the template",
        "WhatsApp rechazó la plantilla",
        "submit another template",
        "envía otra plantilla a aprobación",
    ),
    "63041": DeliveryError(
        "content",
        "WhatsApp paused the template, since people complained",
        "WhatsApp pausó la plantilla por quejas",
        "use another template",
        "usa otra plantilla",
    ),
    "63042": DeliveryError(
        "content",
        "WhatsApp disabled the template",
        "WhatsApp desactivó la plantilla",
        "use another template",
        "usa otra plantilla",
    ),
    "21211": DeliveryError("person", "the recipient's number is not valid", "el número no es válido", *_NOTHING),
    "21610": DeliveryError("person", "the person opted out", "la persona pidió no recibir mensajes", *_NOTHING),
    "63003": DeliveryError("person", "the number is not on WhatsApp", "el número no está en WhatsApp", *_NOTHING),
    "63014": DeliveryError("person", "the person blocked the number", "la persona bloqueó el número", *_NOTHING),
    "63016": DeliveryError(
        "person",
        "the person had not written for 24 hours, so only a template may be sent",
        "la persona no escribía hacía 24 horas: solo se puede enviar una plantilla",
        "send an approved template",
        "envía una plantilla aprobada",
    ),
    "63024": DeliveryError(
        "person", "the recipient cannot get messages", "la persona no puede recibir mensajes", *_NOTHING
    ),
    "63032": DeliveryError(
        "person", "Meta tests something with this person", "Meta hace una prueba con esta persona", *_NOTHING
    ),
    "63049": DeliveryError(
        "person", "Meta chose not to deliver it to this person", "Meta decidió no entregarlo a esta persona", *_NOTHING
    ),
}
"""Code → meaning. Of a code that is not here nothing is assumed: it counts as concerning the client."""

PASSING = frozenset(code for code, error in DELIVERY_ERRORS.items() if error.cause == "passing")
"""Failures after which the same message is sent again."""
OF_CONTENT = frozenset(code for code, error in DELIVERY_ERRORS.items() if error.cause == "content")
"""Failures after which buttons and lists are sent as words."""
OF_CLIENT = frozenset(code for code, error in DELIVERY_ERRORS.items() if error.cause == "client")
OUTSIDE = frozenset({"63016"})
"""Of free text that came later than 24 hours after a person's message. Meta's clock counts, so they may come inside of
ours."""
OF_PERSON = frozenset(code for code, error in DELIVERY_ERRORS.items() if error.cause == "person")
NO_CODE = "none"
"""Stored where Twilio gave no code."""

_UNKNOWN = DeliveryError(
    "client",
    "Twilio gave no further reason",
    "Twilio no dio otra razón",
    "see the message in Twilio's console (Monitor, Logs)",
    "revisa el mensaje en la consola de Twilio (Monitor, Logs)",
)


def in_words(code: str | None) -> str | None:
    """What a code says, for people who read English; None without one."""
    return None if code is None else f"{delivery_error(code).says} ({code})"


def delivery_error(code: str) -> DeliveryError:
    """The meaning of a code."""
    return DELIVERY_ERRORS.get(code, _UNKNOWN)
