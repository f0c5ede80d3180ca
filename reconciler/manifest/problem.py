"""A problem in a manifest: what is wrong, where, and what to do. It prints no value that could be a secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from reconciler.errors import ReconcileError

Severity = Literal["error", "warning"]

MAX_PROBLEMS = 100
"""Maximum number of problems of one sort in one file; a file with more cannot be corrected line by line."""


class Problem(NamedTuple):
    """One problem; problems sort by file, line and column."""

    path: str
    """The file, relative to the working directory."""
    line: int
    """From 1, likewise `column` (in characters); 0 when the folder or the whole file is meant."""
    column: int
    message: str
    """What is wrong, without a final stop: `number: an unquoted number`."""
    hint: str = ""
    """What to do, whole sentences: `Write it in quotes: "+15551234567".`"""
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """`clients.d/la-cocina.yaml:7:11`."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        label = "warning: " if self.severity == "warning" else ""
        return f"{self.place}: {label}{self.message}. {self.hint}".rstrip()


class ManifestErrors(ReconcileError):
    """Every problem of every manifest; a partly read fleet is never returned."""

    names_places = True

    def __init__(self, problems: Iterable[Problem], manifests: int = 0) -> None:
        self.problems = tuple(sorted(set(problems)))
        self.manifests = manifests
        """Number of files that were checked."""
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NoManifests(ManifestErrors):
    """The folder does not exist, or contains no manifest."""
