"""The tests of Ctrl-C hold wherever the tests are started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.repository import ROOT

INNER = """
import signal, subprocess, sys

def test_inner():
    child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    started = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert started.stdout == "True\\n"
    signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_tests_in_the_background_start_can_be_interrupted_and_they_themselves_cannot(
    tmp_path: Path, workers: str
) -> None:
    (tmp_path / "test_inner.py").write_text(INNER, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    plugins = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "tests.interrupts")
    tests = [sys.executable, "-m", "pytest", "-q", "-n", workers, *plugins, f"--rootdir={tmp_path}", str(tmp_path)]

    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
