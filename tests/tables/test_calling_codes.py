"""Countries by calling code, compared with the library that knows them."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers.data import _COUNTRY_CODE_TO_REGION_CODE as REGIONS

from schemas.calling_codes import COUNTRIES, country_of

NANP = 1
"""The calling code that North America and much of the Caribbean share."""
NO_COUNTRY = "001"
SHARED_MARKET = {"CA": "US"}
"""Meta's market of North America."""


def test_a_code_stands_for_its_main_country() -> None:
    single = {code: country for code, country in COUNTRIES.items() if code == str(NANP) or code[0] != str(NANP)}

    assert single == {str(code): regions[0] for code, regions in REGIONS.items() if regions[0] != NO_COUNTRY}


def test_in_north_america_the_area_code_decides() -> None:
    wrong = {}
    for area in range(200, 1000):
        number = f"+{NANP}{area}2345678"
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        expected = SHARED_MARKET.get(region or "US", region or "US")
        if country_of(number) != expected:
            wrong[number] = (country_of(number), expected)
    assert wrong == {}


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("whatsapp:+56912345678", "CL"),
        ("+5491123456789", "AR"),
        ("+5511987654321", "BR"),
        ("whatsapp:+15551234567", "US"),
        ("whatsapp:+18095551234", "DO"),
        ("whatsapp:CL.1A2B3C", "CL"),
        ("whatsapp:BR.ENT.1A2B3C", "BR"),
        ("+800123456", None),
        ("", None),
        ("whatsapp:", None),
        ("whatsapp:hola", None),
    ],
)
def test_an_address_has_the_country_of_its_number_or_user_id(address: str, country: str | None) -> None:
    assert country_of(address) == country
