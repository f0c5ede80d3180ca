"""Phone numbers that can exist, and the shortcut for most clients' ones, compared with the library that knows them."""

from __future__ import annotations

import phonenumbers
import pytest

from reconciler.manifest.numbers import CHILEAN_MOBILE, number_fault


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        ("+56961234501", None),
        ("+56221234567", None),
        ("+5491123456789", None),
        ("+56911111111", "warning"),
        ("+15551234567", "warning"),
        ("+5696123", "error"),
        ("+99912345678", "error"),
        ("56961234501", None),
    ],
)
def test_a_number_that_cannot_exist_is_told_from_one_that_is_not_assigned(number: str, severity: str | None) -> None:
    fault = number_fault(number)
    assert (fault and fault.severity) == severity


def test_every_mobile_of_the_shortcut_is_one_for_the_library() -> None:
    """Chile's numbering plan decides by the first five digits of nine."""
    numbers = [f"+569{prefix:04}{rest}" for prefix in range(10_000) for rest in ("0000", "9999")]
    known = [number for number in numbers if CHILEAN_MOBILE.fullmatch(number)]
    assert len(known) > len(numbers) / 2
    assert [number for number in known if not phonenumbers.is_valid_number(phonenumbers.parse(number))] == []
