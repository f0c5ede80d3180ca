"""What to do after a breach (article 14 sexies), with the commands."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.papers.subject import ACT, IN_FORCE, PaperSubject
from reconciler.render.sections import Section


def breach_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    client = subject.client.id
    special = subject.sensitive or ("datos de menores de 14 años" if subject.data.minors else None)
    return [
        Section(
            "En la primera hora (la agencia)",
            steps=[
                "Corta el acceso: «horizonai-whatsapp-bot token revoke NOMBRE», o «token rotate NOMBRE --overlap 0» "
                "si un "
                "sistema lo necesita. Cambia las claves de OpenAI y Twilio si pudieron filtrarse.",
                f"Mira qué se alcanzó: «horizonai-whatsapp-bot incident report --since AAAA-MM-DD --client {client}».",
                f"Guarda la prueba: «horizonai-whatsapp-bot audit --since AAAA-MM-DD --client {client} --format csv».",
                f"Avisa a {subject.name}: [nombre, correo y teléfono de turno]. No esperes a saberlo todo.",
            ],
        ),
        Section(
            f"Después ({subject.name}, como responsable)",
            steps=[
                "Informa a la Agencia de Protección de Datos Personales por el medio más rápido y sin dilaciones "
                "indebidas. La ley chilena no fija horas; si "
                "hay personas de la Unión Europea, el RGPD da 72 horas.",
                _people(special),
                "Anota en el registro de vulneraciones: naturaleza, efectos, categorías y número aproximado de "
                "personas, "
                "medidas.",
            ],
        ),
        Section(
            "Contactos",
            items=[
                f"Quien opera el asistente: {subject.agency}, {subject.contact}",
                f"{subject.name}: [responsable de datos]",
                "Abogado: [nombre]",
            ],
        ),
        Section("Norma", paragraphs=[f"{ACT}, artículos 14 sexies y 15 bis. {IN_FORCE}"]),
    ]


def _people(special: str | None) -> str:
    if special is not None:
        return (
            f"Este asistente trata {special}: informa también a las personas, en lenguaje claro, y por un aviso "
            "público a "
            "quienes no puedas ubicar."
        )
    return (
        "Informa también a las personas si hubo datos sensibles, de menores de 14 años, o de obligaciones "
        "económicas; no "
        "hay ninguno declarado para este asistente [confirmar con las conversaciones]."
    )
