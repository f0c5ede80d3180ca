"""The outline of an impact assessment (article 15 ter), where sensitive data or children's are declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.papers.subject import ACT, IN_FORCE, PaperSubject
from reconciler.render.sections import Section, Table


def impact_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    what = subject.sensitive or "datos de menores de 14 años"
    return [
        Section(
            "Por qué",
            paragraphs=[
                f"El asistente trata {what}. La evaluación se hace antes de empezar (artículo 15 ter); los datos de "
                "salud "
                "piden además consentimiento explícito y un fin acotado (artículo 16 bis).",
                f"{ACT}. {IN_FORCE}",
            ],
        ),
        Section("Qué protege hoy la configuración", items=list(_measures(subject))),
        Section("Necesidad y proporción", items=["[¿Hace falta este dato para este fin?]", "[¿Bastaría con menos?]"]),
        Section(
            "Riesgos",
            table=Table(
                ("Riesgo", "Probabilidad", "Gravedad", "Medida", "Queda"),
                [
                    (risk, "[1-5]", "[1-5]", measure, "[aceptado / por tratar]")
                    for risk, measure in (
                        ("Lee la conversación quien no debe", "alcances, registro de lecturas, cifrado en reposo"),
                        ("El modelo da un consejo que daña", "instrucciones, derivación a una persona"),
                        ("Un sistema conectado recibe de más", "lista de subencargados, autorización por escrito"),
                        ("Se guarda más de lo necesario", "plazos declarados y borrado automático"),
                        ("Escribe un menor", "[medida]"),
                        ("Un proveedor sufre una vulneración", "cláusulas, aviso, informe de accesos"),
                    )
                ],
            ),
        ),
        Section(
            "Consulta y decisión", items=["[Opinión del delegado o abogado]", "[Quién aprueba, y cuándo se revisa]"]
        ),
    ]


def _measures(subject: PaperSubject) -> Iterator[str]:
    kept, consent = subject.retention, subject.data.consent
    if consent is None:
        yield "Consentimiento: NO está declarado («data.consent»)."
    elif consent.required:
        yield f"Consentimiento: se pide antes de que un modelo lea nada: «{' '.join(consent.text.split())}»"
    else:
        yield f"Consentimiento: solo se informa, no se espera respuesta: «{' '.join(consent.text.split())}»"
    yield f"Plazo de los mensajes: {kept.messages or 'NO está declarado («data.retention.messages»)'}."
    media = kept.media if kept.media is not None else "NO está declarado («data.retention.media»)"
    yield f"Plazo de los archivos: {media}."
    yield f"Notas de voz: {'se transcriben en OpenAI' if subject.media.voice_rules else 'no se escuchan'}."
    yield "Indicador «escribiendo…»: apagado, porque Twilio no lo ofrece para datos sensibles."
    handoff = subject.client.handoff
    yield f"Derivación a una persona: {'declarada' if handoff is not None else 'NO está declarada («handoff»)'}."
