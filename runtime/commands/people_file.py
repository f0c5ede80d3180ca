"""The file of a send to a list: a CSV with the column `to` and one for each variable of the template.

All errors are reported at once, each with its line and column; a file with one is not used at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.errors import OperatorError
from runtime.store.messages.campaigns import CampaignRow
from schemas.addresses import whatsapp_address
from schemas.templates import fault_of_value

TO: Final = "to"
SHOWN_ERRORS: Final = 20
LARGEST_FILE: Final = 10_000_000
"""Bytes."""


class BrokenFile(OperatorError):
    """A list that cannot be used; the text has every error with its place."""


@dataclass(frozen=True, slots=True)
class FileError:
    """What is wrong with a cell."""

    line: int
    column: int
    says: str


def read_people(path: Path) -> Sequence[CampaignRow]:
    """The people of a file. Raises BrokenFile."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BrokenFile(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise BrokenFile(f"{path} has more than {LARGEST_FILE:,} bytes; split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BrokenFile(f"{path}:{line}:1: it is not UTF-8; save it as CSV UTF-8.") from None
    return _people(path, text)


def _people(path: Path, text: str) -> Sequence[CampaignRow]:
    head = text.split("\n", 1)[0]
    table = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",", strict=True
    )
    errors: list[FileError] = []
    rows: list[CampaignRow] = []
    try:
        names = [name.strip() for name in next(table, [])]
        errors += _wrong_head(names)
        seen: dict[str, int] = {}
        for cells in () if errors else table:
            line = table.line_num
            if not any(cell.strip() for cell in cells):
                continue
            wrong = list(_wrong_row(line, names, cells, seen))
            errors += wrong
            if not wrong:
                values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
                rows.append(CampaignRow(line, whatsapp_address(values.pop(TO)), values))
    except csv.Error as error:
        errors.append(FileError(table.line_num, 1, f"it is not CSV: {error}"))
    if not errors and not rows:
        errors.append(FileError(1, 1, "no person is in it"))
    if errors:
        shown = [f"{path}:{error.line}:{error.column}: {error.says}." for error in errors[:SHOWN_ERRORS]]
        more = len(errors) - SHOWN_ERRORS
        raise BrokenFile("\n".join([*shown, *([f"{more:,} errors more."] if more > 0 else []), "Nothing was sent."]))
    return rows


def _wrong_head(names: Sequence[str]) -> Iterator[FileError]:
    if TO not in names:
        yield FileError(1, 1, f"no column is called {TO}: it has the numbers, such as +56912345678")
    for column, name in enumerate(names, 1):
        if not name:
            yield FileError(1, column, "a column without a name")
        elif names.index(name) != column - 1:
            yield FileError(1, column, f"a second column {name}")


def _wrong_row(line: int, names: Sequence[str], cells: Sequence[str], seen: dict[str, int]) -> Iterator[FileError]:
    from runtime.api.models import checked_user

    if len(cells) != len(names):
        yield FileError(
            line, min(len(cells), len(names)) + 1, f"{len(cells)} cells, and there are {len(names)} columns"
        )
        return
    for column, (name, cell) in enumerate(zip(names, cells, strict=True), 1):
        if name != TO:
            if fault := fault_of_value(cell.strip()):
                yield FileError(line, column, f"{name} {fault}")
            continue
        try:
            person = checked_user(cell.strip())
        except ValueError as error:
            yield FileError(line, column, f"{TO} is {error}")
            continue
        if seen.setdefault(person, line) != line:
            yield FileError(line, column, f"{person} is also in line {seen[person]}")
