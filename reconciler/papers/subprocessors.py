"""The list of sub-processors: who gets what, and the client's leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.papers.subject import PaperSubject
from reconciler.recipient import Recipient
from reconciler.recipients.words import ROLES, gets_in_spanish, name_in_spanish
from reconciler.render.sections import Section, Table

COUNTRIES: Final = {"openai": "Estados Unidos", "twilio": "Estados Unidos", "meta": "Estados Unidos"}
HEAD: Final = ("Quién", "Qué hace", "Qué recibe", "País", "Autorización del cliente")


def subprocessors_table(subject: PaperSubject) -> Table:
    """One row each, those that every client has first."""
    return Table(HEAD, [_row(recipient) for recipient in subject.recipients])


def subprocessors_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    missing = [name_in_spanish(recipient) for recipient in subject.recipients if recipient.leave is None]
    without = (
        [f"Falta anotar la autorización para: {', '.join(missing)}."] if missing else ["Todos tienen su autorización."]
    )
    return [
        Section("Lista", table=subprocessors_table(subject), paragraphs=without),
        Section(
            "Notas",
            items=[
                "OpenAI: o el servidor de OPENAI_BASE_URL, si se usa otro. Canal de avisos: el de ALERT_NOTIFY.",
                "OpenAI: por la API; con el motor «responses» nada queda guardado allá como conversación.",
                "Twilio: recibe y entrega los mensajes, y guarda los archivos. Meta: WhatsApp; guarda su propia copia.",
                "Los sistemas del propio cliente no son subencargados suyos; están aquí porque reciben datos.",
                "A un servidor MCP lo llama OpenAI; a una función la llama el servicio.",
            ],
        ),
    ]


def _row(recipient: Recipient) -> Sequence[str]:
    through = f" ({', '.join(recipient.through)})" if recipient.role == "model" else ""
    leave = recipient.leave
    return (
        name_in_spanish(recipient),
        ROLES[recipient.role] + through,
        gets_in_spanish(recipient),
        COUNTRIES.get(recipient.name, "[país]"),
        f"{leave.contract}, desde el {leave.since}" if leave is not None else "falta",
    )
