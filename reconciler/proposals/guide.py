"""The prices in the Spanish guide, written from those that are packaged.

`python -m reconciler.proposals.guide docs/guia.es.md` rewrites what is between its two markers; `make guide` runs it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from reconciler.proposals.costs import ANSWER_TOKENS, FREE_REPLIES, HISTORY_TOKENS, NEW_TOKENS
from reconciler.render.spanish import number_text
from schemas.default_tariffs import AS_OF, DEFAULT
from schemas.prices import UNITS, Kind, price
from schemas.tariffs import NANOS

BEGIN: Final = "<!-- precios: los escribe `make guide` -->"
END: Final = "<!-- fin de los precios -->"
MODEL: Final = "gpt-6-luna"
TRANSCRIBER: Final = "gpt-transcribe"
COUNTRIES: Final = {
    "AR": "Argentina",
    "BR": "Brasil",
    "CL": "Chile",
    "CO": "Colombia",
    "MX": "México",
    "PE": "Perú",
}
PER_MILLION: Final = 1_000_000


def with_prices(guide: str) -> str:
    """The guide with the packaged prices between its markers. Raises ValueError where it has no markers."""
    before, _, rest = guide.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The guide has no part between {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n{prices()}{END}{after}"


def prices() -> str:
    """The part itself: Markdown in Spanish."""
    return "\n".join([*_messages(), "", *_by_country(), "", *_model(), "", *_answer()]) + "\n"


def _nanos(kind: Kind, quantity: int = 1, country: str | None = None, model: str | None = None) -> int | None:
    at = datetime.fromisoformat(AS_OF).replace(tzinfo=UTC)
    return price(DEFAULT, kind, country, at, model).amount(quantity)


def _dollars(nano_usd: int | None) -> str:
    if nano_usd is None:
        return "no se conoce"
    text = f"{Decimal(nano_usd) / NANOS:.6f}".rstrip("0").rstrip(".")
    return f"US$ {text.replace('.', ',')}"


def _messages() -> Iterator[str]:
    yield f"Precios de lista al {AS_OF}, en dólares y sin IVA."
    yield ""
    yield "| Mensaje de WhatsApp, tarifa de Twilio | Cada uno |"
    yield "|---|--:|"
    yield f"| recibido | {_dollars(_nanos('twilio_in'))} |"
    yield f"| enviado | {_dollars(_nanos('twilio_out'))} |"
    yield f"| que Twilio no pudo enviar | {_dollars(_nanos('twilio_failed'))} |"


def _by_country() -> Iterator[str]:
    yield (
        "| Mensaje entregado, tarifa de Meta, según el país de quien lo recibe | Respuesta | Plantilla de utilidad"
        " | Plantilla de marketing |"
    )
    yield "|---|--:|--:|--:|"
    for country in sorted({row.country for row in DEFAULT.meta}):
        kinds: tuple[Kind, ...] = ("meta_service", "meta_utility", "meta_marketing")
        cells = " | ".join(_dollars(_nanos(kind, country=country)) for kind in kinds)
        yield f"| {COUNTRIES[country]} | {cells} |"
    yield ""
    yield (
        f"Meta no cobra las primeras {number_text(FREE_REPLIES)} respuestas entregadas de cada número en cada mes, ni"
        " lo que la persona escribe."
    )


def _model() -> Iterator[str]:
    yield "| OpenAI | Precio |"
    yield "|---|--:|"
    rows: tuple[tuple[Kind, str], ...] = (
        ("model_input", "millón de tokens de entrada"),
        ("model_cached", "millón de tokens de entrada leídos de la memoria intermedia"),
        ("model_cache_write", "millón de tokens de entrada escritos en ella"),
        ("model_output", "millón de tokens de salida"),
    )
    for kind, what in rows:
        yield f"| `{MODEL}`, {what} | {_dollars(_nanos(kind, PER_MILLION, model=MODEL))} |"
    yield f"| `{MODEL}`, búsqueda en la web | {_dollars(_nanos('web_search', model=MODEL))} |"
    yield f"| `{MODEL}`, búsqueda en documentos | {_dollars(_nanos('file_search', model=MODEL))} |"
    minute = _nanos("transcription", UNITS["transcription"], model=TRANSCRIBER)
    yield f"| `{TRANSCRIBER}`, minuto de voz | {_dollars(minute)} |"


def _answer() -> Iterator[str]:
    parts: tuple[tuple[Kind, int], ...] = (
        ("model_cached", HISTORY_TOKENS),
        ("model_input", NEW_TOKENS),
        ("model_output", ANSWER_TOKENS),
    )
    model = sum(_nanos(kind, quantity, model=MODEL) or 0 for kind, quantity in parts)
    twilio = (_nanos("twilio_in") or 0) + (_nanos("twilio_out") or 0)
    meta = _nanos("meta_service", country="CL")
    yield (
        f"Una respuesta típica ({number_text(HISTORY_TOKENS + NEW_TOKENS)} tokens de entrada, {ANSWER_TOKENS} de"
        f" salida) cuesta {_dollars(model)} en OpenAI, {_dollars(twilio)} en Twilio, de ida y de vuelta, y en Chile"
        f" {_dollars(meta)} en Meta desde la {number_text(FREE_REPLIES + 1)} del mes."
    )


def main(path: str) -> None:
    """Rewrites the file."""
    file = Path(path)
    file.write_text(with_prices(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
