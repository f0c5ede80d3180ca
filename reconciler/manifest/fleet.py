"""Reads a folder of manifests: all of it, or an error that lists every problem of every file.

    bytes ──► YamlDocument ──► values over _defaults.yaml ──► schemas.Client ──► files, number, tools ──► Manifest
                                                                       ids and numbers across files ──► Fleet

It reads that folder only and makes no call.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from reconciler.manifest.checks import check_currency
from reconciler.manifest.defaults import FILE, check_defaults
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.folder import Folder, open_folder
from reconciler.manifest.folder import tariffs_file as file_of_tariffs
from reconciler.manifest.literal_secrets import NONE, shown
from reconciler.manifest.lookalikes import lookalikes
from reconciler.manifest.one_manifest import Manifest, OneManifest
from reconciler.manifest.problem import ManifestErrors, Problem
from reconciler.manifest.read_manifests import Claim, ManifestsRead, read_manifests, read_packed, unpacked
from reconciler.manifest.shared_work import MOST_PIECES, SharedWork, processes_for

if TYPE_CHECKING:
    from reconciler.manifest.tariffs import DeclaredTariffs

SHARE = 50
"""Manifests that a process reads at a time, where several read a folder."""
LEAST = 250
"""Manifests that pay for a process."""


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
    is an error in any. Parameters: see FleetReading."""
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
    fleet. Raises ManifestErrors when the folder, the defaults or every manifest has one. Parameters: see
    FleetReading."""
    with FleetReading(
        clients_dir, own_secrets, allow_private_endpoints=allow_private_endpoints, tariffs_file=tariffs_file
    ) as reading:
        return reading.fleet()


_HINTS: Final = {
    "id": "Give one of them another.",
    "number": "A number belongs to one client.",
    "formerly": "One client had that id.",
    "handoff.desk": "Give each client an inbox of its own: its conversations and its webhook are one client's.",
}
"""What to do about a value that only one manifest may have."""


class FleetReading:
    """A folder that is being read: where it is large, by worker processes from the start; by this process when
    it asks for the fleet. To be used as a context."""

    def __init__(
        self,
        clients_dir: Path,
        own_secrets: Mapping[str, str] = NONE,
        *,
        allow_private_endpoints: bool = False,
        tariffs_file: Path | None = None,
    ) -> None:
        """Raises ManifestErrors where there is no folder, or nothing in it.

        `own_secrets`: values of this installation that no file may hold, each with the name of its variable.
        `allow_private_endpoints`: see `checks.check`. `tariffs_file`: see `folder.tariffs_file`.
        """
        self._folder = open_folder(clients_dir, own_secrets)
        self._allow_private_endpoints = allow_private_endpoints
        self._tariffs_file = file_of_tariffs(clients_dir, tariffs_file)
        self._read = ManifestsRead(list(self._folder.problems))
        """What was read so far."""
        self._defaults = _read_defaults(self._folder, self._read)
        count = len(self._folder.manifests)
        self._share = max(SHARE, math.ceil(count / MOST_PIECES))
        self._work = SharedWork(
            self._piece,
            math.ceil(count / self._share),
            processes_for(count // LEAST),
            packed=self._packed_piece,
            unpacked=unpacked,
        )

    def __enter__(self) -> FleetReading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._work.close()

    def fleet(self) -> Fleet:
        """The manifests without an error, and the errors of the others; raises as `load_valid` does."""
        with _collector_paused():
            for part in self._work.results():
                self._read.add(part)
            self._check_across_files()
            folder, read = self._folder, self._read
            read.problems += lookalikes(folder.path, folder.display, read.referred)
            tariffs = self._tariffs()
            if tariffs is not None or self._tariffs_file is None:
                self._check_currencies(tariffs)
        valid = [manifest for name, manifest in read.manifests.items() if name not in read.invalid]
        if not valid or any(problem.severity == "error" for problem in self._defaults.problems):
            raise ManifestErrors(read.problems, len(folder.manifests))
        problems = sorted(set(read.problems))
        return Fleet(
            clients=tuple(sorted(valid, key=lambda manifest: manifest.client.id)),
            warnings=tuple(problem for problem in problems if problem.severity != "error"),
            errors=tuple(problem for problem in problems if problem.severity == "error"),
            files=len(folder.manifests),
            tariffs=tariffs,
        )

    def _piece(self, number: int) -> ManifestsRead:
        names, allow_private = self._names(number), self._allow_private_endpoints
        return read_manifests(self._folder, self._defaults, names, allow_private=allow_private)

    def _packed_piece(self, number: int) -> bytes:
        names, allow_private = self._names(number), self._allow_private_endpoints
        return read_packed(self._folder, self._defaults, names, allow_private=allow_private)

    def _names(self, piece: int) -> Sequence[str]:
        return self._folder.manifests[piece * self._share : (piece + 1) * self._share]

    def _tariffs(self) -> DeclaredTariffs | None:
        """Reads the tariffs, if there are any; their errors become problems."""
        if self._tariffs_file is None:
            return None
        from reconciler.manifest.tariffs import read_tariffs  # most folders have none, and it takes a while to import

        declared, problems = read_tariffs(self._tariffs_file, self._folder.own_secrets)
        self._read.problems += problems
        return declared

    def _check_currencies(self, declared: DeclaredTariffs | None) -> None:
        """A budget is in a currency whose rate is known."""
        today = datetime.now(tz=UTC).date()
        for name, manifest in self._read.manifests.items():
            budget = manifest.client.budget
            if budget is None or budget.currency == "USD":
                continue
            from schemas.default_tariffs import DEFAULT  # most budgets are in USD, and it takes a while to import

            agency = (declared.tariffs if declared is not None else DEFAULT).agency
            one = OneManifest(self._folder, name, self._folder.parse(name), self._defaults)
            for violation in check_currency(budget, agency, today):
                one.report(violation)
                self._read.invalid.add(name)
            self._read.problems += one.problems

    def _check_across_files(self) -> None:
        """An id belongs to one file, a number and a desk's inbox to one client that does not go."""
        ids = {claim.value: claim.file for claim in self._read.ids}
        for claim in self._read.former_ids:
            if claim.value in ids:
                self._is_declared(claim, ids[claim.value])
        claimed = (("id", self._read.ids), ("number", self._read.numbers), ("formerly", self._read.former_ids))
        for key, claims in (*claimed, ("handoff.desk", self._read.desks)):
            first: dict[str, str] = {}
            for claim in claims:
                taken_by = first.setdefault(claim.value, claim.file)
                if taken_by != claim.file:
                    self._taken_twice(key, claim, taken_by)

    def _taken_twice(self, key: str, claim: Claim, taken_by: str) -> None:
        line, column = self._folder.parse(claim.file).place(claim.loc)
        first = self._folder.parse(taken_by)
        message = f"{key}: {shown(claim.value)} is taken by {first.path}:{first.place(claim.loc)[0]} already"
        hint = _HINTS[key]
        self._read.invalid |= {claim.file, taken_by}
        self._read.problems.append(Problem(self._folder.shown(claim.file), line, column, message, hint))

    def _is_declared(self, claim: Claim, file: str) -> None:
        """A client that is still declared is not renamed; a client was not called what it is called."""
        line, column = self._folder.parse(claim.file).place(("formerly",))
        other = self._folder.parse(file)
        message = f"formerly: {shown(claim.value)} is the id of {other.path}:{other.place(('id',))[0]}"
        hint = "Write the id that this client had, or remove the line."
        if file != claim.file:
            hint = "Remove that manifest if this client was renamed; else remove the line."
            self._read.invalid.add(file)
        self._read.invalid.add(claim.file)
        self._read.problems.append(Problem(self._folder.shown(claim.file), line, column, message, hint))


def _read_defaults(folder: Folder, read: ManifestsRead) -> YamlDocument:
    if not folder.has_defaults:
        return YamlDocument(folder.shown(FILE))
    document = folder.parse(FILE)
    read.warn(document)
    if document.is_mapping:
        check_defaults(document)
    read.problems += document.problems
    return document


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
