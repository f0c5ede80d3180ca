"""The command line when its output is closed, on a full disk, or a closed pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pseudo_terminal import Terminal
from tests.runtime.stores import make_file
from tests.sandbox_process import ROOT

FULL_DISK = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
COMMANDS = ["--help", "--version", "migrate", "token create grafana", "serve --port 0"]


def address(folder: Path) -> str:
    """That of the store in this folder."""
    return f"sqlite:///{folder}/runtime.db"


def make_store(folder: Path) -> None:
    """What `migrate` leaves."""
    make_file(folder / "runtime.db")


def environment(folder: Path) -> dict[str, str]:
    """That of a command with a store in this folder."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PUBLIC_URL": "http://127.0.0.1",
        "DATABASE_URL": address(folder),
    }


def in_a_shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line, in which `bot` is the command."""
    return subprocess.run(
        command.replace("bot ", f"{sys.executable} -m runtime ", 1),
        shell=True,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@FULL_DISK
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_under_the_output_is_a_sentence_and_no_success(tmp_path: Path, command: str) -> None:
    make_store(tmp_path)
    done = in_a_shell(tmp_path, f"bot {command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: The output cannot be written: No space left on device."
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_output_is_a_sentence_and_nothing_is_done(tmp_path: Path, command: str) -> None:
    done = in_a_shell(tmp_path, f"bot {command} >&-")
    assert done.returncode == 1
    assert done.stderr.startswith("error: stdout is closed, so the result could not be written; nothing was done.")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@FULL_DISK
def test_a_token_that_nobody_could_see_is_not_kept(tmp_path: Path) -> None:
    make_store(tmp_path)
    in_a_shell(tmp_path, "bot token create grafana > /dev/full")
    assert in_a_shell(tmp_path, "bot token list").stdout == ""
    assert in_a_shell(tmp_path, "bot token create grafana").returncode == 0


def test_a_reader_that_goes_away_is_not_told(tmp_path: Path) -> None:
    make_store(tmp_path)
    for name in ("uno", "dos", "tres"):
        in_a_shell(tmp_path, f"bot token create {name}")
    done = in_a_shell(tmp_path, "bot token list | true")
    assert done.stderr == ""


def test_a_question_without_a_standard_input_is_not_answered_with_yes(tmp_path: Path) -> None:
    done = in_a_shell(tmp_path, "bot forget +56912345678 <&-")
    assert done.returncode == 1
    assert done.stderr == "error: There is no terminal to ask on: add --yes to delete.\n"


def test_what_was_typed_before_a_question_does_not_answer_it_and_the_rest_is_not_left_for_the_shell(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "runtime", "forget", "+56912345678"]
    with Terminal(command, tmp_path, environment(tmp_path), typed_ahead="y\ntouch a\n") as terminal:
        terminal.answer("will be deleted for good. Continue? [y/N]:", "n\ntouch b\ntouch c")
        assert (terminal.finish(), terminal.left()) == (1, b""), terminal.shown
    assert terminal.shown.endswith("What followed the first line was discarded.\nStopped.\n")
