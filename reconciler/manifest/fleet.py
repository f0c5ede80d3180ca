"""Reads a folder of manifests: all of it, or an error that lists every problem of every file.

    bytes ──► YamlDocument ──► values over _defaults.yaml ──► schemas.Client ──► files, number, tools ──► Manifest
                                                                       ids and numbers across files ──► Fleet

It reads that folder only and makes no call.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.manifest.canary_checks import check_canary
from reconciler.manifest.checks import Violation, check, check_credentials, check_currency, check_prompt, tools
from reconciler.manifest.cut_values import cut_values
from reconciler.manifest.data_checks import check_data
from reconciler.manifest.defaults import FILE, check_defaults, merge_client
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.explain import dotted, explain, relevant
from reconciler.manifest.folder import Folder, open_folder
from reconciler.manifest.folder import tariffs_file as file_of_tariffs
from reconciler.manifest.handoff_checks import DESK, desk_inbox
from reconciler.manifest.hours import check_hours
from reconciler.manifest.invisible import invisible
from reconciler.manifest.literal_secrets import NONE, shown
from reconciler.manifest.lookalikes import NAMING_KEYS, lookalikes, named_files
from reconciler.manifest.problem import MAX_PROBLEMS, ManifestErrors, Problem
from reconciler.manifest.shape import Loc, Spot, follow
from reconciler.manifest.template_checks import check_templates
from reconciler.manifest.texts import (
    FileProblem,
    KnowledgeFile,
    MediaFile,
    hash_document,
    hash_media,
    is_searchable,
    read_prompt,
)
from schemas import Client, FileSearchTool
from schemas.credentials import INSTALLATION_CREDENTIALS

if TYPE_CHECKING:
    from reconciler.manifest.cases import DeclaredCase
    from reconciler.manifest.tariffs import DeclaredTariffs


@dataclass(frozen=True, slots=True)
class Manifest:
    """One client as declared, with the files that its manifest refers to."""

    path: str
    """`clients.d/la-cocina.yaml`: from the folder's own name on, the same on every machine."""
    client: Client
    instructions: str
    """The prompt itself, read from its file when the manifest names one; line ends are LF."""
    knowledge: tuple[KnowledgeFile, ...] = ()
    """Documents of the file_search tool, in the order of the manifest; then those of `media.files`."""
    media: tuple[MediaFile, ...] = ()
    """Files of `media.files`, which the assistant may send."""
    cases: tuple[DeclaredCase, ...] = ()
    """Its tests, those of the defaults included, in the order of the files."""
    canary_instructions: str | None = None
    """The prompt of `assistant.canary`, likewise; None where it has none of its own."""

    @property
    def search(self) -> FileSearchTool | None:
        """The tool that searches in documents; an assistant has at most one."""
        return next((tool for tool in self.client.assistant.tools if isinstance(tool, FileSearchTool)), None)


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
            one = _OneManifest(self.folder, name, self.folder.parse(name), self.defaults)
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
            one = _OneManifest(self.folder, name, document, self.defaults)
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


class _OneManifest:
    """The conversion of one manifest's values into a Manifest."""

    def __init__(self, folder: Folder, name: str, document: YamlDocument, defaults: YamlDocument) -> None:
        self.folder = folder
        self.name = name
        self.document = document
        self.defaults = defaults
        self.value = merge_client(defaults.value, document.value) if defaults.value else document.value
        self.problems: list[Problem] = []

    def manifest(self, allow_private_endpoints: bool) -> Manifest | None:
        """The manifest, None when its values are not a valid client; problems are collected in both cases."""
        client = self._validated()
        instructions = self._prompt(("assistant", "instructions")) or ""
        canary = self._prompt(("assistant", "canary", "instructions"))
        checked = check(self.value, allow_private_endpoints=allow_private_endpoints)
        prompt, templates = check_prompt(self.value, instructions), check_templates(self.value)
        others = (*check_hours(self.value), *check_canary(self.value, canary), *check_data(self.value))
        for violation in (*checked, *self._credentials(), *prompt, *templates, *others):
            self.report(violation)
        media = tuple(self._media())
        knowledge = tuple(self._knowledge(media))
        cases = tuple(self._cases(knowledge))
        if client is None:
            return None
        return Manifest(f"{self.folder.name}/{self.name}", client, instructions, knowledge, media, cases, canary)

    def _cases(self, knowledge: Iterable[KnowledgeFile]) -> Iterator[DeclaredCase]:
        if "tests" not in self.value:
            return
        from reconciler.manifest.cases import DeclaredCase, cases_of  # few manifests have tests

        for found in cases_of(self.value, self.folder, self, [document.path for document in knowledge]):
            if isinstance(found, DeclaredCase):
                yield found
            else:
                self.problems.append(found)

    def _validated(self) -> Client | None:
        try:
            return Client.model_validate(self.value)
        except ValidationError as invalid:
            errors = list(relevant(invalid.errors(include_url=False)))
            for error in errors[:MAX_PROBLEMS]:
                self._explain(error, follow(error["loc"]))
            if len(errors) > MAX_PROBLEMS:
                message = f"{len(errors) - MAX_PROBLEMS:,} problems more"
                self.problems.append(Problem(self.document.path, 0, 0, message, "Correct the others first."))
            return None

    def _credentials(self) -> Iterable[Violation]:
        if any(not INSTALLATION_CREDENTIALS.isdisjoint(source.texts) for source in (self.document, self.defaults)):
            return check_credentials(self.value)
        return ()

    def _explain(self, error: ErrorDetails, spot: Spot) -> None:
        if error["type"] == "missing" and self.defaults.problems:
            # It may be in the defaults, once those can be read.
            return
        loc = (*spot.loc, "type") if error["type"] == "union_tag_invalid" else spot.loc
        source, place = self._place(loc, key=error["type"] == "extra_forbidden")
        # A scalar that was already reported as unclear is not reported as a wrong type, too.
        if place not in _places(source.problems):
            message, hint = explain(error, spot, source.written(spot.loc))
            self.problems.append(Problem(source.path, *place, message, hint))

    def report(self, violation: Violation) -> None:
        """Adds a violation at its place, unless something else is wrong there."""
        source, place = self._place(violation.loc)
        is_error = violation.severity == "error"
        if place not in _places(one for one in self.problems if one.severity == "error" or not is_error):
            # An error takes the place of a warning.
            self.problems = [one for one in self.problems if not is_error or (one.line, one.column) != place]
            self.problems.append(Problem(source.path, *place, violation.message, violation.hint, violation.severity))

    def shown_place(self, loc: Loc) -> str:
        """`file:line:column` of a location, in the file that sets it."""
        source, (line, column) = self._place(loc, key=True)
        return f"{source.path}:{line}:{column}"

    def _place(self, loc: Loc, *, key: bool = False) -> tuple[YamlDocument, tuple[int, int]]:
        """The file that sets the value at a location, and the position in it."""
        for source in (self.document, self.defaults):
            if source.find(loc)[1] is not None:
                return source, source.place(loc, key=key)
        return self.document, self.document.place(loc)

    def _prompt(self, loc: Loc) -> str | None:
        """The prompt at a location, read from its file where it names one; None where there is none that can be
        read."""
        given: Any = self.value
        for key in loc:
            given = given.get(key) if isinstance(given, Mapping) else None
        if isinstance(given, str):
            return given
        name = given.get("file") if isinstance(given, Mapping) else None
        if not isinstance(name, str):
            return None
        try:
            text, problems = read_prompt(self.folder.path, self.folder.display, name, self.folder.own_secrets)
        except FileProblem as error:
            self._file_problem((*loc, "file"), name, error)
            return None
        self.problems += problems
        return text

    def _media(self) -> Iterator[MediaFile]:
        media = self.value.get("media")
        files = media.get("files") if isinstance(media, Mapping) else None
        for name, path in files.items() if isinstance(files, Mapping) else ():
            if isinstance(path, str):
                try:
                    yield hash_media(self.folder.path, str(name), path)
                except FileProblem as error:
                    self._file_problem(("media", "files", str(name)), path, error)

    def _knowledge(self, media: Iterable[MediaFile]) -> Iterator[KnowledgeFile]:
        """The documents that are searched in: what is sent too, where the client has documents in git at all."""
        seen: dict[Path, str] = {}
        for index, tool in tools(self.value, "file_search"):
            names = tool.get("files")
            for position, name in enumerate(names if isinstance(names, list) else ()):
                try:
                    yield _new(hash_document(self.folder.path, str(name)), seen)
                except FileProblem as error:
                    self._file_problem(("assistant", "tools", index, "files", position), str(name), error)
            for file in media if isinstance(names, list) else ():
                if file.resolved not in seen and is_searchable(file.path):
                    yield _new(KnowledgeFile(file.path, file.resolved, file.size, file.sha256), seen)

    def _file_problem(self, loc: Loc, name: str, error: FileProblem) -> None:
        self.report(Violation(loc, f"{dotted(loc)}: {shown(name)}: {error.message}", error.hint))


def _new(document: KnowledgeFile, seen: dict[Path, str]) -> KnowledgeFile:
    if document.resolved in seen:
        raise FileProblem(f"the same file as {shown(seen[document.resolved])}", "List it once.")
    if document.path in seen.values():
        raise FileProblem("two files have this name, with its accents in different forms", "Rename one of them.")
    seen[document.resolved] = document.path
    return document


def _places(problems: Iterable[Problem]) -> set[tuple[int, int]]:
    return {(problem.line, problem.column) for problem in problems}


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
