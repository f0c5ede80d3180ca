"""The keys that a store's texts are encrypted with, and whether the processes at work can read them.

first process that writes with a key ──► do all others have it? ──► a row ──► every start asks for that key
                                                                      └── nothing is encrypted with it any more:
                                                                          deleted (`rewriting`)
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from runtime.store.database.lock_file import name_of_server
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.encryption import keyring
from runtime.store.encryption.keyring import CONNECTION, Keyring
from runtime.store.errors import StoreError

KEYS = Statement("SELECT id FROM encryption_keys ORDER BY since, id")
ADD = Statement("INSERT INTO encryption_keys (id, since) VALUES (:id, :now) ON CONFLICT (id) DO NOTHING")
DELETE = Statement("DELETE FROM encryption_keys WHERE id = :id")
OTHERS = Statement(
    "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND (application_name = :name OR application_name LIKE :named)"
)


class KeysMissing(StoreError):
    """The store has texts that this process cannot read."""

    def __init__(self, missing: Sequence[str], keys: Keyring | None) -> None:
        has = f"has {' and '.join(keys.ids)}" if keys is not None else "is not set"
        super().__init__(
            f"Texts in the store are encrypted with the key {' and '.join(missing)}, and STORE_KEY {has}. Set"
            " STORE_KEY to that key, or add it behind the others, with a comma between them; without it they cannot"
            " be read by anyone."
        )


class KeyNotEverywhere(StoreError):
    """Another process that is at work could not read what this one writes."""

    def __init__(self, key_id: str, processes: int) -> None:
        super().__init__(
            f"The first key of STORE_KEY, {key_id}, was never used in this store, and {processes} open connection(s)"
            " are of processes that do not have it, or are of a version that reads no encrypted texts: they could not"
            " read what this one writes. First restart all of them with this version and STORE_KEY=plain,KEY (OLD,KEY"
            " where an old key is in use), then with KEY in front."
        )


def check(connection: Connection) -> None:
    """Raises KeysMissing where this process lacks a key that the store's texts are encrypted with. Records the key for
    new texts before the first is written; raises KeyNotEverywhere where another process at work could not read them."""
    known, keys = keys_of(connection), keyring.current
    missing = [key_id for key_id in known if keys is None or key_id not in keys.ids]
    if missing:
        raise KeysMissing(missing, keys)
    if keys is None or keys.writes_with is None or keys.writes_with in known:
        return
    without = [name for name in names_of_others(connection) if keys.writes_with not in keyring.keys_in(name)]
    if without:
        raise KeyNotEverywhere(keys.writes_with, len(without))
    ADD.do(connection, id=keys.writes_with, now=timestamp())


def keys_of(connection: Connection) -> list[str]:
    """Ids of the keys that texts of the store are encrypted with, or may be, the oldest first."""
    return [key_id for (key_id,) in KEYS.rows(connection)]


def names_of_others(connection: Connection) -> list[str]:
    """The names of other processes' connections that read what people wrote, with the ids of their keys; on SQLite that
    of the serving process, this one included."""
    if connection.dialect.name != "sqlite":
        return [name for (name,) in OTHERS.rows(connection, name=CONNECTION, named=f"{CONNECTION} keys=%")]
    name = name_of_server(str(connection.engine.url.database))
    return [] if name is None else [name]


def retire(connection: Connection, key_id: str) -> None:
    """Records that nothing is encrypted with a key any more."""
    DELETE.do(connection, id=key_id)
