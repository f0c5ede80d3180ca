"""The setting STORE_KEY: the keys that texts in the store are encrypted with.

STORE_KEY=new,old    new texts are encrypted with `new`; what `old` has encrypted can be read
STORE_KEY=plain,old  new texts are not encrypted; what `old` has encrypted can be read
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

PLAIN: Final = "plain"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """The keys of a process, each of KEY_BYTES bytes."""

    keys: Sequence[bytes] = field(repr=False)
    is_plain: bool
    """Whether new texts are not encrypted; else they are with the first key."""


def key_id_of(key: bytes) -> str:
    """The name of a key: eight hexadecimal digits of its hash."""
    return hashlib.sha256(b"horizonai store key\0" + key).hexdigest()[:8]


def new_key() -> str:
    """A random key, as STORE_KEY has it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def parse_keys(setting: str | None) -> StoreKeys | None:
    """The keys of STORE_KEY; None where it is not set. Raises ValueError, which shows none of them."""
    if not setting:
        return None
    parts = [part.strip() for part in setting.split(",")]
    is_plain = parts[0] == PLAIN
    keys = [_key(part, number) for number, part in enumerate(parts, 1) if not (is_plain and number == 1)]
    if not keys:
        raise ValueError("`plain` stands before keys whose texts are to be read; where there are none, leave it unset")
    if len({key_id_of(key) for key in keys}) < len(keys):
        raise ValueError("a key is given twice")
    return StoreKeys(keys, is_plain)


def _key(part: str, number: int) -> bytes:
    try:
        key = base64.b64decode(part, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"key {number} is not {KEY_BYTES} bytes in base64; `horizonai-whatsapp-bot store-key new` prints one"
        )
    return key
