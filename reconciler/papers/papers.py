"""All papers of a client, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from reconciler.papers.annex import annex_sections
from reconciler.papers.breach import breach_sections
from reconciler.papers.data_map import data_map_sections
from reconciler.papers.impact import impact_sections
from reconciler.papers.notice import notice_sections
from reconciler.papers.paper import Paper
from reconciler.papers.retention import retention_sections
from reconciler.papers.subject import PaperSubject
from reconciler.papers.subprocessors import subprocessors_sections
from reconciler.render.sections import Section

Sections: TypeAlias = Callable[[PaperSubject], Sequence[Section]]
KINDS: Final[Sequence[tuple[str, str, Sections]]] = (
    ("aviso", "Aviso de privacidad del asistente de WhatsApp", notice_sections),
    ("anexo-de-encargo", "Anexo: tratamiento de datos por encargo", annex_sections),
    ("mapa-de-datos", "Mapa de datos", data_map_sections),
    ("subencargados", "Lista de subencargados", subprocessors_sections),
    ("plazos", "Plazos de conservación", retention_sections),
    ("evaluacion-de-impacto", "Evaluación de impacto: esquema", impact_sections),
    ("vulneraciones", "Instrucciones ante una vulneración", breach_sections),
)
"""The name of each paper's file, its title, and what it says."""
FILES: Final = tuple(file for file, _, _ in KINDS)


def papers_of(subject: PaperSubject) -> Sequence[Paper]:
    """The papers that a client needs; the assessment only with sensitive data or children's."""
    source = f"Generado por «reconcile privacy {subject.client.id}» desde {subject.manifest.path}; no lo edites a mano."
    return [
        Paper(file, f"{title}: {subject.name}", source, sections(subject))
        for file, title, sections in KINDS
        if file != "evaluacion-de-impacto" or subject.data.is_tight
    ]
