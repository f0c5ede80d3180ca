"""The import contracts hold for folders that do not exist yet, and SQL is written where it belongs."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from tests.project.repository import ROOT

RUNTIME = ROOT / "runtime"
SQL = re.compile(r"\b(SELECT\s|INSERT INTO\s|UPDATE\s+\w+\s+SET\s|DELETE FROM\s|CREATE (TABLE|INDEX)\s|PRAGMA\s)")


def contract(name: str) -> dict[str, list[str]]:
    """The contract of pyproject.toml with that name."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (found,) = [one for one in document["tool"]["importlinter"]["contracts"] if one["name"] == name]
    return dict(found)


def outside_the_store() -> list[Path]:
    return [path for path in sorted(RUNTIME.rglob("*.py")) if not path.is_relative_to(RUNTIME / "store")]


def test_everything_of_the_runtime_but_the_store_is_kept_from_sqlalchemy() -> None:
    modules = {f"runtime.{path.relative_to(RUNTIME).parts[0].removesuffix('.py')}" for path in outside_the_store()}

    assert set(contract("SQL is written in the store only")["source_modules"]) == modules - {"runtime.__init__"}


def test_no_sql_stands_outside_of_the_store() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in outside_the_store()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]

    assert found == []
