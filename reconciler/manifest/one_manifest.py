"""One client as declared: a file's values over the defaults, checked, with the files that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.manifest.canary_checks import check_canary
from reconciler.manifest.checks import Violation, check, check_credentials, check_prompt, tools
from reconciler.manifest.data_checks import check_data
from reconciler.manifest.defaults import merge_client
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.explain import dotted, explain, relevant
from reconciler.manifest.folder import Folder
from reconciler.manifest.hours import check_hours
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.problem import MAX_PROBLEMS, Problem
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


class OneManifest:
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
