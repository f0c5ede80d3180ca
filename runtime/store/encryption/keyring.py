"""The keys of the store (`runtime.store_keys`), and what they make of a text.

An encrypted text has the id of its key in front, so texts of several keys and plain ones lie side by side:

    STX h1:<id of the key>:<base64 of salt, nonce, AES-256-GCM>:<marks>

A key encrypts nothing itself: of it and a random salt comes the key of some thousands of texts, since with random
nonces one key of AES-GCM is good for 2³² of them (NIST SP 800-38D), which a store may reach in some months.

`cryptography` is imported when the first text is encrypted or read: 20 ms, and only where STORE_KEY is set.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from os import urandom
from typing import TYPE_CHECKING, Final

from runtime.store.encryption.columns import EncryptedColumn
from runtime.store.errors import StoreError
from runtime.store_keys import PLAIN, StoreKeys, key_id_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES: Final = 12
NONCE_BYTES: Final = 12
NONCE: Final = slice(SALT_BYTES, SALT_BYTES + NONCE_BYTES)
TEXTS_OF_A_SALT: Final = 2**20
HEAD: Final = "\x02h1:"
"""Begins an encrypted text. No text of a person begins so: control characters are removed from what comes in."""
HEAD_BYTES: Final = HEAD.encode()
KEY_ID: Final = slice(len(HEAD), len(HEAD) + 8)
AFTER_KEY_ID: Final = slice(KEY_ID.stop + 1, None)


class KeyMissing(StoreError):
    """A text is encrypted with a key that STORE_KEY does not have."""

    def __init__(self, key_id: str, known: Sequence[str]) -> None:
        has = f"has {', '.join(known)}" if known else "is not set"
        super().__init__(
            f"A text in the store is encrypted with the key {key_id}, and STORE_KEY {has}. Set STORE_KEY to that key,"
            " or add it behind the others, with a comma between them."
        )


class TextDamaged(StoreError):
    """An encrypted text was changed, or is not whole."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"A text in the store that was encrypted with the key {key_id} was changed by something other than this"
            " program; restore its row from a backup."
        )


class Keyring:
    """The keys that a process has. One of them, or none, encrypts new texts."""

    __slots__ = ("_cipher", "_keys", "_left", "_salt", "head", "writes_with")

    def __init__(self, given: StoreKeys) -> None:
        self._keys = {key_id_of(key): key for key in given.keys}
        self.writes_with = None if given.is_plain else next(iter(self._keys))
        """The id of the key for new texts; None: they are not encrypted."""
        self.head = HEAD if self.writes_with is None else f"{HEAD}{self.writes_with}:"
        """What every text begins with that is encrypted with that key; without one, with any."""
        self._left = 0
        """Number of texts that are yet encrypted with the salt."""

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all keys, that of new texts first."""
        return list(self._keys)

    def encrypted(self, value: str | bytes, column: EncryptedColumn) -> str | bytes:
        """What is stored for a text, or for bytes."""
        key_id = self.writes_with
        if key_id is None or not value:
            return value
        if self._left <= 0:
            self._begin_salt(key_id)
        self._left -= 1
        nonce = urandom(NONCE_BYTES)
        if isinstance(value, bytes):
            head = self.head.encode()
            return b"".join((head, self._salt, nonce, self._cipher.encrypt(nonce, value, head)))
        marks = "".join([mark for mark in column.marks if mark in value]) if column.marks else ""
        sealed = self._salt + nonce + self._cipher.encrypt(nonce, value.encode(), marks.encode())
        return f"{self.head}{b2a_base64(sealed, newline=False).decode()}:{marks}"

    def decrypted(self, cell: str) -> str:
        """The text of an encrypted cell; raises KeyMissing and TextDamaged."""
        key_id = cell[KEY_ID]
        try:
            sealed, marks = cell[AFTER_KEY_ID].split(":", 1)
            return self._opened(key_id, a2b_base64(sealed), marks.encode()).decode()
        except ValueError as error:  # not base64, not whole
            raise TextDamaged(key_id) from error

    def decrypted_bytes(self, cell: bytes) -> bytes:
        """The bytes of an encrypted cell; raises KeyMissing and TextDamaged."""
        head, sealed = cell[: AFTER_KEY_ID.start], cell[AFTER_KEY_ID]
        return self._opened(head[KEY_ID].decode("ascii", "replace"), sealed, head)

    def _begin_salt(self, key_id: str) -> None:
        salt = urandom(SALT_BYTES)
        self._salt, self._cipher, self._left = salt, cipher_of(self._keys[key_id], salt), TEXTS_OF_A_SALT

    def _opened(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            raise KeyMissing(key_id, self.ids)
        cipher = cipher_of(key, sealed[:SALT_BYTES])
        try:
            return cipher.decrypt(sealed[NONCE], sealed[NONCE.stop :], bound)
        except _errors() as error:
            raise TextDamaged(key_id) from error


@lru_cache(maxsize=4096)
def cipher_of(key: bytes, salt: bytes) -> AESGCM:
    """What encrypts with the key made of a key and a salt."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(hmac.digest(key, b"horizonai store text\0" + salt, "sha256"))


def _errors() -> tuple[type[Exception], ...]:
    """Those of decrypting what was changed, or is not whole."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag, ValueError


current: Keyring | None = None
"""The keys of this process: it has one store. None: texts are neither encrypted nor decrypted."""


def use(keys: StoreKeys | None) -> None:
    """Sets the keys of this process."""
    global current
    current = None if keys is None else Keyring(keys)


CONNECTION: Final = "horizonai"
"""Begins the name of a connection to PostgreSQL of a process that reads what people wrote."""


def connection_name() -> str:
    """How PostgreSQL lists this process's connections: with the ids of its keys, so that a process that begins to use a
    key finds those that cannot read it. The server cuts it at 63 bytes: six keys."""
    if current is None:
        return CONNECTION
    return f"{CONNECTION} keys={','.join([*([] if current.writes_with else [PLAIN]), *current.ids])}"


def keys_in(name: str) -> list[str]:
    """The ids of the keys in such a name, that of new texts (or `plain`) first."""
    return [key_id for key_id in name.partition(" keys=")[2].split(",") if key_id]


def shown(text: str | None) -> str | None:
    """A cell that a program reads which may have no keys: where it is encrypted and cannot be decrypted, where to read
    it."""
    if text is None or not text.startswith(HEAD):
        return text
    if current is None:
        return "encrypted in the store; `horizonai-whatsapp-bot dead-letters list` shows it"
    return current.decrypted(text)
