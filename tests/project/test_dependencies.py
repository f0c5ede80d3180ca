"""What the rooms import is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.repository import ROOT

ROOMS = ["schemas", "terminal", "notifications", "reconciler", "runtime", "sandbox", "demo"]
WORK = ["tests", "bench", "deploy"]
LOADED_BY_NAME = {"psycopg", "tzdata"}
"""Imported by SQLAlchemy, by the name in a URL; read by zoneinfo where the system has no time zones."""
PARTS = {"pydantic-core": "pydantic", "httpx2": "openai", "psycopg-pool": "psycopg"} | {
    f"opentelemetry-{part}": "opentelemetry-sdk"
    for part in ("api", "exporter-http-transport", "exporter-otlp-common", "exporter-otlp-proto-common", "proto",
                 "semantic-conventions")
}  # fmt: skip
"""Distributions that come with another and are never wanted without it."""
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names_of(requirements: list[str]) -> set[str]:
    """The distributions that these requirements ask for."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


DECLARED = names_of(PYPROJECT["project"]["dependencies"])
DECLARED_FOR_WORK = DECLARED | names_of(
    [text for text in PYPROJECT["dependency-groups"]["dev"] if isinstance(text, str)]
)


def imported_by(room: str) -> set[str]:
    """Top-level names that a room's modules import, ours and the standard library's left out."""
    names = set()
    for path in Path(ROOT, room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - set(ROOMS) - set(WORK)


def distributions_of(names: set[str]) -> set[str]:
    """The distributions that provide these top-level names."""
    provided = packages_distributions()
    found = {canonicalize_name(distribution) for name in names for distribution in provided[name]}
    return {PARTS.get(distribution, distribution) for distribution in found}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_is_declared(room: str) -> None:
    assert distributions_of(imported_by(room)) <= DECLARED


@pytest.mark.parametrize("folder", WORK)
def test_tests_and_measurements_import_only_what_is_declared_for_them(folder: str) -> None:
    assert distributions_of(imported_by(folder)) <= DECLARED_FOR_WORK


def test_every_dependency_is_used() -> None:
    used = distributions_of(set().union(*map(imported_by, ROOMS)))

    assert used | LOADED_BY_NAME >= DECLARED
