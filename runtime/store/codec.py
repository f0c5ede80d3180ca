"""Records to and from database rows and JSON documents. Light on purpose, since planning imports it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from sys import intern
from typing import Any, TypeAlias, TypeVar

from runtime.store.records import (
    ActivityRecord,
    AppliedRecord,
    AssistantRecord,
    BotRecord,
    EditRecord,
    Lease,
    NoticeRecord,
    RunRecord,
)

Record = TypeVar(
    "Record", AssistantRecord, BotRecord, AppliedRecord, RunRecord, Lease, EditRecord, NoticeRecord, ActivityRecord
)
AnyRecord: TypeAlias = (
    AssistantRecord | BotRecord | AppliedRecord | RunRecord | Lease | EditRecord | NoticeRecord | ActivityRecord
)

JSON_FIELDS = frozenset({"tools", "settings", "metadata", "functions", "policy", "values", "changes", "fields"})
"""Fields that are JSON text in a row; no query reads inside them."""

BOOL_FIELDS = frozenset({"protected"})
"""Fields that SQLite returns as 0 or 1."""


CHUNK = 1000
"""Number of rows that are decoded together."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def columns(kind: type[Record]) -> tuple[str, ...]:
    """The record's fields, which are its table's columns, in order."""
    return tuple(field.name for field in fields(kind))


def dump_json(value: object) -> str:
    """JSON text as it is stored: compact, readable Unicode; half a surrogate pair, which cannot be stored, becomes
    `?`."""
    text = _ENCODER.encode(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def to_row(record: AnyRecord) -> dict[str, Any]:
    """Column → value, JSON fields as text."""
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        row[field.name] = dump_json(_plain(value)) if field.name in JSON_FIELDS else value
    return row


def from_rows(kind: type[Record], rows: Iterable[tuple[Any, ...]]) -> list[Record]:
    """Records from rows with cells in the order of `columns(kind)`."""
    names = columns(kind)
    records: list[Record] = []
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        cells = [_decoded(name, column) for name, column in zip(names, zip(*chunk, strict=True), strict=True)]
        records += map(kind, *cells)
    return records


def _decoded(name: str, column: Sequence[Any]) -> Sequence[Any]:
    """One column of many rows."""
    if name in BOOL_FIELDS:
        return [bool(cell) for cell in column]
    if name not in JSON_FIELDS:
        return [intern(cell) if type(cell) is str else cell for cell in column]
    # Decoded together, since a decoder keeps one copy of a key for all objects that it decodes.
    documents: list[Any] = json.loads(f"[{','.join(column)}]")
    return [share_texts(document) if type(document) is dict else document for document in documents]


def share_texts(document: dict[str, Any]) -> dict[str, Any]:
    """A decoded JSON object in which equal texts share one copy.

    The same prompt, name or URL is in a manifest, in a table, in the last applied values and at the provider. A plan
    holds all of them: one copy saves a third of the memory, and comparisons succeed by identity. Nested objects are not
    entered, since long texts are at the top level.
    """
    for key, value in document.items():
        if type(value) is str:
            document[key] = intern(value)
    return document


def to_document(record: AnyRecord) -> dict[str, Any]:
    """The record as a JSON object."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def from_document(kind: type[Record], document: Mapping[str, Any]) -> Record:
    """A record from a JSON object; unknown keys of a newer server are ignored."""
    return kind(**{name: document[name] for name in columns(kind) if name in document})


def _plain(value: object) -> object:
    """Mappings and sequences of any kind as the ones JSON knows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
