"""The prices that are packaged with a release, each with its date and its source. `tariffs.yaml` adds to them and
replaces them; a country that is in neither has no known price, which is never a price of zero.

As of 2026-11-28. Meta's own card was not read: its prices are a copy of it in AED (3.6725 a dollar), which other
publications confirm for Chile, Argentina, Brazil and Colombia. Twilio's are its page's.
"""

from __future__ import annotations

from typing import Final

from schemas.tariffs import MetaTariff, Tariffs, TwilioTariff

AS_OF: Final = "2026-11-28"
META_CARD: Final = "Meta's card of 2026-10-01, copied by the data set tobachat/whatsapp-api-rates"
META_FREE: Final = "Meta: replies within the 24-hour window are free from 2024-11-01 until 2026-10-01"
TWILIO_PAGE: Final = "https://www.twilio.com/whatsapp/pricing"

_FROM: Final = "2026-10-01"
"""From this day Meta charges replies; before, only templates."""
_CARD: Final = (
    # country, service and utility and authentication, marketing, whether a second publication confirms it
    ("AR", 0.0260, 0.0618, True),
    ("BR", 0.0068, 0.0625, True),
    ("CL", 0.0200, 0.0889, True),
    ("CO", 0.0008, 0.0125, True),
    ("MX", 0.0085, 0.0300, False),
    ("PE", 0.0200, None, False),
)


def _meta() -> list[MetaTariff]:
    rows = []
    for country, reply, marketing, confirmed in _CARD:
        free = MetaTariff(country=country, category="service", since="2024-11-01", usd=0, source=META_FREE)
        one = MetaTariff(
            country=country,
            category="service",
            since=_FROM,
            usd=reply,
            source=META_CARD,
            confidence="list_price" if confirmed else "estimated",
        )
        rows += [free, one]
        rows += [one.model_copy(update={"category": category}) for category in ("utility", "authentication")]
        if marketing is not None:
            rows.append(one.model_copy(update={"category": "marketing", "usd": marketing}))
    return rows


DEFAULT: Final = Tariffs(
    meta=_meta(),
    twilio=[
        TwilioTariff(direction="in", since="2024-11-01", usd=0.005, source=TWILIO_PAGE),
        TwilioTariff(direction="out", since="2024-11-01", usd=0.005, source=TWILIO_PAGE),
        TwilioTariff(direction="failed", since="2024-11-01", usd=0.001, source=TWILIO_PAGE),
    ],
)
