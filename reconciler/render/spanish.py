"""Names and values of a plan's fields in Spanish, for people who read no manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from reconciler.model import Estimate
from reconciler.render.wording import value_text

FIELDS: Final[Mapping[tuple[str, ...], str]] = {
    ("name",): "Nombre",
    ("model",): "Modelo",
    ("instructions",): "Instrucciones",
    ("engine",): "Motor que responde",
    ("tools",): "Herramientas",
    ("settings", "reasoning_effort"): "Cuánto piensa antes de responder",
    ("settings", "max_output_tokens"): "Largo máximo de una respuesta, en tokens",
    ("files",): "Documento",
    ("expires_after",): "Cuándo vence",
    ("twilio_phone_number",): "Número",
    ("assistant_id",): "Asistente que responde",
    ("state",): "Estado",
    ("account_sid",): "Cuenta de Twilio",
    ("auth_token_env",): "Variable con la clave de Twilio",
    ("fallback_message",): "Mensaje de respaldo",
    ("functions",): "A dónde llama la función",
    ("policy", "memory"): "Memoria",
    ("policy", "timezone"): "Zona horaria",
    ("policy", "context"): "Qué sabe de quien escribe",
    ("policy", "media"): "Audios y archivos",
    ("policy", "files"): "Archivos que puede enviar",
    ("policy", "fallback_model"): "Modelo de reserva",
    ("policy", "server_headers"): "Claves de sus servidores de herramientas",
    ("policy", "contents"): "Botones y listas en Twilio",
    ("policy", "handoff"): "Cuándo responde una persona",
    ("policy", "replies"): "Mensajes que se ahorran",
    ("policy", "data"): "Datos de las personas",
    ("policy",): "Cómo responde",
    ("metadata",): "Ficha del cliente",
    ("protected",): "Protegido contra borrado",
    ("webhook", "callback_url"): "A dónde van los mensajes",
    ("webhook", "callback_method"): "Método de los mensajes",
    ("webhook", "fallback_url"): "A dónde van si eso falla",
    ("webhook", "fallback_method"): "Método si eso falla",
    ("webhook", "status_callback_url"): "A dónde van los avisos de entrega",
    ("webhook", "status_callback_method"): "Método de los avisos de entrega",
    ("profile", "name"): "Nombre visible",
    ("profile", "about"): "Frase bajo el nombre",
    ("profile", "address"): "Dirección",
    ("profile", "description"): "Descripción",
    ("profile", "vertical"): "Rubro",
    ("profile", "emails"): "Correo",
    ("profile", "websites"): "Página web",
    ("profile", "logo_url"): "Logo",
    ("profile",): "Perfil de WhatsApp",
}
"""A field's name, by the path that it begins with; positions in lists are left out."""
WORDS: Final[Mapping[str, str]] = {
    "address": "dirección",
    "allowed_tools": "qué puede usar",
    "authorization": "credencial",
    "buttons": "ofrece botones y listas",
    "country": "país",
    "description": "qué hace",
    "detail": "con cuánto detalle",
    "documents": "documentos",
    "expires_after": "se olvida después de",
    "follow_redirects": "sigue redirecciones",
    "headers_env": "variables con sus credenciales",
    "idempotent": "se puede repetir sin riesgo",
    "images": "fotos",
    "items": "cuántos mensajes recuerda",
    "keywords": "nombres que se dicen",
    "languages": "idiomas",
    "latitude": "latitud",
    "location": "lugar",
    "longitude": "longitud",
    "max_minutes": "minutos como máximo",
    "max_num_results": "cuántos pasajes lee",
    "max_pages": "páginas como máximo",
    "name": "nombre",
    "no_reply": "no contesta si solo dan las gracias",
    "not_fetched": "si un archivo no llega",
    "not_heard": "si no se entiende un audio",
    "not_supported": "si no puede abrir ese tipo de archivo",
    "not_understood": "qué dice si no entiende un archivo",
    "now": "fecha y hora",
    "one_message": "una respuesta, un mensaje",
    "parameters": "datos que pide",
    "path": "archivo",
    "phone": "teléfono",
    "places": "lugares que puede enviar",
    "require_approval": "pide permiso",
    "reset_words": "palabras para empezar de nuevo",
    "secret": "clave de la firma",
    "sentences": "qué dice",
    "server_description": "para qué sirve",
    "server_label": "nombre",
    "server_url": "dirección",
    "sha256": "contenido",
    "size": "bytes",
    "strict": "exige todos los datos",
    "timeout_seconds": "segundos que espera",
    "tokens": "largo de la memoria, en tokens",
    "too_large": "si un archivo es muy grande",
    "too_long": "si un audio es muy largo",
    "too_many_pages": "si un documento tiene muchas páginas",
    "type": "tipo",
    "typing": "muestra que está escribiendo",
    "unreadable": "si un archivo está dañado",
    "url": "dirección",
    "user": "qué se le dice de quien escribe",
    "user_location": "lugar de quien busca",
    "vector_store_ids": "almacén de documentos",
    "video": "videos",
    "voice": "notas de voz",
}
"""What follows a field's own path."""
TOOLS: Final[Mapping[str, str]] = {
    "function": "Función",
    "file_search": "Búsqueda en documentos",
    "web_search": "Búsqueda en la web",
    "mcp": "Servidor de herramientas (MCP)",
}
TYPES: Final[Mapping[str, str]] = {
    "array": "lista",
    "boolean": "sí o no",
    "integer": "número entero",
    "number": "número",
    "object": "objeto",
    "string": "texto",
}
"""JSON Schema's types."""
STATES: Final[Mapping[str, str]] = {"active": "activo", "paused": "en pausa"}
MONTHS: Final = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")


def field_name(steps: Sequence[str | int]) -> str | None:
    """`Frase bajo el nombre`, `Memoria: largo, en tokens`; None for a path without a name in Spanish."""
    names = tuple(step for step in steps if isinstance(step, str))
    for length in range(len(names), 0, -1):
        if names[:length] in FIELDS:
            return ": ".join([FIELDS[names[:length]], *rest_of(names[length:])])
    return None


def rest_of(names: Sequence[str]) -> list[str]:
    """Each step in Spanish, as far as it has a name."""
    return [WORDS.get(name, name) for name in names]


def estimate_in_spanish(estimate: Estimate) -> str:
    """`≈ +12,00 USD al mes: 1.800 respuestas en los últimos 30 días × unos +1.200 tokens de instrucciones`."""
    causes = []
    if estimate.tokens:
        sign = "+" if estimate.tokens > 0 else "-"
        causes.append(f"unos {sign}{number_text(abs(estimate.tokens))} tokens de instrucciones")
    if estimate.models is not None:
        causes.append("{} en lugar de {}".format(*reversed(estimate.models)))
    if estimate.dropped_tools:
        causes.append(f"sin {', '.join(estimate.dropped_tools)}")
    answers = count_text(estimate.answers, "respuesta", "respuestas")
    return f"{_more_a_month(estimate)}: {answers} en los últimos 30 días × {', '.join(causes)}"


def _more_a_month(estimate: Estimate) -> str:
    if estimate.nano_usd is None:
        return "costo desconocido, porque no se conoce su precio"
    cents = round(estimate.nano_usd / 10**7)
    if not cents:
        return "menos de 0,01 USD al mes"
    whole, rest = divmod(abs(cents), 100)
    return f"≈ {'+' if cents > 0 else '-'}{number_text(whole)},{rest:02d} USD al mes"


def number_text(number: int) -> str:
    """With the thousands as in Chile: `12.000`."""
    return f"{number:,}".replace(",", ".")


def value_in_spanish(value: Any, steps: Sequence[str | int], limit: int) -> str | None:
    """A value in one line; None where there is none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, int):
        return number_text(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value_text(", ".join(value), limit)
    if steps[:1] == ("state",) and value in STATES:
        return STATES[value]
    if steps[:1] == ("files",) and isinstance(value, str):
        return _THOUSANDS.sub(".", value_text(value, limit))
    return value_text(value, limit)


def count_text(number: int, one: str, many: str) -> str:
    """`1 cambio`, `1.200 cambios`."""
    return f"{number_text(number)} {one if number == 1 else many}"


def moment_text(moment: datetime) -> str:
    """`22 de noviembre de 2026, 09:05`, in its own zone."""
    return f"{moment.day} de {MONTHS[moment.month - 1]} de {moment.year}, {moment:%H:%M}"


def tool_name(tool: Mapping[str, Any]) -> str:
    """`Función consultar_carta`, `Búsqueda en la web`."""
    function = tool.get("function")
    name = tool.get("name") or (function.get("name") if isinstance(function, Mapping) else None)
    kind = TOOLS.get(str(tool.get("type")), str(tool.get("type")))
    return f"{kind} {name}" if name else kind


def parameter_text(schema: Mapping[str, Any], *, is_required: bool) -> str:
    """One datum that a function asks for: `texto, obligatorio: El plato`."""
    kind = TYPES.get(str(schema.get("type")), str(schema.get("type")))
    choices = schema.get("enum")
    if isinstance(choices, list):
        kind += f" ({', '.join(map(str, choices))})"
    described = schema.get("description")
    return f"{kind}, {'obligatorio' if is_required else 'opcional'}" + (f": {described}" if described else "")
