"""Secrets that were written out: none is missed by what is looked for before the expression that finds them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.literal_secrets import literal_secrets, looks_secret, secret


@given(st.from_regex(secret()), st.text(max_size=20))
def test_every_text_with_a_secret_has_a_trace_of_it(text: str, before: str) -> None:
    for whole in (text, f"{before}\n{text}"):
        assert [place for place, _ in literal_secrets(whole)] == [
            match.start(match.lastgroup or "bearer") for match in secret().finditer(whole)
        ]
        assert looks_secret(whole)


def test_a_manifest_with_words_of_secrets_alone_is_not_searched_for_each_form() -> None:
    secret.cache_clear()
    words = 'twilio: {contract: "Anexo, punto 2", since: "2026-11-01"}\ntask-list, check-in: https://api.example.cl/twilio\n'
    assert list(literal_secrets(words)) == []
    assert secret.cache_info().misses == 0
