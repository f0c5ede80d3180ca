"""The notice of the assistant, for the client's web page (article 14 ter)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.papers.retention import retention_table
from reconciler.papers.subject import ACT, IN_FORCE, PaperSubject
from reconciler.recipients.words import ROLES, gets_in_spanish, name_in_spanish
from reconciler.render.sections import Section

RIGHTS: Final = (
    "acceder a tus datos y saber de dónde salieron, para qué se usan y a quién se entregan;",
    "corregirlos; borrarlos; oponerte a que se usen, siempre si es para publicidad;",
    "que no se decida sobre ti solo con medios automáticos cuando eso te afecte, pedir una explicación y que lo revise "
    "una persona;",
    "pedir que se bloqueen mientras se resuelve tu solicitud;",
    "llevarte los que diste, en un formato de uso común.",
)


def notice_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    name = subject.name
    return [
        Section(
            f"Asistente de WhatsApp de {name}",
            paragraphs=[
                f"Cuando escribes al WhatsApp {subject.client.number} de {name}, te responde un asistente automático "
                "de "
                "inteligencia artificial. Este aviso explica qué pasa con tus datos. Versión [número] del [fecha].",
                f"Responsable: {name}, [RUT], [domicilio], [correo de contacto], [representante o delegado]. El "
                "asistente "
                f"lo opera {subject.agency}, por encargo de {name}.",
            ],
        ),
        Section("Qué datos", items=list(_data(subject))),
        Section(
            "Para qué, y con qué base",
            items=["Responderte y hacer lo que pides por WhatsApp.", *_purposes(subject)],
            paragraphs=["Base de licitud: [la define el responsable: consentimiento, contrato u otra]."],
        ),
        Section("A quién se entregan", items=list(_recipients(subject))),
        Section(
            "Fuera de Chile",
            paragraphs=[
                "OpenAI, Twilio y Meta tratan datos en los Estados Unidos, que no tiene declaración de país "
                "adecuado. La "
                "garantía es [cláusulas modelo: Res. Ex. 3748 de 2025 del Ministerio de Economía; u otra].",
            ],
        ),
        Section("Cuánto tiempo se guardan", table=retention_table(subject)),
        Section(
            "Decisiones automáticas",
            paragraphs=[
                "El asistente redacta las respuestas con un modelo de lenguaje, según las instrucciones de "
                f"{name}. {_decisions(subject)} Si quieres hablar con una persona, dilo en el chat.",
            ],
        ),
        Section(
            "Tus derechos",
            items=RIGHTS,
            paragraphs=[
                f"Escribe a [correo de contacto] de {name}. Te contestan dentro de 30 días corridos, y dentro de 2 "
                "días "
                "hábiles si pides un bloqueo. Si no estás conforme, puedes reclamar ante la Agencia de Protección de "
                "Datos Personales. Si diste tu consentimiento, puedes retirarlo cuando quieras, por el mismo medio.",
            ],
        ),
        Section(
            "Seguridad",
            paragraphs=[
                "Los datos viajan cifrados, entran solo personas autorizadas, queda registro de quién los lee, y hay "
                "respaldos que se prueban [confirmar]. [Política de seguridad del responsable]",
                f"{ACT}, artículo 14 ter. {IN_FORCE}",
            ],
        ),
    ]


def _data(subject: PaperSubject) -> Iterator[str]:
    yield "Tu número o identificador de WhatsApp, y el nombre que usas ahí."
    yield "Lo que escribes y lo que se te responde, con fecha y estado de entrega."
    media = subject.media
    if media.voice_rules is not None:
        yield "Tus notas de voz, y su transcripción."
    if media.images_rules is not None or media.documents_rules is not None:
        yield "Las fotos y documentos que envías."
    yield "La ubicación o los contactos, si los envías."
    if subject.sensitive:
        yield f"Datos sensibles que nos cuentes: {subject.sensitive}. Se tratan solo para atenderte."
    if subject.data.minors:
        yield "Puede haber datos de niños, niñas o adolescentes: los da, o autoriza, quien los tiene a su cargo."


def _purposes(subject: PaperSubject) -> Iterator[str]:
    yield from (f"{tool.description or tool.name}." for tool in subject.functions)
    if subject.client.templates:
        yield "Enviarte avisos con plantillas, que puedes dejar de recibir respondiendo BAJA."


def _recipients(subject: PaperSubject) -> Iterator[str]:
    for recipient in subject.recipients:
        role = ROLES[recipient.role]
        yield f"{name_in_spanish(recipient)} ({role}): {gets_in_spanish(recipient)}."


def _decisions(subject: PaperSubject) -> str:
    if not subject.functions:
        return "No actúa en otros sistemas: informa."
    names = ", ".join(tool.name for tool in subject.functions)
    return (
        f"Puede actuar en los sistemas de {subject.name} ({names}) con lo que le pides; [¿decide algo que te afecte?]."
    )
