"""Receipts of what was done for a person: what, where, how many, when, by whom, and what remains. Functions over a
connection.

    receipt 1 ──hash──► receipt 2 ──hash──► receipt 3

Each carries the hash of the one before, so none can be changed, left out or put in between afterwards without every
later hash being another one. There is no content in a receipt, and no address: a person is found by keyed hashes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

FIRST: Final = "0" * 64
"""In place of the hash before the first receipt."""


@dataclass(frozen=True, slots=True)
class PersonReceipt:
    """A receipt as it is kept."""

    number: int
    at: str
    document: Mapping[str, Any]
    """As it was issued: `number`, `at`, `action`, `by`, `client`, `person`, `previous`, and what the action adds."""
    hash: str
    """SHA-256 over the canonical JSON of the document, which has the hash before it."""


LOCK: Final = {
    "sqlite": None,
    "postgresql": Statement("SELECT 1 FROM catalog FOR NO KEY UPDATE"),
}
"""One process at a time adds a receipt. SQLite has one writer anyway."""
LAST = Statement("SELECT number, hash FROM receipts ORDER BY number DESC LIMIT 1")
ADD = Statement(
    "INSERT INTO receipts (number, at, client, people, document, hash)"
    " VALUES (:number, :at, :client, :people, :document, :hash)"
)
ALL = Statement("SELECT number, at, document, hash FROM receipts WHERE number > :after ORDER BY number LIMIT :limit")
RENAME = Statement("UPDATE receipts SET client = :client WHERE client = :former")
OF_CLIENT = Statement(
    "SELECT number, at, document, hash, people FROM receipts WHERE client = :client OR client IS NULL ORDER BY number"
)
PAGE: Final = 1000


def issue(
    connection: Connection,
    *,
    action: str,
    by: str,
    client: str | None,
    people: Collection[str],
    facts: Mapping[str, Any],
) -> PersonReceipt:
    """Adds a receipt to the chain. `client`: None for all; `people`: keyed hashes of a person's addresses; `facts`:
    what was found, done and remains, without content."""
    lock = LOCK[connection.dialect.name]
    if lock is not None:
        lock.one(connection)
    last = LAST.first(connection)
    number, previous = (1, FIRST) if last is None else (int(last[0]) + 1, str(last[1]))
    at = timestamp()
    document = {
        "number": number,
        "at": at,
        "action": action,
        "by": by,
        "client": client,
        "person": sorted(people),
        **facts,
        "previous": previous,
    }
    receipt = PersonReceipt(number, at, document, hash_of(document))
    ADD.run(
        connection,
        number=number,
        at=at,
        client=client,
        people=" ".join(sorted(people)),
        document=canonical(document),
        hash=receipt.hash,
    )
    return receipt


def canonical(document: Mapping[str, Any]) -> str:
    """The JSON that is hashed: keys sorted, no blanks, in UTF-8 as it is."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hash_of(document: Mapping[str, Any]) -> str:
    """The hash of a receipt."""
    return sha256(canonical(document).encode()).hexdigest()


def list_receipts(connection: Connection, after: int = 0, limit: int = PAGE) -> list[PersonReceipt]:
    """Receipts, oldest first."""
    return [_receipt(*row) for row in ALL.rows(connection, after=after, limit=limit)]


def receipts_of(connection: Connection, hashes: Collection[str]) -> list[PersonReceipt]:
    """The receipts of a person, oldest first."""
    return [one for one in _all(connection) if set(hashes) & set(one.document["person"])]


def receipts_of_client(connection: Connection, client: str) -> list[PersonReceipt]:
    """The receipts that concern a client, oldest first."""
    return [_receipt(*row[:4]) for row in OF_CLIENT.rows(connection, client=client)]


def first_break(connection: Connection) -> int | None:
    """The number of the first receipt that is not as it was issued; None: the chain is whole."""
    previous = FIRST
    for expected, receipt in enumerate(_all(connection), start=1):
        is_whole = receipt.number == expected == receipt.document["number"] and receipt.document["previous"] == previous
        if not is_whole or hash_of(receipt.document) != receipt.hash:
            return receipt.number
        previous = receipt.hash
    return None


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Finds the receipts of a client under its new id. What they say stays as it was issued."""
    RENAME.run(connection, former=former, client=client)


def _all(connection: Connection) -> Sequence[PersonReceipt]:
    found: list[PersonReceipt] = []
    while page := list_receipts(connection, found[-1].number if found else 0):
        found += page
    return found


def _receipt(number: int, at: str, document: str, digest: str) -> PersonReceipt:
    return PersonReceipt(int(number), at, json.loads(document), digest)
