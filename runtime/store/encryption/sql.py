"""Which parameters of a statement are written into encrypted columns, read from its SQL: so no function on the store
encrypts anything by itself, and a new statement is encrypted like the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runtime.store.encryption.columns import ENCRYPTED, NAMES, EncryptedColumn

_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) (?:VALUES \(|SELECT )")
_UPDATE = re.compile(r"UPDATE (\w+) SET ")
_CONFLICT = re.compile(r"INSERT INTO (\w+) (?:(?!INSERT INTO).)*? DO UPDATE SET ")
_END = re.compile(r" (?:FROM|WHERE|RETURNING|ON CONFLICT)\b")
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_NAMES = re.compile(rf"\b(?:{'|'.join(sorted(NAMES))})\b")


class Ambiguous(ValueError):
    """A parameter is both written into an encrypted column and used for something else."""


def reads_encrypted(sql: str) -> bool:
    """Whether a result may have cells of encrypted columns."""
    return ("SELECT " in sql or " RETURNING " in sql) and _NAMES.search(sql) is not None


def encrypted_parameters(sql: str) -> Mapping[str, EncryptedColumn]:
    """The parameters that are written into encrypted columns, with these; raises Ambiguous."""
    found: dict[str, EncryptedColumn] = {}
    written = 0
    for table, name, expression in _assignments(sql):
        column = ENCRYPTED.get(table, {}).get(name)
        names = _PARAMETER.findall(expression) if column is not None else ()
        for parameter in names:
            assert column is not None
            if found.setdefault(parameter, column) != column:
                raise Ambiguous(f":{parameter} is written into several columns, in: {sql}")
        written += len(names)
    if written != sum(name in found for name in _PARAMETER.findall(sql)):
        raise Ambiguous(f"a parameter of an encrypted column is also used for something else, in: {sql}")
    return found


def _assignments(sql: str) -> Iterator[tuple[str, str, str]]:
    """What a statement writes: table, column, expression."""
    for found in _INSERT.finditer(sql):
        names = [name.strip() for name in found[2].split(",")]
        yield from ((found[1], name, value) for name, value in zip(names, _parts(sql, found.end()), strict=False))
    for pattern in (_UPDATE, _CONFLICT):
        for found in pattern.finditer(sql):
            for part in _parts(sql, found.end()):
                name, _, value = part.partition("=")
                yield found[1], name.strip(), value


def _parts(sql: str, start: int) -> list[str]:
    """The expressions of a list from there on, up to the bracket that closes it or the next clause."""
    parts: list[str] = []
    depth, begin = 0, start
    for at in range(start, len(sql)):
        character = sql[at]
        if character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif character == ")" or (character == " " and not depth and _END.match(sql, at)):
            return [*parts, sql[begin:at]]
        elif character == "," and not depth:
            parts.append(sql[begin:at])
            begin = at + 1
    return [*parts, sql[begin:]]
