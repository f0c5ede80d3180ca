"""What things cost, in 10⁻⁹ USD: a few rows of the providers' lists.

They are written here once more on purpose: what the product counts by its tariffs can be compared with them. What has
no row has no price, and is counted without one.
"""

from typing import Final

META_SINCE: Final = "2026-10-01"
"""The first day of Meta's rows: since then a message that is not a template is charged, too."""
_META: Final = {
    # country: (service, utility and authentication; marketing)
    "CL": (20_000_000, 88_900_000),
    "AR": (26_000_000, 61_800_000),
    "BR": (6_800_000, 62_500_000),
}
TWILIO: Final = {"twilio_in": 5_000_000, "twilio_out": 5_000_000, "twilio_failed": 1_000_000}
"""Twilio's own fee for a message in either direction, and for one that ends as `failed`."""
_MODELS: Final[dict[str, dict[str, int]]] = {
    "gpt-6-luna": {
        "model_input": 100,
        "model_cached": 10,
        "model_cache_write": 125,
        "model_output": 500,
        "web_search": 10_000_000,
        "file_search": 2_500_000,
    },
    "gpt-transcribe": {"transcription": 75_000},
}
"""Of one token, one search, one second of audio."""
MOST_INPUT: Final = 272_000
"""Input tokens of a request to which the models' rows apply; a longer one costs more, which is not written here."""


def meta(country: str | None, category: str, day: str) -> int | None:
    """The price of a delivered message that was sent on a day (YYYY-MM-DD), by the country of who got it."""
    if country not in _META or day < META_SINCE:
        return None
    return _META[country][1 if category == "marketing" else 0]


def model(name: str, kind: str) -> int | None:
    """The price of one token, one search or one second of audio."""
    return _MODELS.get(name, {}).get(kind)
