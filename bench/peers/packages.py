"""Where the peers are installed: an environment of their own, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.installation import WORK
from bench.measure import progress

VENV = WORK / "peers"
BIN = VENV / "bin"


class Unobtainable(Exception):
    """A peer cannot be had on this machine; the text says why."""


def install(requirement: str) -> None:
    """Installs one pinned package. Raises `Unobtainable`."""
    mark = VENV / f".{requirement}"
    if mark.exists():
        return
    if not (BIN / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    progress(f"installing {requirement}")
    command = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()
        raise Unobtainable(f"{requirement} could not be installed ({reason[-1] if reason else 'pip gave no reason'})")
    subprocess.run([BIN / "python", "-m", "compileall", "-q", Path("lib")], cwd=VENV, check=False)
    mark.touch()
