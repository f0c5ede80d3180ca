"""What people at the desk read that is ours: why they have a conversation, and why a message did not go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.content.parts import Content, Media
from runtime.content.rendering import as_text, part_as_text
from runtime.store.delivery_errors import NO_CODE, delivery_error
from runtime.store.messages.desk import DeliveryReport, DeskConversation, UnshownMessage

_CAUSES: Final[Mapping[str, str]] = {
    "asked": "la persona pidió hablar con alguien",
    "model": "lo decidió el asistente",
    "failures": "el asistente no pudo responder",
    "budget": "se agotó el presupuesto del mes",
    "operator": "la tomó una persona",
    "desk": "se abrió aquí",
}
_UNNAMED: Final = "Sin nombre"
_MEDIA: Final[Mapping[str, str]] = {
    "voice": "audio",
    "audio": "audio",
    "image": "foto",
    "sticker": "sticker",
    "video": "video",
    "document": "documento",
    "contact": "contacto",
}


def name_of(conversation: DeskConversation) -> str:
    """What the contact is called."""
    return conversation.profile_name or _UNNAMED


def note_of(conversation: DeskConversation) -> str:
    """The private note of a handoff."""
    why = _CAUSES.get(conversation.state_reason or "", conversation.state_reason or "se derivó a personas")
    lines = [f"El asistente está en pausa: {why}."]
    if conversation.summary:
        lines.append(conversation.summary)
    lines.append("Al resolver esta conversación, el asistente vuelve a responder.")
    return "\n\n".join(lines)


def text_of(message: UnshownMessage, unfetched: frozenset[int] = frozenset()) -> str:
    """The words of a message at the desk; of files that come with it nothing but what was heard in them. `unfetched`:
    which of its files do not come with it."""
    if message.content is None:
        return f"{message.author}: {message.body}" if message.author else message.body
    return "\n".join(_lines(message.content, unfetched))


def _lines(content: Content, unfetched: frozenset[int]) -> list[str]:
    files, lines = 0, []
    for part in content.parts:
        if isinstance(part, Media):
            kind = _MEDIA[part.kind]
            if files in unfetched:
                lines.append(f"[{kind}: no se pudo descargar]")
            if part.text:
                lines.append(f"[{kind}] {part.text}")
            files += 1
        else:
            lines.append(part_as_text(part))
    return lines or ([] if files else [as_text(content)])


def failure_of(report: DeliveryReport) -> str:
    """Why a message did not reach the person."""
    if report.code is None or report.code == NO_CODE:
        return report.error or delivery_error(NO_CODE).says_es
    said = delivery_error(report.code).says_es
    return f"{said[:1].upper()}{said[1:]} ({report.code})"
