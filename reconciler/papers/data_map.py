"""The map of data: purpose, data, where it is, who gets it, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.papers.retention import KEPT, in_words
from reconciler.papers.subject import PaperSubject
from reconciler.recipient import Recipient, Role
from reconciler.recipients.words import gets_in_spanish, name_in_spanish
from reconciler.render.sections import Section, Table

HEAD: Final = ("Para qué", "Qué datos", "Dónde queda", "Quién lo recibe", "Hasta cuándo", "Base")
BASIS: Final = "[base]"
PURPOSES: Final[dict[Role, str]] = {
    "function": "Actuar en los sistemas del cliente",
    "server": "Consultar herramientas de un servidor",
    "desk": "Atención por una persona",
    "notified": "Avisar que alguien espera a una persona",
}


def data_map_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    return [
        Section("Mapa", table=Table(HEAD, list(_rows(subject)))),
        Section(
            "Cómo leerlo",
            paragraphs=[
                "El registro de tratamientos no es un deber expreso de los privados en Chile; sirve para demostrar "
                "qué se "
                "hace. La base de licitud la define el responsable.",
            ],
        ),
    ]


def _rows(subject: PaperSubject) -> Iterator[Sequence[str]]:
    kept = subject.retention
    messages = KEPT if kept.messages is None else in_words(kept.messages)
    yield "Responder", "mensajes, nombre, número", "base de datos del servicio", "OpenAI, Twilio, Meta", messages, BASIS
    media = "hasta usarlo" if kept.media == 0 else KEPT if kept.media is None else in_words(str(kept.media))
    if subject.media.voice_rules is not None:
        yield (
            "Entender notas de voz",
            "audio y transcripción",
            "Twilio; la transcripción, en el servicio",
            "OpenAI",
            media,
            BASIS,
        )
    if subject.media.images_rules is not None or subject.media.documents_rules is not None:
        yield "Entender fotos y documentos", "el archivo", "Twilio, única copia", "OpenAI", media, BASIS
    for recipient in subject.others:
        yield _elsewhere(recipient)
    if subject.client.templates:
        yield (
            "Escribir primero",
            "número, nombre, datos de la plantilla",
            "base de datos del servicio",
            "Twilio, Meta",
            messages,
            BASIS,
        )
    usage = KEPT if kept.usage is None else in_words(kept.usage)
    yield (
        "Cobrar el servicio",
        "cuántos mensajes y cuánto costaron",
        "base de datos del servicio",
        "nadie más",
        usage,
        BASIS,
    )


def _elsewhere(recipient: Recipient) -> Sequence[str]:
    name = name_in_spanish(recipient)
    return PURPOSES.get(recipient.role, "Prestar el servicio"), gets_in_spanish(recipient), name, name, "[plazo]", BASIS
