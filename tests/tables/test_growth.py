"""What a stranger sends is read on the event loop before its signature is checked: in time that grows with its size."""

import time

import pytest

from runtime.inbound.message import MAX_FIELDS, decoded_form


@pytest.mark.parametrize("value", ["%EF%BF%BD" * 13, "%C3%A9" * 20, "a" * 120, "", "%00" * 40, "+" * 120])
def test_a_form_is_decoded_in_time_that_its_number_of_fields_does_not_multiply(value: str) -> None:
    body = "&".join(f"f{index}={value}" for index in range(MAX_FIELDS)).encode()
    began = time.process_time()
    assert len(decoded_form(body)) == MAX_FIELDS
    assert time.process_time() - began < 0.4


@pytest.mark.parametrize("value", ["%FF", "%EF%BF%BD&g=%FF", "%ED%A0%80"])
def test_bytes_that_are_not_text_are_found_among_characters_that_say_so(value: str) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        decoded_form(f"Body=%EF%BF%BD&f={value}".encode())
