"""The onboarding checklist of one client, in Markdown and Spanish. A box is ticked by a live fact only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.manifest import Manifest
from reconciler.render.wording import visible
from reconciler.status.row import ClientStatus
from reconciler.status.undelivered import undelivered_es
from schemas import FunctionTool

_ACTIVE = re.compile(r"([\\`*_\[\]<>|])")
"""Characters with a meaning in Markdown in the middle of a line."""

BY_HAND = "ninguna máquina puede saberlo: se marca al entregar"


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the checklist."""

    is_ticked: bool
    text: str
    is_markdown: bool = False


def checklist(manifest: Manifest, row: ClientStatus, runtime_answers: bool) -> str:
    """The checklist. `runtime_answers`: whether the runtime answered at its public address."""
    return "\n".join(_lines(manifest, row, boxes(manifest, row, runtime_answers))) + "\n"


def boxes(manifest: Manifest, row: ClientStatus, runtime_answers: bool) -> Mapping[str, Sequence[Box]]:
    """Its boxes, by the title of their section."""
    return {
        "1. Número configurado en Twilio": [*_number(row)],
        "2. Asistente creado": [*_assistant(manifest, row)],
        "3. Bot creado": [*_bot(row), *_secrets(row)],
        "4. Documentación entregada": [*_documents()],
        "5. Monitoreo": [*_monitoring(runtime_answers)],
    }


def _lines(manifest: Manifest, row: ClientStatus, sections: Mapping[str, Sequence[Box]]) -> Iterator[str]:
    yield f"# Checklist de {_shown(row.name)}"
    yield ""
    yield f"Cliente: {_shown(row.name)}  "
    yield f"Fecha: {_shown(manifest.client.metadata.get('fecha_creacion', 'sin fecha en el manifiesto'))}"
    for title, found in sections.items():
        yield from ("", f"## {title}", "", *map(_line, found))


def _number(row: ClientStatus) -> Iterator[Box]:
    online = (row.sender_status or "").startswith("ONLINE")
    yield Box(online, f"Número {row.number}: {row.sender_status or 'no está registrado como sender de WhatsApp'}")
    yield Box(row.webhook == "ours", f"Webhook: {_webhook(row)}")


def _assistant(manifest: Manifest, row: ClientStatus) -> Iterator[Box]:
    yield Box(row.assistant_id is not None, f"Assistant ID: {row.assistant_id or 'todavía no existe'} ({row.engine})")
    same = "igual al de git" if row.sync == "in sync" else "el de git todavía no está aplicado"
    yield Box(row.sync == "in sync", f"Prompt personalizado: {len(manifest.instructions)} caracteres, {same}")
    tools = manifest.client.assistant.tools
    names = [tool.name if isinstance(tool, FunctionTool) else tool.type for tool in tools]
    yield Box(row.sync == "in sync", f"Tools: {', '.join(names) or 'ninguna'}")
    if manifest.search is not None:
        whole = bool(row.knowledge_files) and not (row.knowledge_in_progress or row.knowledge_failed)
        yield Box(whole, f"Documentos: {_found(row)}")


def _found(row: ClientStatus) -> str:
    if row.knowledge_files is None:
        return "no se pudo saber cuáles encuentra"
    said = f"encuentra {row.knowledge_files}"
    if row.knowledge_in_progress:
        said += f", {row.knowledge_in_progress} se están indexando"
    return said + (f", {row.knowledge_failed} no se pudieron indexar" if row.knowledge_failed else "")


def _bot(row: ClientStatus) -> Iterator[Box]:
    yield Box(row.bot_id is not None, f"Bot ID: {row.bot_id or 'todavía no existe'}")
    yield Box(row.last_message_at is not None, f"Test de webhook: {_heard(row)}")
    arrived = row.last_turn == "answered" and row.last_undelivered is None
    yield Box(arrived, f"Test con WhatsApp real: {_answered(row)}")


def _secrets(row: ClientStatus) -> Iterator[Box]:
    if row.missing_secrets is None:
        yield Box(False, "Secretos del cliente: no se pudo saber si están puestos donde corre el servicio")
    elif row.missing_secrets:
        names = ", ".join(row.missing_secrets)
        yield Box(False, f"Secretos del cliente: faltan donde corre el servicio: {names}")


def _documents() -> Iterator[Box]:
    for what in ("Instrucciones de uso", "Números de contacto", "Proceso de soporte"):
        yield Box(False, f"{what} ({BY_HAND})", is_markdown=True)


def _monitoring(runtime_answers: bool) -> Iterator[Box]:
    answers = "el servicio responde en su dirección pública" if runtime_answers else "el servicio no responde"
    yield Box(runtime_answers, f"Logs funcionando: {answers}")
    yield Box(False, f"Alertas configuradas ({BY_HAND}, por ejemplo con `reconcile drift`)", is_markdown=True)


def _shown(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", visible(" ".join(text.split())))


def _line(box: Box) -> str:
    return f"- [{'x' if box.is_ticked else ' '}] {box.text if box.is_markdown else _shown(box.text)}"


def _webhook(row: ClientStatus) -> str:
    if row.webhook is None:
        return "sin sender no hay webhook"
    return "llama a este servicio" if row.webhook == "ours" else f"llama a {row.webhook or 'nadie'}"


def _heard(row: ClientStatus) -> str:
    return (
        f"último mensaje recibido {row.last_message_at}" if row.last_message_at else "todavía no llegó ningún mensaje"
    )


def _answered(row: ClientStatus) -> str:
    if row.last_undelivered is not None:
        counts = row.undelivered or {row.last_undelivered: 1}
        return f"la última respuesta no llegó al teléfono; {undelivered_es(counts)}"
    if row.last_turn == "answered":
        return "el último mensaje fue respondido"
    return "el último mensaje no fue respondido" if row.last_message_at else "nadie ha escrito todavía"
