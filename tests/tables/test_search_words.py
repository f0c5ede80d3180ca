"""Words are found whatever their capitals and accents, the same by the table of Latin letters as without it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.console.search import _decomposed, _plain


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("¿Cuánto SALE el menú?", "cuanto sale"),
        ("Quería ñoquis 🍝", "ÑOQUIS"),
        ("Quería ñoquis 🍝", "queria"),
        ("die Straße", "STRASSE"),
        ("½ kilo", "1⁄2 kilo"),
        ("ﬁdeos", "fideos"),
        ("Ωμέγα", "ωμεγα"),
    ],
)
def test_a_word_is_found(written: str, wanted: str) -> None:
    assert _plain(wanted) in _plain(written)


@given(st.text(st.characters(max_codepoint=0x17F) | st.characters(), max_size=40))
def test_the_table_changes_nothing(text: str) -> None:
    assert _plain(text) == _decomposed(text)
    assert not any(unicodedata.combining(letter) for letter in _plain(text) if letter < "\u0370")
