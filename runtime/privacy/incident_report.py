"""An incident as a draft in Spanish: a sheet for the agency, and one for each client, who may pass it to the Agency for
data protection. Nothing of what people wrote is in it, and no client reads of another one.

Chile: Ley 19.628 as reformed by Ley 21.719, article 14 sexies (without undue delay; no number of hours), 15 bis (the
processor reports to the responsible). GDPR: article 33 (72 hours).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runtime.store.incidents import ActorInvolved, ClientTouched, Incident
from schemas.data_policy import SENSITIVE

CATEGORIES: Final[Mapping[str, str]] = {
    "address": "número de teléfono o identificador de WhatsApp",
    "name": "nombre que la persona usa en WhatsApp",
    "state": "estado de la conversación: cuándo escribió, quién atiende, si pidió no recibir avisos",
    "text": "texto de los mensajes y de sus respuestas",
    "voice": "notas de voz y su transcripción",
    "audio": "archivos de audio y su transcripción",
    "image": "imágenes",
    "sticker": "stickers",
    "video": "videos",
    "document": "documentos",
    "contact": "tarjetas de contacto (datos de terceros)",
    "location": "ubicación",
    "button_reply": "botones que eligió",
    "list_reply": "opciones de listas que eligió",
    "flow": "formularios de WhatsApp que completó",
    "reaction": "reacciones",
    "unsupported": "mensajes de otros tipos",
    "notes": "notas internas sobre la persona",
}
VIAS: Final[Mapping[str, str]] = {
    "api": "API",
    "cli": "línea de comandos",
    "console": "consola",
    "desk": "mesa de atención",
    "reconcile": "reconcile",
    "runtime": "el servicio",
}
DRAFT: Final = (
    "> **BORRADOR generado desde el registro de accesos.** Revísalo con un abogado antes de enviarlo. Lo que está entre"
    " [corchetes] no lo sabe el sistema: complétalo."
)
DEADLINES: Final = (
    "La ley chilena (art. 14 sexies de la Ley 19.628, reformada por la Ley 21.719) pide informar a la Agencia “por los"
    " medios más expeditos posibles y sin dilaciones indebidas”; no fija un número de horas. Si hay personas de la"
    " Unión Europea, el RGPD (art. 33) da 72 horas desde que se conoce la vulneración. La Ley 21.719 rige desde el 1 de"
    " diciembre de 2026, salvo que se postergue."
)
TO_PEOPLE: Final = (
    "Se debe informar también a las personas, en lenguaje claro, si hubo datos sensibles, de menores de 14 años, u"
    " obligaciones económicas, financieras, bancarias o comerciales; por un aviso público si no se las puede ubicar."
)


def incident_markdown(incident: Incident) -> str:
    """The whole report: the agency's sheet first, then each client's."""
    parts = [_sheet(incident), *(_of_client(incident, client) for client in incident.clients)]
    return "\n---\n\n".join("\n".join(part) + "\n" for part in parts)


def _sheet(incident: Incident) -> Iterator[str]:
    people = sum(client.people for client in incident.clients)
    yield "# Incidente: hoja interna de la agencia"
    yield ""
    yield DRAFT
    yield ""
    yield f"- Período: {_period(incident)}"
    yield f"- Filtro: {f'solo el token u operador `{incident.token}`' if incident.token else 'todos los actores'}"
    yield f"- Personas: {people} · Clientes: {len(incident.clients)} · Actores: {len(incident.actors)}"
    yield ""
    if not incident.actors:
        yield "El registro no tiene ninguna lectura ni cambio en ese período."
        yield ""
    yield from _table(
        ["Cliente", "Personas", "Conversaciones", "Lecturas", "Cambios"],
        [[one.client, one.people, one.conversations, one.reads, sum(one.changes.values())] for one in incident.clients],
    )
    yield from _actors(incident.actors)
    if incident.elsewhere:
        yield "## Cambios que no son de un cliente"
        yield ""
        yield from (f"- `{what}`: {count}" for what, count in sorted(incident.elsewhere.items()))
        yield ""
    yield from _measures(incident)
    yield "## Plazos"
    yield ""
    yield DEADLINES
    yield ""
    yield (
        "Como encargado, la agencia informa a cada cliente (art. 15 bis); cada cliente, como responsable, informa a la"
        " Agencia y, cuando corresponde, a las personas. Las hojas que siguen son una por cliente: envía a cada uno"
        " solo la suya."
    )


def _of_client(incident: Incident, client: ClientTouched) -> Iterator[str]:
    yield f"# Aviso de vulneración de datos: {client.client}"
    yield ""
    yield DRAFT
    yield ""
    yield "Para el cliente, como responsable de los datos; sirve de base para el reporte a la Agencia (art. 14 sexies)."
    yield ""
    yield "## Qué pasó"
    yield ""
    yield "- Naturaleza: [por ejemplo: una credencial robada leyó conversaciones]"
    yield f"- Cuándo: {_period(incident)}; se supo el [fecha y hora]"
    yield f"- Lecturas registradas: {client.reads} · cambios registrados: {sum(client.changes.values())}"
    yield from (f"- Cambio: `{what}` ({count})" for what, count in sorted(client.changes.items()))
    if client.unknown_reads:
        yield (
            f"- {client.unknown_reads} lecturas son anteriores a que el registro anotara las conversaciones: de ellas"
            " no se sabe a cuántas personas tocaron."
        )
    yield ""
    yield "## A cuántas personas y qué datos"
    yield ""
    yield f"- Personas (aproximado): {client.people}, en {_conversations(client.conversations)}"
    yield f"- Se leyeron mensajes o archivos de {_conversations(client.opened)}; las demás solo salieron en una lista"
    if client.erased:
        yield f"- De ellas, {client.erased} fueron borradas después; ya no se puede saber qué datos suyos se vieron."
    yield from (f"- {CATEGORIES.get(kind, kind)}" for kind in client.categories)
    if client.sensitive:
        kinds = ", ".join(SENSITIVE.get(kind, kind) for kind in client.sensitive)
        yield f"- **Datos sensibles declarados para este asistente: {kinds}.**"
    yield ""
    yield "## A quién hay que avisar"
    yield ""
    yield DEADLINES
    yield ""
    yield TO_PEOPLE
    yield ""
    yield "- Datos sensibles: " + ("sí, según el manifiesto" if client.sensitive else "[sí / no: no están declarados]")
    yield "- Menores de 14 años: [sí / no]"
    yield "- Obligaciones económicas o financieras: [sí / no]"
    yield ""
    yield "## Efectos y medidas"
    yield ""
    yield "- Efectos posibles para las personas: [completar]"
    yield "- Medidas tomadas: [credencial anulada el …; otras]"
    yield "- Contacto en la agencia: [nombre, correo, teléfono]"


def _measures(incident: Incident) -> Iterator[str]:
    yield "## Primeras medidas"
    yield ""
    record = incident.token_record
    if record is not None:
        reach = "todos los clientes" if record.clients is None else ", ".join(record.clients)
        ended = record.revoked_at or (record.expires_at if record.is_expired else None)
        state = f"sin validez desde {ended}" if ended else "**sigue siendo válido**"
        yield f"- El token `{record.name}` ({' '.join(record.scopes)}; {reach}) {state}."
        if ended is None:
            yield f"- Anúlalo: `horizonai-whatsapp-bot token revoke {record.name}`; o, si hay sistemas que lo usan,"
            yield f"  cámbialo sin traslape: `horizonai-whatsapp-bot token rotate {record.name} --overlap 0`."
    else:
        yield "- Anula o cambia las credenciales que se hayan filtrado (`horizonai-whatsapp-bot token revoke NOMBRE`)."
    yield "- Guarda este informe y la salida de `horizonai-whatsapp-bot audit` del mismo período."
    yield ""


def _actors(actors: Sequence[ActorInvolved]) -> Iterator[str]:
    yield "## Quién leyó o cambió"
    yield ""
    rows = [
        [
            one.name,
            ", ".join(VIAS.get(via, via) for via in one.via) or "no se sabe",
            ", ".join(one.addresses) or "no se sabe",
            _time(one.first),
            _time(one.last),
            one.reads,
            one.changes,
        ]
        for one in actors
    ]
    yield from _table(["Actor", "Vía", "Desde", "Primera vez", "Última vez", "Lecturas", "Cambios"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(value) for value in row)} |"
    yield ""


def _cell(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _conversations(count: int) -> str:
    return f"{count} conversación" if count == 1 else f"{count} conversaciones"


def _period(incident: Incident) -> str:
    return f"del {_time(incident.since)} al {_time(incident.until)}"


def _time(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"
