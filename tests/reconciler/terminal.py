"""The command on a terminal: a process of its own whose input and outputs are a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable

from tests.forked import ROOT
from tests.reconciler.agency import Agency

DEADLINE_SECONDS = 30.0


def on_a_terminal(
    agency: Agency, *args: str, answer: str = "", meanwhile: Callable[[], object] | None = None, **environment: str
) -> tuple[int, str]:
    """Run the command on a terminal, type `answer` when it asks; gives exit code and all that was shown.

    `meanwhile` is called between its question and the answer.
    """
    ours, theirs = pty.openpty()
    settings = {**agency.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler.cli", *args],
        cwd=agency.folder,
        env=settings,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        shown = _shown(ours, answer, meanwhile)
    finally:
        os.close(ours)
        if process.poll() is None:
            process.wait(timeout=DEADLINE_SECONDS)
    return process.returncode, shown.replace("\r\n", "\n")


def _shown(terminal: int, answer: str, meanwhile: Callable[[], object] | None) -> str:
    """Everything until the other side hangs up."""
    shown = b""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and select.select([terminal], [], [], DEADLINE_SECONDS)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux tells the end of a terminal in this way
            break
        if not chunk:
            break
        shown += chunk
        if answer and b"[y/N]" in shown:
            if meanwhile:
                meanwhile()
            os.write(terminal, answer.encode() + b"\n")
            answer = ""
    return shown.decode()
