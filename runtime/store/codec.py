"""Records to and from database rows and JSON documents. Light on purpose, since planning imports it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from itertools import islice
from sys import intern
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, get_args

from pydantic_core import from_json, to_json

from runtime.store.errors import RecordDamaged
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, DamagedRecord, State

if TYPE_CHECKING:
    from runtime.store.activity_records import (
        ActivityRecord,
        CanaryRecord,
        OlderRecord,
        RatingRecord,
        ReplyCounts,
        RetentionRecord,
        SpentRecord,
        UsageRecord,
        VariantRecord,
    )
    from runtime.store.history_records import EditRecord, Lease, NoticeRecord, RunRecord

    AnyRecord: TypeAlias = (
        AssistantRecord
        | BotRecord
        | AppliedRecord
        | RunRecord
        | Lease
        | EditRecord
        | NoticeRecord
        | ActivityRecord
        | ReplyCounts
        | UsageRecord
        | SpentRecord
        | CanaryRecord
        | OlderRecord
        | RatingRecord
        | RetentionRecord
        | VariantRecord
        | DamagedRecord
    )

Record = TypeVar(
    "Record",
    AssistantRecord,
    BotRecord,
    AppliedRecord,
    "RunRecord",
    "Lease",
    "EditRecord",
    "NoticeRecord",
    "ActivityRecord",
    "ReplyCounts",
    "UsageRecord",
    "SpentRecord",
    "CanaryRecord",
    "OlderRecord",
    "RatingRecord",
    "RetentionRecord",
    "VariantRecord",
)
JSON_FIELDS = frozenset({"tools", "settings", "metadata", "functions", "policy", "values", "changes", "fields"})
"""Fields that are JSON text in a row; no query reads inside them."""

BOOL_FIELDS = frozenset({"protected"})
"""Fields that SQLite returns as 0 or 1."""


def _is_mapping(value: Any) -> bool:
    return type(value) is dict


def _are_mappings(values: Any) -> bool:
    return type(values) is list and all(map(_is_mapping, values))


_SHAPES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "tools": (_are_mappings, "a list of JSON objects"),
    "changes": (lambda value: type(value) is list, "a list"),
    "fields": (lambda value: type(value) is list, "a list"),
    "functions": (lambda value: _is_mapping(value) and all(map(_is_mapping, value.values())), "JSON objects by name"),
}
"""JSON fields that are more, or something other, than one JSON object: whether a value is that, and its name."""
_ANY_OBJECT: Final = (_is_mapping, "a JSON object")
_STATES: Final = get_args(State)

_TABLES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "BotRecord": ("bots", ("id",)),
    "AssistantRecord": ("assistants", ("id",)),
    "AppliedRecord": ("applied", ("client", "kind")),
    "RunRecord": ("runs", ("id",)),
    "EditRecord": ("audit", ("kind", "object_id", "at")),
}
"""By a record's name, its table, and the columns that name a row."""

CHUNK = 1000
"""Number of rows that are decoded together."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def columns(kind: type[Record]) -> tuple[str, ...]:
    """The record's fields, which are its table's columns, in order."""
    return tuple(field.name for field in fields(kind))


def key_of(kind: type[Record]) -> tuple[str, ...]:
    """The fields that name one record among those of its table."""
    return _TABLES[kind.__name__][1]


def dump_json(value: object) -> str:
    """JSON text as it is stored: compact, readable Unicode; half a surrogate pair, which cannot be stored, becomes
    `?`."""
    return json_bytes(value).decode()


def json_bytes(value: object) -> bytes:
    """The same in UTF-8."""
    try:
        return to_json(value)  # in a fifth of the time that the standard library takes
    except ValueError:  # half a surrogate pair, or what is not JSON
        return _ENCODER.encode(value).encode("utf-8", "replace")


def to_row(record: AnyRecord) -> dict[str, Any]:
    """Column → value, JSON fields as text."""
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        row[field.name] = dump_json(_plain(value)) if field.name in JSON_FIELDS else value
    return row


def from_rows(kind: type[Record], rows: Iterable[tuple[Any, ...]]) -> list[Record]:
    """Records from rows with cells in the order of `columns(kind)`. Raises RecordDamaged for one that is damaged."""
    records, damaged = read_rows(kind, rows)
    if damaged:
        raise RecordDamaged(damaged[0])
    return records


def read_rows(kind: type[Record], rows: Iterable[tuple[Any, ...]]) -> tuple[list[Record], list[DamagedRecord]]:
    """Records from rows with cells in the order of `columns(kind)`, and those that are damaged."""
    records: list[Record] = []
    damaged: list[DamagedRecord] = []
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        try:
            records += _decoded(kind, chunk)
        except _Damaged:
            for row in chunk:
                try:
                    records += _decoded(kind, [row])
                except _Damaged as found:
                    damaged.append(_damaged(kind, dict(zip(columns(kind), row, strict=True)), str(found)))
    return records, damaged


def in_order(kind: type[Record], rows: Iterable[tuple[Any, ...]]) -> list[Record | DamagedRecord]:
    """Records from rows in their order; a damaged one stays in its place."""
    listed = list(rows)
    records, damaged = read_rows(kind, listed)
    if not damaged:
        return list[Record | DamagedRecord](records)
    remaining, bad = iter(records), {tuple(one.key.values()): one for one in damaged}
    places = [columns(kind).index(name) for name in key_of(kind)]
    return [bad.get(tuple(str(row[place]) for place in places)) or next(remaining) for row in listed]


class _Damaged(Exception):
    """One of some rows is not what this program writes."""


def _decoded(kind: type[Record], rows: Sequence[tuple[Any, ...]]) -> Iterable[Record]:
    names = columns(kind)
    cells = [_column(name, column) for name, column in zip(names, zip(*rows, strict=True), strict=True)]
    return map(kind, *cells)


def _column(name: str, column: Sequence[Any]) -> Sequence[Any]:
    """One column of many rows. Raises _Damaged."""
    if name in BOOL_FIELDS:
        return [bool(cell) for cell in column]
    if name not in JSON_FIELDS:
        if name == "state" and any(cell not in _STATES for cell in column):
            raise _Damaged(f"`state` is none of {', '.join(_STATES)}")
        return [intern(cell) if type(cell) is str else cell for cell in column]
    # Decoded together, each text once and with one copy of each key; texts that repeat are shared below.
    texts = dict.fromkeys(column)
    try:
        documents: list[Any] = from_json(f"[{','.join(texts)}]", cache_strings="keys")
    except (TypeError, ValueError) as error:
        raise _Damaged(f"`{name}` is not JSON") from error
    if len(documents) != len(texts):
        raise _Damaged(f"`{name}` is not JSON")
    _check_shape(name, documents)
    shared = [share_texts(document) if type(document) is dict else document for document in documents]
    by_text = dict(zip(texts, shared, strict=True))
    return [by_text[text] for text in column]


def _check_shape(name: str, values: Iterable[Any]) -> None:
    fits, shape = _SHAPES.get(name, _ANY_OBJECT)
    if not all(map(fits, values)):
        raise _Damaged(f"`{name}` is not {shape}")


def _damaged(kind: type[Record], values: Mapping[str, Any], problem: str) -> DamagedRecord:
    table, key = _TABLES[kind.__name__]
    found = {name: str(values[name]) for name in key}
    return DamagedRecord(table, found, problem, values.get("client"), values.get("twilio_phone_number"))


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


def read_documents(
    kind: type[Record], documents: Iterable[Mapping[str, Any]]
) -> tuple[list[Record], list[DamagedRecord]]:
    """Records from a list of the API, and those that are damaged in the server's store."""
    records: list[Record] = []
    damaged: list[DamagedRecord] = []
    for document in documents:
        if "damaged" in document:
            damaged.append(DamagedRecord(**document))
            continue
        problem = _problem(kind, document)
        if problem is None:
            records.append(from_document(kind, document))
        else:
            damaged.append(_damaged(kind, document, problem))
    return records, damaged


def _problem(kind: type[Record], document: Mapping[str, Any]) -> str | None:
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]
    lacking = next((name for name in missing if name not in document), None)
    if lacking is not None:
        return f"`{lacking}` is missing"
    try:
        for name in columns(kind):
            if name in JSON_FIELDS and name in document:
                _check_shape(name, [document[name]])
    except _Damaged as found:
        return str(found)
    return None


def _plain(value: object) -> object:
    """Mappings and sequences of any kind as the ones JSON knows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
