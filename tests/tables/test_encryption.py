"""Keys and encrypted texts: what is encrypted is read again with its key, and with no other."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.encryption import keyring
from runtime.store.encryption.columns import TEXT, EncryptedColumn
from runtime.store.encryption.keyring import HEAD, KeyMissing, Keyring, TextDamaged
from runtime.store_keys import key_id_of, new_key, parse_keys

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
IDS = {key: key_id_of(base64.b64decode(key)) for key in (OLD, NEW)}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def keys(setting: str) -> Keyring:
    parsed = parse_keys(setting)
    assert parsed is not None
    return Keyring(parsed)


def encrypted(setting: str, text: str, column: EncryptedColumn = TEXT) -> str:
    cell = keys(setting).encrypted(text, column)
    assert isinstance(cell, str)
    return cell


@pytest.fixture(autouse=True)
def _keys_as_before() -> Iterator[None]:
    before = keyring.current
    yield
    keyring.current = before


@given(text=TEXTS)
def test_a_text_is_read_as_it_was_written_and_shows_nothing(text: str) -> None:
    cell = encrypted(NEW, text)

    assert keys(NEW).decrypted(cell) == keys(f"{OLD},{NEW}").decrypted(cell) == text
    assert cell.startswith(f"{HEAD}{IDS[NEW]}:")
    assert cell.isascii()
    assert len(text) < 4 or text not in cell


@given(content=st.binary(min_size=1))
def test_bytes_are_read_as_they_were_written(content: bytes) -> None:
    cell = keys(NEW).encrypted(content, TEXT)

    assert isinstance(cell, bytes)
    assert keys(f"{OLD},{NEW}").decrypted_bytes(cell) == content


def test_equal_texts_are_not_seen_to_be_equal() -> None:
    ring = keys(NEW)

    assert ring.encrypted("Hola", TEXT) != ring.encrypted("Hola", TEXT)


def test_new_texts_have_the_first_key_and_none_where_it_is_plain() -> None:
    assert encrypted(f"{NEW},{OLD}", "Hola").startswith(f"{HEAD}{IDS[NEW]}:")
    assert encrypted(f"plain,{OLD}", "Hola") == "Hola"
    assert keys(f"plain,{OLD}").decrypted(encrypted(OLD, "Hola")) == "Hola"


def test_what_queries_look_for_stays_beside_the_text_and_cannot_be_changed_there() -> None:
    column = EncryptedColumn(('"url":', '"deleted_at":'))
    cell = encrypted(NEW, '{"url": "https://a"}', column)

    assert ('"url":' in cell, '"deleted_at":' in cell) == (True, False)
    assert keys(NEW).decrypted(cell) == '{"url": "https://a"}'
    with pytest.raises(TextDamaged):
        keys(NEW).decrypted(cell.replace('"url":', ""))


def test_a_text_of_another_key_names_that_key_and_what_to_do() -> None:
    with pytest.raises(KeyMissing, match=f"encrypted with the key {IDS[OLD]}, and STORE_KEY has {IDS[NEW]}. Set"):
        keys(NEW).decrypted(encrypted(OLD, "Hola"))


@pytest.mark.parametrize("change", [lambda cell: cell[:40] + "A" * 8 + cell[48:], lambda cell: cell[:20] + ":"])
def test_a_text_that_was_changed_is_not_read(change: object) -> None:
    assert callable(change)
    with pytest.raises(TextDamaged, match="restore its row from a backup"):
        keys(NEW).decrypted(change(encrypted(NEW, "Hola, ¿tienen mesa?")))


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("abc", "key 1 is not 32 bytes in base64"),
        (f"{NEW},{OLD[:-8]}", "key 2 is not 32 bytes in base64"),
        (f"{NEW}, {NEW}", "a key is given twice"),
        ("plain", "stands before keys"),
        (f"{NEW},plain", "key 2 is not 32 bytes"),
    ],
)
def test_a_setting_that_is_no_key_is_refused_without_being_shown(setting: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        parse_keys(setting)

    assert NEW not in str(refused.value)
    assert OLD not in str(refused.value)


def test_a_new_key_is_a_setting() -> None:
    assert parse_keys(new_key()) is not None
    assert new_key() != new_key()


def test_connections_name_the_keys_that_their_process_has() -> None:
    keyring.use(None)
    assert keyring.connection_name() == "horizonai"
    keyring.use(parse_keys(f"{NEW},{OLD}"))
    assert keyring.keys_in(keyring.connection_name()) == [IDS[NEW], IDS[OLD]]
    keyring.use(parse_keys(f"plain,{OLD}"))
    assert keyring.keys_in(keyring.connection_name()) == ["plain", IDS[OLD]]


def test_a_program_without_keys_says_where_an_encrypted_error_is_read() -> None:
    cell = encrypted(NEW, "No answer within 60 s.")
    keyring.use(None)
    assert keyring.shown(cell) == "encrypted in the store; `horizonai-whatsapp-bot dead-letters list` shows it"
    assert keyring.shown("plain") == "plain"
    keyring.use(parse_keys(NEW))
    assert keyring.shown(cell) == "No answer within 60 s."
