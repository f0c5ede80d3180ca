"""What the shell completes after Tab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from reconciler.cli import COMMANDS, cli
from tests.manifest.fleet_files import environment, manifest, write_files


def completed(*typed: str) -> list[str]:
    """What the last word may become."""
    shell = ShellComplete(cli, {}, "reconcile", "_RECONCILE_COMPLETE")
    return [item.value for item in shell.get_completions(list(typed[:-1]), typed[-1])]


def takes_a_client() -> list[tuple[str, ...]]:
    """Each way to write the id of a client that exists already."""
    context = click.Context(cli)
    found: list[tuple[str, ...]] = []
    for name in ("", *COMMANDS):
        command = cli.get_command(context, name) if name else cli
        assert command is not None
        for parameter in command.params:
            option = parameter.opts[:1] if isinstance(parameter, click.Option) else []
            if parameter.metavar == "ID":
                found.append(tuple(word for word in (name, *option) if word))
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two clients, and a manifest that is broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLIENTS_DIR", raising=False)
    return write_files(
        tmp_path, {"uno.yaml": manifest("uno"), "z.yml": manifest("la-cocina", "+56961234502"), "dos.yaml": "id: [\n"}
    )


@pytest.mark.parametrize("words", takes_a_client(), ids=" ".join)
def test_ids_of_clients_are_completed(words: tuple[str, ...]) -> None:
    assert completed(*words, "") == ["la-cocina", "uno"]
    assert completed(*words, "la") == ["la-cocina"]


def test_commands_and_options_are_completed() -> None:
    assert completed("s") == ["schema", "status"]
    assert completed("--dr") == ["--dry-run"]


def test_without_manifests_nothing_is_completed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENTS_DIR", str(folder / "elsewhere"))
    assert completed("doctor", "") == []


def test_the_program_answers_the_shell(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli"],
        cwd=tmp_path,
        env=environment(_RECONCILE_COMPLETE="bash_complete", COMP_WORDS="reconcile doctor u", COMP_CWORD="2"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("plain,uno\n", "")
