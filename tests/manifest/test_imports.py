"""What `reconcile validate` imports: a command that needs no network does not pay for the SDKs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.manifest.fleet_files import environment, manifest, with_tools, write_files

HEAVY = {
    "aiohttp",
    "alembic",
    "asyncio",
    "deepdiff",
    "httpx",
    "openai",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "structlog",
    "twilio",
}
# Paid for by the manifests that need them.
ON_DEMAND = {"jsonschema_rs", "holidays"}
SCRIPT = """
import sys
from reconciler.cli import run
code = run(["validate"])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


def imported(root: Path) -> set[str]:
    """Top-level modules in memory at the end of `reconcile validate`."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_validate_imports_nothing_heavy(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    assert not imported(tmp_path) & (HEAVY | ON_DEMAND)


def test_function_tools_are_checked_with_a_light_library(tmp_path: Path) -> None:
    tool = "- type: function\n  name: x\n  parameters: {type: object, properties: {}}\n  endpoint: {url: https://api.example.cl/x}\n"
    write_files(tmp_path, {"uno.yaml": with_tools(tool)})
    found = imported(tmp_path)
    assert "jsonschema_rs" in found
    assert not found & (HEAVY | {"holidays"})


def test_holidays_are_imported_for_hours_that_have_some(tmp_path: Path) -> None:
    hours = 'hours: {lun: ["09:00-13:00"]%s}\n'
    write_files(tmp_path, {"uno.yaml": manifest(more=hours % "")})
    assert "holidays" not in imported(tmp_path)
    write_files(tmp_path, {"uno.yaml": manifest(more=hours % ", holidays: CL")})
    assert "holidays" in imported(tmp_path)
