"""Which columns hold what people or assistants wrote, or a secret, and are encrypted where STORE_KEY is set.

Every other column of text is listed in tests/project/test_encrypted_columns.py as one that holds no such words: ids,
addresses, times, words of this program, what manifests declare. Addresses are not encrypted, for messages are found by
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column of text, or of bytes."""

    marks: Sequence[str] = ()
    """What queries look for in the text: that it is there stays readable beside the encrypted text."""


TEXT: Final = EncryptedColumn()

ENCRYPTED: Final[Mapping[str, Mapping[str, EncryptedColumn]]] = {
    "conversations": {"profile_name": TEXT, "rectified_name": TEXT, "state_reason": TEXT, "state_summary": TEXT},
    "inbox": {"body": TEXT, "params": TEXT, "content": EncryptedColumn(('"url":', '"deleted_at":'))},
    "turns": {"progress": TEXT, "error": TEXT},
    "items": {"item": EncryptedColumn(('"function_call',))},
    "outbox": {"body": TEXT, "content": TEXT, "error": TEXT},
    "campaigns": {"basis": TEXT, "reason": TEXT},
    "campaign_rows": {"variables": TEXT, "reason": TEXT},
    "conversation_notes": {"body": TEXT},
    "privacy_requests": {"extended_because": TEXT},
    "operators": {"totp_secret": TEXT},
    "desk_messages": {"error": TEXT},
    "timers": {"last_error": TEXT},
    "file_pieces": {"content": TEXT},
}
"""By table and column."""

NAMES: Final = frozenset(column for columns in ENCRYPTED.values() for column in columns)
"""The columns' names: a query that names none of them reads nothing that is encrypted."""
