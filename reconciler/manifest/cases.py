"""The test cases of one client: those in its manifest and in the defaults, and those in files of their own.

    tests ──► in place ──► schemas.Case ─┐
          └─► {file: …} ─► read, parsed ─┴─► checks (`case_checks`) ──► DeclaredCase

A case that is wrong is reported with its place, as anything in a manifest; nothing is tried then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from reconciler.manifest.case_checks import check_case
from reconciler.manifest.checks import Violation
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.explain import explain, relevant
from reconciler.manifest.folder import Folder
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.problem import MAX_PROBLEMS, Problem
from reconciler.manifest.shape import Loc, follow
from reconciler.manifest.texts import FileProblem, resolve
from schemas.cases import Case


@dataclass(frozen=True, slots=True)
class DeclaredCase:
    """A case of a client, complete."""

    name: str
    case: Case
    place: str
    """`clients.d/la-cocina.yaml:31:5`: where it is declared."""
    files: Mapping[str, Path]
    """The files that its person sends, by their names in it."""


class Source(Protocol):
    """Where the values of a manifest stand."""

    def report(self, violation: Violation) -> None:
        """Adds a violation at its place."""

    def shown_place(self, loc: Loc) -> str:
        """`file:line:column` of a location."""


def cases_of(
    values: Mapping[str, Any], folder: Folder, source: Source, documents: Sequence[str]
) -> Iterator[DeclaredCase | Problem]:
    """The cases of a client that can be read, and what is wrong in files with others; what is wrong in the manifest is
    reported to `source`. `documents`: those that can be cited, as the manifest names them."""
    tests = values.get("tests")
    for name, given in tests.items() if isinstance(tests, Mapping) else ():
        loc: Loc = ("tests", str(name))
        if not isinstance(given, Mapping):
            continue  # reported by the models
        if isinstance(given.get("file"), str):
            yield from _in_file(str(name), given["file"], values, folder, source, documents)
            continue
        case = _valid(given)
        if case is not None:
            paths = dict[str, Path]()
            for found in (*_files(case, folder, paths), *check_case(case, values, documents)):
                source.report(found._replace(loc=(*loc, *found.loc), message=f"tests.{name}.{found.message}"))
            yield DeclaredCase(str(name), case, source.shown_place(loc), paths)


def _valid(given: Mapping[str, Any]) -> Case | None:
    try:
        return Case.model_validate(given)
    except ValidationError:
        return None  # reported with the client


def _in_file(
    name: str, file: str, values: Mapping[str, Any], folder: Folder, source: Source, documents: Sequence[str]
) -> Iterator[DeclaredCase | Problem]:
    loc: Loc = ("tests", name, "file")
    try:
        resolve(folder.path, file)
    except FileProblem as error:
        source.report(Violation(loc, f"tests.{name}.file: {shown(file)}: {error.message}", error.hint))
        return
    document = folder.parse(file)
    if not document.is_mapping and not document.problems:
        document.report((0, 0), "the file is empty", "Write a case into it, beginning with conversation:.")
    case = _validated(document) if document.is_mapping else None
    if case is not None:
        paths = dict[str, Path]()
        for found in (*_files(case, folder, paths), *check_case(case, values, documents)):
            _report_once(document, document.place(found.loc), found)
        if not any(problem.severity == "error" for problem in document.problems):
            line, column = document.place(())
            yield DeclaredCase(name, case, f"{document.path}:{line}:{column}", paths)
    yield from document.problems


def _validated(document: YamlDocument) -> Case | None:
    try:
        return Case.model_validate(document.value)
    except ValidationError as invalid:
        for error in list(relevant(invalid.errors(include_url=False), Case))[:MAX_PROBLEMS]:
            spot = follow(error["loc"], Case)
            place = document.place(spot.loc, key=error["type"] == "extra_forbidden")
            message, hint = explain(error, spot, document.written(spot.loc))
            _report_once(document, place, Violation(spot.loc, message, hint))
        return None


def _report_once(document: YamlDocument, place: tuple[int, int], found: Violation) -> None:
    if place not in {(problem.line, problem.column) for problem in document.problems}:
        document.problems.append(Problem(document.path, *place, found.message, found.hint, found.severity))


def _files(case: Case, folder: Folder, found: dict[str, Path]) -> Iterator[Violation]:
    """Adds the files that the person sends to `found`; yields those that cannot be used."""
    for index, exchange in enumerate(case.conversation):
        for position, name in enumerate(exchange.files or ()):
            try:
                found[name] = resolve(folder.path, name)
            except FileProblem as error:
                loc: Loc = ("conversation", index, "files", position)
                message = f"conversation[{index}].files[{position}]: {shown(name)}: {error.message}"
                yield Violation(loc, message, error.hint)
