"""Reads `tariffs.yaml`, which is beside the folder of manifests, as manifests are read: every mistake has its place.

bytes ──► YamlDocument ──► schemas.Tariffs ──► checks across rows ──► over the packaged ones ──► DeclaredTariffs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.manifest.document import YamlDocument
from reconciler.manifest.explain import explain, relevant
from reconciler.manifest.folder import display, read_document
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.problem import MAX_PROBLEMS, Problem
from reconciler.manifest.shape import Loc, follow
from schemas.default_tariffs import DEFAULT
from schemas.tariffs import KEYS, Tariffs, over


@dataclass(frozen=True, slots=True)
class DeclaredTariffs:
    """The tariffs of an installation, as its file declares them."""

    path: str
    """The file's name in messages."""
    tariffs: Tariffs
    """Over the packaged ones."""
    folder: Path = Path()
    """In which a path to a logo begins."""


def read_tariffs(path: Path, own_secrets: Mapping[str, str]) -> tuple[DeclaredTariffs | None, list[Problem]]:
    """The tariffs, None where the file is invalid; and what is wrong with it."""
    if not path.exists():
        hint = "TARIFFS_FILE names it; correct the setting, or remove it."
        return None, [Problem(display(path), 0, 0, "no such file", hint)]
    document = read_document(str(path), display(path), own_secrets)
    if not document.is_mapping and not document.problems:
        return DeclaredTariffs(document.path, DEFAULT, path.parent), []
    declared = _validated(document) if document.is_mapping else None
    if declared is None or document.problems:
        return None, document.problems
    return DeclaredTariffs(document.path, over(declared, DEFAULT), path.parent), []


def _validated(document: YamlDocument) -> Tariffs | None:
    """The file's own values; what is wrong with them is reported in the document."""
    declared: Tariffs | None = None
    try:
        declared = Tariffs.model_validate(document.value)
    except ValidationError as invalid:
        for error in list(relevant(invalid.errors(include_url=False), Tariffs))[:MAX_PROBLEMS]:
            spot = follow(error["loc"], Tariffs)
            place = document.place(spot.loc, key=error["type"] == "extra_forbidden")
            _report_once(document, place, *explain(error, spot, document.written(spot.loc)))
    for loc, message, hint in (*_twice(document.value), *_without_exchange(document.value)):
        _report_once(document, document.place(loc), message, hint)
    return declared


def _report_once(document: YamlDocument, place: tuple[int, int], message: str, hint: str) -> None:
    """A value with one mistake is not reported for another, such as an unclear scalar for its type."""
    if place not in {(problem.line, problem.column) for problem in document.problems}:
        document.report(place, message, hint)


def _rows(values: Mapping[str, Any], *path: str) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
    """The rows of a list that can be read, whatever else is wrong."""
    found: Any = values
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    for index, row in enumerate(found if isinstance(found, list) else ()):
        if isinstance(row, Mapping):
            yield (*path, index), row


def _twice(values: Mapping[str, Any]) -> Iterator[tuple[Loc, str, str]]:
    """Rows for the same thing from the same day on: which of them holds?"""
    lists: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
        *(((name,), keys) for name, keys in KEYS.items()),
        (("agency", "exchange"), ("since",)),
    )
    for path, keys in lists:
        first: dict[tuple[str, ...], int] = {}
        for loc, row in _rows(values, *path):
            key = tuple(str(row.get(part)) for part in keys)
            index = int(loc[-1])
            if all(isinstance(row.get(part), str) for part in keys) and first.setdefault(key, index) != index:
                name = ".".join(path)
                message = f"{name}[{index}]: the same as {name}[{first[key]}]: {shown(', '.join(key))}"
                yield (*loc, "since"), message, "Remove one of them, or give it another date."


def _without_exchange(values: Mapping[str, Any]) -> Iterator[tuple[Loc, str, str]]:
    agency = values.get("agency")
    currency = agency.get("currency") if isinstance(agency, Mapping) else None
    if isinstance(currency, str) and currency != "USD" and not list(_rows(values, "agency", "exchange")):
        yield (
            ("agency", "currency"),
            f"agency.currency: nothing says what a dollar costs in {shown(currency)}",
            'Add it: exchange: [{since: "2026-11-01", per_usd: 950}].',
        )
