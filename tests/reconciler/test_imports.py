"""A plan without changes starts in a fraction of what one SDK costs to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.forked import ROOT
from tests.reconciler.agency import Agency

PROBE = """
import sys
from reconciler.cli import run
code = run(sys.argv[1:])
print("\\n".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""
HEAVY = {
    "aiohttp",
    "alembic",
    "deepdiff",
    "httpx",
    "httpx2",
    "jinja2",
    "jsonschema_rs",
    "openai",
    "psycopg",
    "requests",
    "rich",
    "sqlalchemy",
    "structlog",
    "twilio",
    "urllib3",
}

NOT_NEEDED = {
    "click.shell_completion",
    "reconciler.manifest.cases",
    "runtime.store.activity_records",
    "runtime.store.client.history",
    "runtime.store.delivery_errors",
    "runtime.store.history_records",
    "schemas.model_rows",
    "schemas.policy_document",
    "terminal.questions",
}
"""Modules of ours, and one of Click's, for what happens in other runs: each costs one to five milliseconds."""


def imported(agency: Agency, *args: str) -> set[str]:
    """Modules that the command has imported when it ends well."""
    environment = {**agency.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args],
        cwd=agency.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def top_level(modules: set[str]) -> set[str]:
    """Their packages."""
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("command", ["--dry-run", "--dry-run --format json", "drift"])
def test_planning_without_a_change_imports_nothing_heavy(agency: Agency, command: str) -> None:
    agency.declare("cliente-a", sender={"profile": {"about": "Hola"}})
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.document("carta.md", "Empanadas a 3500 pesos.")
    agency.declare("la-cocina", assistant={"tools": [{"type": "file_search", "files": ["carta.md"]}]})
    agency.apply()
    modules = imported(agency, *command.split())
    assert top_level(modules) & HEAVY == set()
    assert {"http", "yaml", "pydantic"} <= modules


def test_planning_without_a_change_imports_nothing_that_it_does_not_need(agency: Agency) -> None:
    agency.declare("cliente-a", sender={"profile": {"about": "Hola"}})
    agency.apply()
    assert imported(agency, "--dry-run") & NOT_NEEDED == set()


def test_validating_imports_no_way_to_the_network_or_the_store(agency: Agency) -> None:
    agency.declare("cliente-a")
    modules = imported(agency, "validate")
    assert top_level(modules) & (HEAVY | {"sqlite3", "http"}) == set()
    assert modules & NOT_NEEDED == set()
