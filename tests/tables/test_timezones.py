"""Time zones by calling code, compared with the libraries that know them."""

from __future__ import annotations

from importlib import resources

import pytest
from phonenumbers.data import _COUNTRY_CODE_TO_REGION_CODE as COUNTRIES

from schemas.timezones import ZONES, is_zone, zone_of_number

TZDATA = resources.files("tzdata") / "zoneinfo"


def zones_of_countries() -> dict[str, list[str]]:
    """The tz database's zones of each country (ISO 3166)."""
    zones: dict[str, list[str]] = {}
    for line in (TZDATA / "zone.tab").read_text().splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, []).append(zone)
    return zones


def test_a_code_has_the_one_zone_of_all_its_countries_and_chile_s_has_that_of_santiago() -> None:
    of = zones_of_countries()
    expected = {"56": "America/Santiago"}
    for code, countries in COUNTRIES.items():
        zones = [of.get(country, []) for country in countries]
        rules = {(TZDATA / zone).read_bytes() for some in zones for zone in some}
        # The first country is the code's main one; some of the others have no zone of their own.
        if len(zones[0]) == 1 and len(rules) == 1 and max(map(len, zones)) == 1:
            expected[str(code)] = zones[0][0]
    assert expected == ZONES


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+56912345678", "America/Santiago"),
        ("+56223456789", "America/Santiago"),
        ("+51999999999", "America/Lima"),
        ("+59899123456", "America/Montevideo"),
        ("+5491123456789", None),
        ("+5215512345678", None),
        ("+34600000000", None),
        ("+15551234567", None),
        ("+999", None),
    ],
)
def test_a_number_has_the_zone_of_its_country(number: str, zone: str | None) -> None:
    assert zone_of_number(number) == zone


@pytest.mark.parametrize("name", ["", "America", "Santiago", "../etc/passwd", "/etc/passwd", "Mars/Olympus", "\x00"])
def test_what_is_no_zone_is_told_apart(name: str) -> None:
    assert not is_zone(name)
    assert is_zone("America/Santiago")
