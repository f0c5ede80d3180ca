"""Public holidays of a country or of one of its regions, from the package `holidays`.

The package takes about a tenth of a second to import, and the first country as long again, so it is imported when a
region is asked about for the first time: what has no holidays never pays for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=1)
def regions() -> frozenset[str]:
    """All countries with known holidays, and their regions: `CL`, `CL-AP`."""
    from holidays import list_supported_countries

    countries = list_supported_countries(include_aliases=False)
    return frozenset(
        region for country, parts in countries.items() for region in (country, *(f"{country}-{part}" for part in parts))
    )


@lru_cache(maxsize=512)
def holidays_of(region: str, year: int) -> frozenset[date]:
    """The public holidays of a region in a year; none for a region that is not known here, which `validate` reports."""
    if region not in regions():
        return frozenset()
    from holidays import country_holidays

    country, _, part = region.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))


def is_holiday(region: str, day: date) -> bool:
    """Whether a day is a public holiday there."""
    return day in holidays_of(region, day.year)


def regions_of_country(region: str) -> Sequence[str]:
    """The known regions of the country that a region is in."""
    country = region.partition("-")[0]
    return sorted(known for known in regions() if known.startswith(f"{country}-"))
