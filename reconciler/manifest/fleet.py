"""Reads a folder of manifests: all of it, or an error that lists every problem of every file.

    bytes ──► YamlDocument ──► values over _defaults.yaml ──► schemas.Client ──► files, number, tools ──► Manifest
                                                                       ids and numbers across files ──► Fleet

It reads that folder only and makes no call.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.manifest.checks import check_currency
from reconciler.manifest.cut_values import cut_values
from reconciler.manifest.defaults import FILE, check_defaults
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.folder import Folder, open_folder
from reconciler.manifest.folder import tariffs_file as file_of_tariffs
from reconciler.manifest.handoff_checks import DESK, desk_inbox
from reconciler.manifest.invisible import invisible
from reconciler.manifest.literal_secrets import NONE, shown
from reconciler.manifest.lookalikes import NAMING_KEYS, lookalikes, named_files
from reconciler.manifest.one_manifest import Manifest, OneManifest
from reconciler.manifest.problem import ManifestErrors, Problem
from reconciler.manifest.shape import Loc

if TYPE_CHECKING:
    from reconciler.manifest.tariffs import DeclaredTariffs


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every client of a folder, by id."""

    clients: tuple[Manifest, ...]
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    """What is wrong with the manifests that were left out; see `load_valid`."""
    files: int = 0
    """How many manifests the folder has."""
    tariffs: DeclaredTariffs | None = None
    """None where no file declares any: the packaged ones hold then."""


def load(
    clients_dir: Path,
    own_secrets: Mapping[str, str] = NONE,
    *,
    allow_private_endpoints: bool = False,
    tariffs_file: Path | None = None,
) -> Fleet:
    """Reads every manifest of a folder, and the tariffs beside it; raises ManifestErrors with all problems when there
    is an error in any.

    `own_secrets`: values of this installation that no file may hold, each with the name of its variable.
    `allow_private_endpoints`: see `checks.check`. `tariffs_file`: see `folder.tariffs_file`.
    """
    fleet = load_valid(
        clients_dir, own_secrets, allow_private_endpoints=allow_private_endpoints, tariffs_file=tariffs_file
    )
    if fleet.errors:
        raise fleet_errors(fleet)
    return fleet


def fleet_errors(fleet: Fleet) -> ManifestErrors:
    """The error that ends a command which needs every manifest."""
    return ManifestErrors([*fleet.warnings, *fleet.errors], fleet.files)


def load_valid(
    clients_dir: Path,
    own_secrets: Mapping[str, str] = NONE,
    *,
    allow_private_endpoints: bool = False,
    tariffs_file: Path | None = None,
) -> Fleet:
    """The manifests without an error, and the errors of the others: for looking at some clients, never for planning a
    fleet. Raises ManifestErrors when the folder, the defaults or every manifest has one."""
    with _collector_paused():
        folder = open_folder(clients_dir, own_secrets)
        reading = _Reading(folder, allow_private_endpoints)
        for name in folder.manifests:
            reading.read(name)
        reading.check_across_files()
        reading.problems += lookalikes(folder.path, folder.display, reading.referred)
        path = file_of_tariffs(clients_dir, tariffs_file)
        tariffs = reading.tariffs(path)
        if tariffs is not None or path is None:
            reading.check_currencies(tariffs)
    valid = [manifest for name, manifest in reading.manifests.items() if name not in reading.invalid]
    if not valid or any(problem.severity == "error" for problem in reading.defaults.problems):
        raise ManifestErrors(reading.problems, len(folder.manifests))
    clients = tuple(sorted(valid, key=lambda manifest: manifest.client.id))
    problems = sorted(set(reading.problems))
    return Fleet(
        clients,
        warnings=tuple(problem for problem in problems if problem.severity != "error"),
        errors=tuple(problem for problem in problems if problem.severity == "error"),
        files=len(folder.manifests),
        tariffs=tariffs,
    )


_HINTS: Final = {
    "id": "Give one of them another.",
    "number": "A number belongs to one client.",
    "formerly": "One client had that id.",
    "handoff.desk": "Give each client an inbox of its own: its conversations and its webhook are one client's.",
}
"""What to do about a value that only one manifest may have."""


@dataclass(slots=True)
class _Claim:
    """A file's claim to an id, a number or a desk's inbox."""

    file: str
    value: str
    loc: Loc


class _Reading:
    """The files that were read so far."""

    def __init__(self, folder: Folder, allow_private_endpoints: bool) -> None:
        self.folder = folder
        self.allow_private_endpoints = allow_private_endpoints
        self.problems: list[Problem] = list(folder.problems)
        self.manifests: dict[str, Manifest] = {}
        """By the file's name."""
        self.invalid: set[str] = set()
        """Names of files with an error."""
        self.referred: set[str] = set()
        self.ids: list[_Claim] = []
        self.numbers: list[_Claim] = []
        self.former_ids: list[_Claim] = []
        self.desks: list[_Claim] = []
        self.defaults = self._read_defaults()

    def _read_defaults(self) -> YamlDocument:
        if not self.folder.has_defaults:
            return YamlDocument(self.folder.shown(FILE))
        document = self.folder.parse(FILE)
        self._warn(document)
        if document.is_mapping:
            check_defaults(document)
        self.problems += document.problems
        return document

    def tariffs(self, path: Path | None) -> DeclaredTariffs | None:
        """Reads the tariffs, if there are any; their errors become problems."""
        if path is None:
            return None
        from reconciler.manifest.tariffs import read_tariffs  # most folders have none, and it takes a while to import

        declared, problems = read_tariffs(path, self.folder.own_secrets)
        self.problems += problems
        return declared

    def check_currencies(self, declared: DeclaredTariffs | None) -> None:
        """A budget is in a currency whose rate is known."""
        today = datetime.now(tz=UTC).date()
        for name, manifest in self.manifests.items():
            budget = manifest.client.budget
            if budget is None or budget.currency == "USD":
                continue
            from schemas.default_tariffs import DEFAULT  # most budgets are in USD, and it takes a while to import

            agency = (declared.tariffs if declared is not None else DEFAULT).agency
            one = OneManifest(self.folder, name, self.folder.parse(name), self.defaults)
            for violation in check_currency(budget, agency, today):
                one.report(violation)
                self.invalid.add(name)
            self.problems += one.problems

    def _warn(self, document: YamlDocument) -> None:
        self.problems += invisible(document.path, document.text)
        self.problems += cut_values(document.path, document.text, document.root)
        if not document.texts.isdisjoint(NAMING_KEYS):
            self.referred.update(named_files(document.value))

    def read(self, name: str) -> None:
        """Reads one manifest; its errors become problems."""
        before = len(self.problems)
        document = self.folder.parse(name)
        self._warn(document)
        if not document.is_mapping and not document.problems:
            document.report((0, 0), "the file is empty", "Write a client into it (reconcile new helps), or remove it.")
        if document.is_mapping:
            one = OneManifest(self.folder, name, document, self.defaults)
            manifest = one.manifest(self.allow_private_endpoints)
            self._claim(name, one.value)
            if manifest is not None:
                self.manifests[name] = manifest
            self.problems += one.problems
        self.problems += document.problems
        if any(problem.severity == "error" for problem in self.problems[before:]):
            self.invalid.add(name)

    def _claim(self, name: str, value: Mapping[str, Any]) -> None:
        # A number passes from a client that goes to another one.
        keys = (("id", self.ids),) if value.get("state") == "absent" else (("id", self.ids), ("number", self.numbers))
        for key, claims in (*keys, ("formerly", self.former_ids)):
            if isinstance(value.get(key), str):
                claims.append(_Claim(name, value[key], (key,)))
        if value.get("handoff") and value.get("state") != "absent" and (inbox := desk_inbox(value)) is not None:
            self.desks.append(_Claim(name, inbox, (*DESK, "inbox")))

    def check_across_files(self) -> None:
        """An id belongs to one file, a number and a desk's inbox to one client that does not go."""
        ids = {claim.value: claim.file for claim in self.ids}
        for claim in self.former_ids:
            if claim.value in ids:
                self._is_declared(claim, ids[claim.value])
        claimed = (("id", self.ids), ("number", self.numbers), ("formerly", self.former_ids))
        for key, claims in (*claimed, ("handoff.desk", self.desks)):
            first: dict[str, str] = {}
            for claim in claims:
                taken_by = first.setdefault(claim.value, claim.file)
                if taken_by != claim.file:
                    self._taken_twice(key, claim, taken_by)

    def _taken_twice(self, key: str, claim: _Claim, taken_by: str) -> None:
        line, column = self.folder.parse(claim.file).place(claim.loc)
        first = self.folder.parse(taken_by)
        message = f"{key}: {shown(claim.value)} is taken by {first.path}:{first.place(claim.loc)[0]} already"
        hint = _HINTS[key]
        self.invalid |= {claim.file, taken_by}
        self.problems.append(Problem(self.folder.shown(claim.file), line, column, message, hint))

    def _is_declared(self, claim: _Claim, file: str) -> None:
        """A client that is still declared is not renamed; a client was not called what it is called."""
        line, column = self.folder.parse(claim.file).place(("formerly",))
        other = self.folder.parse(file)
        message = f"formerly: {shown(claim.value)} is the id of {other.path}:{other.place(('id',))[0]}"
        hint = "Write the id that this client had, or remove the line."
        if file != claim.file:
            hint = "Remove that manifest if this client was renamed; else remove the line."
            self.invalid.add(file)
        self.invalid.add(claim.file)
        self.problems.append(Problem(self.folder.shown(claim.file), line, column, message, hint))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """All objects that are read stay alive, so garbage collection while reading would cost a fifth of the time without
    effect."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
