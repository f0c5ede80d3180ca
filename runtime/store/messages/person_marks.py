"""What holds for a person also when nothing else is kept about them: that they are blocked, that they opted out.
Functions over a connection.

    block, erase ──► a mark for each of their addresses, as a keyed hash ──► their next conversation begins with it

Without the store's secret a hash leads to no address: numbers could otherwise be tried one by one.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from schemas.addresses import other_spelling

MarkKind = Literal["blocked", "opted_out"]
ALL_CLIENTS: Final = ""
"""In place of a client: it holds for the whole installation."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What holds for an address."""

    kind: MarkKind
    client: str
    at: str
    set_by: str
    detail: str | None
    """Of an opt-out: the list."""


SALT = Statement("SELECT salt FROM catalog")
SALT_OF_MARKS = Statement("SELECT salt FROM catalog WHERE EXISTS (SELECT 1 FROM person_marks)")
LABEL = "coalesce((SELECT client FROM bots WHERE id = :bot_id), :bot_id)"
"""The client of a bot; the bot's own id for one that was made by hand."""
OF_ALIAS = Statement("SELECT kind, client, at, set_by, detail FROM person_marks WHERE alias = :alias ORDER BY at, kind")
FOR_BOT = Statement(
    "SELECT kind, client, at, set_by, detail FROM person_marks"  # noqa: S608 - our own texts
    f" WHERE alias = :alias AND client IN ('', {LABEL}) ORDER BY at, kind"
)
PUT = Statement(
    "INSERT INTO person_marks (alias, client, kind, at, set_by, detail)"
    " VALUES (:alias, :client, :kind, :at, :set_by, :detail)"
    " ON CONFLICT (alias, client, kind) DO UPDATE SET detail = excluded.detail"
)
REMOVE = Statement("DELETE FROM person_marks WHERE alias = :alias AND client = :client AND kind = :kind")
REMOVE_OF_ALL = Statement("DELETE FROM person_marks WHERE alias = :alias AND kind = :kind")
RENAME = Statement("UPDATE person_marks SET client = :client WHERE client = :former")


def alias_hash(salt: str, address: str) -> str:
    """The keyed hash of an address (`whatsapp:+…`), the same for both spellings of a number. 64 hexadecimal digits."""
    plain = min(address, other_spelling(address))
    return hmac.digest(salt.encode(), f"person {plain}".encode(), "sha256").hex()


def hashes_of(connection: Connection, addresses: Iterable[str]) -> list[str]:
    """The keyed hashes of addresses, each once, sorted."""
    (salt,) = SALT.one(connection)
    return sorted({alias_hash(salt, address) for address in addresses})


def put(connection: Connection, hashes: Collection[str], mark: Mark) -> None:
    """Marks addresses; of what holds for one already, since when it does stays."""
    for alias in hashes:
        PUT.run(connection, alias=alias, **asdict(mark))


def remove(connection: Connection, hashes: Collection[str], kind: MarkKind, client: str | None) -> int:
    """Removes a mark of addresses, of one client or of all; returns how many there were."""
    if client is None:
        return sum(REMOVE_OF_ALL.run(connection, alias=alias, kind=kind) for alias in hashes)
    return sum(REMOVE.run(connection, alias=alias, kind=kind, client=client) for alias in hashes)


def marks_of(connection: Connection, hashes: Collection[str]) -> list[Mark]:
    """What holds for a person, each once."""
    found = {Mark(*row) for alias in hashes for row in OF_ALIAS.rows(connection, alias=alias)}
    return sorted(found, key=lambda mark: (mark.at, mark.kind, mark.client))


def marks_for(connection: Connection, bot_id: str, addresses: Iterable[str]) -> list[Mark]:
    """What holds for the person with these addresses at a bot. One statement where no person is marked."""
    found = SALT_OF_MARKS.first(connection)
    if found is None:
        return []
    hashes = {alias_hash(found[0], address) for address in addresses}
    return [Mark(*row) for alias in sorted(hashes) for row in FOR_BOT.rows(connection, alias=alias, bot_id=bot_id)]


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Keeps what holds for people at a client under its new id."""
    RENAME.run(connection, former=former, client=client)
