"""What a service keeps in memory that it never uses: nothing of what only migrations, terminals and other databases
need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.sandbox_process import ROOT

_SERVES = """
import json, sys
from pathlib import Path
import runtime.cli
from runtime.commands.opening import configured
configured()
from runtime.commands.serving import migrate_aside
migrate_aside(sys.argv[1])
import runtime.app, sqlite3
from schemas.prices import import_model_prices
from genai_prices.data import providers
import_model_prices()
revision = sqlite3.connect(sys.argv[1].removeprefix("sqlite:///")).execute("SELECT version_num FROM alembic_version")
print(json.dumps([revision.fetchone()[0], sorted({name.partition(".")[0] for name in sys.modules}), len(providers)]))
"""


def test_a_start_on_a_new_store_migrates_it_and_keeps_nothing_of_what_that_takes(tmp_path: Path) -> None:
    from runtime.store.database.revision import HEAD

    done = subprocess.run(
        [sys.executable, "-c", _SERVES, f"sqlite:///{tmp_path}/store.db"],
        env={"PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "sk-test"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    revision, loaded, providers = json.loads(done.stdout)
    assert revision == HEAD
    assert {"alembic", "mako", "pygments", "rich", "yaml", "openai", "agents"}.isdisjoint(loaded)
    assert providers == 1
