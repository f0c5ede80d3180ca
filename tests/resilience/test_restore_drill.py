"""deploy/restore brings a lost store back, and touches nothing where it cannot."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests import restore_drill
from tests.sandbox_process import ROOT, Sandbox


@pytest.mark.long
@pytest.mark.parametrize("age", restore_drill.AGES.values(), ids=restore_drill.AGES)
@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_each_person_has_one_answer_to_each_message(store: str, age: float, tmp_path: Path, sandbox: Sandbox) -> None:
    people = restore_drill.play(store, age, tmp_path, sandbox)

    assert [answered for _, answered in people.values()] == [written for written, _ in people.values()]


def restored(backup: Path, database_url: str, **more: str) -> str:
    """Runs it where it must refuse; returns its error. Its STOP would leave a file."""
    mark = backup.parent / "stopped"
    environment = {"PATH": os.environ["PATH"], "SETTINGS": "", "STOP": f"touch {mark}", "DATABASE_URL": database_url}
    done = subprocess.run(
        ["bash", str(ROOT / "deploy" / "restore"), str(backup)],
        env={**environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, mark.exists()) == (1, False), done.stdout
    return done.stderr


def test_a_backup_that_is_not_there_or_is_not_a_store_stops_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    empty, other, text = tmp_path / "empty", tmp_path / "other.db", tmp_path / "backup.sql"
    empty.touch()
    text.write_text("SELECT 1;\n")
    with closing(sqlite3.connect(other)) as made, made:
        made.execute("CREATE TABLE alembic_version (version_num TEXT)")

    assert "There is no backup at" in restored(tmp_path / "missing", url)
    assert "or it is empty; nothing was changed" in restored(empty, url)
    assert "is not a whole store; nothing was changed" in restored(other, url)
    assert "is not a whole store; nothing was changed" in restored(text, url)


def test_an_address_that_is_not_certain_stops_nothing(tmp_path: Path) -> None:
    backup = tmp_path / "backup.sql"
    backup.write_text("SELECT 1;\n")

    assert "is not absolute" in restored(backup, "sqlite:///data/horizonai.db")
    assert "is not a store" in restored(backup, "postgresql://postgres@127.0.0.1:1/none")
    assert "names neither" in restored(backup, "https://whatsapp.example.cl")
