"""What a recipient gets, in English for a plan and in Spanish for people who do not read plans, and for papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.recipient import ALERTS, Gets, Recipient, Role, ShownRecipient
from schemas.data_policy import Leave

GETS: Final[Mapping[Gets, tuple[str, str]]] = {
    "messages": ("what people write and the answers", "lo que la gente escribe y las respuestas"),
    "voice": ("voice notes", "las notas de voz"),
    "files": ("pictures and documents that people send", "las imágenes y documentos que envían"),
    "searches": ("searches on the web", "las búsquedas en la web"),
    "address": ("who writes: number or WhatsApp's id, and name", "quién escribe: número o identificador, y nombre"),
    "name": ("the name that people go by", "el nombre que la gente usa"),
    "arguments": ("the arguments of {through}", "los datos que pide {through}"),
    "person_masked": ("who writes, the number masked", "quién escribe, con el número enmascarado"),
    "person_full": ("who writes, with the number", "quién escribe, con el número"),
    "questions": ("what the model asks {through}", "lo que el modelo le pregunta a {through}"),
    "handed_over": ("conversations that people have", "las conversaciones que atiende una persona"),
    "conversations": ("all conversations", "todas las conversaciones"),
    "notice": ("who waits for a person, and a summary", "quién espera a una persona, y un resumen"),
    "thread": ("the conversation", "la conversación"),
    "everything": ("everything that is stored", "todo lo que se guarda"),
}
ROLES: Final[Mapping[Role, str]] = {
    "model": "proveedor del modelo",
    "channel": "canal de WhatsApp",
    "whatsapp": "WhatsApp",
    "hosting": "servidor y base de datos",
    "function": "sistema al que llama el asistente",
    "server": "servidor MCP, al que llama OpenAI",
    "desk": "mesa de atención",
    "notified": "a quien se avisa",
}
NAMES: Final[Mapping[str, str]] = {
    "openai": "OpenAI",
    "twilio": "Twilio",
    "meta": "Meta",
    "hosting": "Servidor de la agencia",
    ALERTS: "Canal de avisos de la agencia",
}
ENGLISH: Final = 0
SPANISH: Final = 1


def gets_text(recipient: Recipient) -> str:
    """What it gets, for a plan: `the arguments of crear_reserva`."""
    return _listed(_parts(recipient, ENGLISH), "and")


def gets_in_spanish(recipient: Recipient) -> str:
    """Likewise, in Spanish."""
    return _listed(_parts(recipient, SPANISH), "y")


def name_in_spanish(recipient: Recipient) -> str:
    """Its name for people."""
    return NAMES.get(recipient.name, recipient.name)


def leave_text(leave: Leave) -> str:
    """`Anexo 4, since 2026-11-01`."""
    return f"{leave.contract}, since {leave.since}"


def shown_text(shown: ShownRecipient) -> str:
    """A line of a plan about one, without its client: `api.lacocina.cl is a new recipient of …`."""
    recipient = shown.recipient
    head = f"{recipient.name} is a new recipient of" if shown.is_new else f"{recipient.name} gets"
    if recipient.leave is not None:
        return f"{head} {gets_text(recipient)}; leave: {leave_text(recipient.leave)}"
    return f"{head} {gets_text(recipient)}, without leave: name it in data.recipients"


def line_text(line: Sequence[ShownRecipient]) -> str:
    """The text of one line of a plan (`reconciler.recipients.shown.by_line`)."""
    if len(line) == 1:
        return shown_text(line[0])
    names = _listed([shown.recipient.name for shown in line], "and")
    return (
        f"{names} are new recipients of people's data, without leave: name them in data.recipients, for all clients"
        " in _defaults.yaml"
    )


def line_in_spanish(line: Sequence[ShownRecipient]) -> str:
    """Likewise, in Spanish."""
    if len(line) == 1:
        return shown_in_spanish(line[0])
    names = _listed([name_in_spanish(shown.recipient) for shown in line], "y")
    return (
        f"{names} empiezan a recibir datos de la gente, y falta anotar la autorización del cliente (data.recipients;"
        " para todos los clientes, en _defaults.yaml)."
    )


def shown_in_spanish(shown: ShownRecipient) -> str:
    """Likewise, in Spanish."""
    recipient = shown.recipient
    name, role = name_in_spanish(recipient), ROLES[recipient.role]
    head = f"{name} ({role}) empieza a recibir" if shown.is_new else f"{name} ({role}) recibe"
    if recipient.leave is not None:
        leave = f"; autorización: {recipient.leave.contract}, desde el {recipient.leave.since}"
        return f"{head} {gets_in_spanish(recipient)}{leave}."
    return f"{head} {gets_in_spanish(recipient)}, y falta anotar la autorización del cliente (data.recipients)."


def _parts(recipient: Recipient, language: int) -> Sequence[str]:
    through = _listed(recipient.through, ("and", "y")[language])
    return [GETS[what][language].replace("{through}", through) for what in recipient.gets]


def _listed(names: Sequence[str], conjunction: str) -> str:
    return f" {conjunction} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
