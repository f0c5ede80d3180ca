"""Two spellings of one number, and users' ids, against the numbering plans that the package phonenumbers knows."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.addresses import is_user_id, other_spelling

PAIRS = [
    ("+525512345678", "+5215512345678"),
    ("+529991234567", "+5219991234567"),
    ("+541123456789", "+5491123456789"),
    ("+542966123456", "+5492966123456"),
    ("+551187654321", "+5511987654321"),
]
"""As a person writes it, and as the other end does."""
ALONE = [
    "+56912345678",
    "+551133334444",  # a landline: with a 9 it is the mobile of someone else
    "+5511933334444",  # that mobile
    "+15551234567",
    "+5255123456",
    "+52551234567890",
    "+5212",
    "+54",
    "+55",
    "+5211123456789",
    "+52٥٥12345678",
    "CL.1A2B3C",
    "",
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("prefix", ["", "whatsapp:"])
def test_a_number_with_two_spellings_leads_from_each_to_the_other(prefix: str, one: str, other: str) -> None:
    assert (other_spelling(prefix + one), other_spelling(prefix + other)) == (prefix + other, prefix + one)


@pytest.mark.parametrize("number", ALONE)
def test_any_other_address_is_its_own(number: str) -> None:
    assert other_spelling(number) == number
    assert other_spelling(f"whatsapp:{number}") == f"whatsapp:{number}"


@given(st.from_regex(r"\+5[245][0-9]{8,12}", fullmatch=True))
def test_the_other_spelling_of_the_other_spelling_is_the_number(number: str) -> None:
    assert other_spelling(other_spelling(number)) == number


@given(st.from_regex(r"\+55[1-9]{2}[2-9][0-9]{7}", fullmatch=True))
def test_a_landline_in_brazil_is_never_taken_for_a_mobile(number: str) -> None:
    assume(phonenumbers.number_type(phonenumbers.parse(number)) == phonenumbers.PhoneNumberType.FIXED_LINE)
    assert other_spelling(number) == number


@given(st.from_regex(r"\+52[2-9][0-9]{9}|\+549(11|2[0-9]{2}|3[0-9]{2})[0-9]{7,8}", fullmatch=True))
def test_every_mobile_in_mexico_and_argentina_has_two_spellings(number: str) -> None:
    parsed = phonenumbers.parse(number)
    assume(phonenumbers.is_valid_number(parsed))
    assert other_spelling(number) != number


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("CL.1A2B3C", True),
        ("whatsapp:CL.1A2B3C", True),
        ("CL.ENT.1A2B3C", True),
        ("CL." + "x" * 128, True),
        ("CL." + "x" * 129, False),
        ("CL.", False),
        ("cl.1A2B3C", False),
        ("CLP.1A2B3C", False),
        ("CL1A2B3C", False),
        ("CL.1A 2B", False),
        ("+56912345678", False),
        ("", False),
    ],
)
def test_a_user_id_is_told_from_a_number(text: str, is_one: bool) -> None:
    assert is_user_id(text) is is_one
