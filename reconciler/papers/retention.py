"""How long what is kept, and where: a table, which several papers have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.papers.subject import PaperSubject
from reconciler.render.sections import Section, Table
from schemas.data_policy import Duration

KEPT: Final = "sin plazo declarado: hasta que se borre"
AS_MESSAGES: Final = "como los mensajes"
HEAD: Final = ("Qué", "Dónde", "Cuánto tiempo")
_UNITS: Final = {"h": ("hora", "horas"), "d": ("día", "días"), "mo": ("mes", "meses")}


def in_words(duration: Duration) -> str:
    """`180d` → `180 días`."""
    digits = duration.rstrip("dhmo")
    one, many = _UNITS[duration[len(digits) :]]
    return f"{digits} {one if digits == '1' else many}"


def retention_table(subject: PaperSubject) -> Table:
    """What is declared, and what the providers do."""
    return Table(HEAD, list(_rows(subject)))


def retention_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    return [
        Section("Plazos", table=retention_table(subject)),
        Section(
            "Qué no se borra por plazo",
            items=[
                "Lo que está abierto: mensajes sin responder, conversaciones que atiende una persona, envíos "
                "pendientes.",
                "Que una persona pidió no recibir más avisos, o que se la bloqueó: así no se le vuelve a escribir.",
                "Los recibos de lo que se hizo por una persona, sin contenido.",
                "El registro de quién leyó y quién cambió qué, sin contenido: como fije AUDIT_DAYS, 90 días al menos.",
            ],
        ),
        Section(
            "Cómo se cumple",
            paragraphs=[
                "Los plazos están en el manifiesto («data.retention»); el servicio borra lo que ya pasó su plazo y "
                "deja "
                "registro de cada pasada. Lo que no tiene plazo declarado no se borra solo.",
            ],
        ),
    ]


def _rows(subject: PaperSubject) -> Iterator[Sequence[str]]:
    kept, client = subject.retention, subject.client
    messages = _or_kept(kept.messages)
    yield "Mensajes, respuestas, notas y memoria del asistente", "Base de datos del servicio", messages
    transcripts = _or_kept(kept.transcripts) if kept.transcripts else AS_MESSAGES
    if subject.media.voice_rules is not None:
        yield "Transcripción de notas de voz", "Base de datos del servicio", transcripts
    letters = _or_kept(kept.dead_letters) if kept.dead_letters else AS_MESSAGES
    yield "Mensajes que no se pudieron responder", "Base de datos del servicio", letters
    yield "Uso y costos por mensaje", "Base de datos del servicio", _or_kept(kept.usage)
    media = "hasta que un turno lo usó" if kept.media == 0 else _or_kept(kept.media or None)
    yield "Audios, fotos y documentos que envían", "Twilio, única copia", media
    at_twilio = AS_MESSAGES if kept.at_twilio else KEPT
    yield "Copia de los mensajes", "Twilio", at_twilio
    if client.assistant.engine == "responses":
        yield (
            "Lo que se envía al modelo",
            "OpenAI",
            "no se guarda como conversación; registros contra abusos, hasta 30 días",
        )
    else:
        yield "Conversaciones", "OpenAI", "mientras exista la conversación; se borran con la persona"
    yield "Mensajes", "Meta (WhatsApp)", "según Meta [por confirmar]"
    for recipient in subject.others:
        yield f"Lo que recibe {recipient.name}", recipient.name, "lo que el cliente acuerde con ese sistema [completar]"
    yield "Respaldos", "Servidor de la agencia", "[días que se guarda cada respaldo]"


def _or_kept(duration: Duration | None) -> str:
    return KEPT if duration is None else in_words(duration)
