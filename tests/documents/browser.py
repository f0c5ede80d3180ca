"""A real browser without a window: Chromium, as Debian's package `chromium` installs it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")
"""Skips where there is none, and only there: a Chromium that is installed and does not start is a failure."""


def dom(page: Path, profile: Path) -> str:
    """The document as it stands once it is loaded and its scripts, if any could, have run."""
    return _run(page, profile, "--virtual-time-budget=1000", "--dump-dom")


def printed(page: Path, profile: Path) -> bytes:
    """The page as a PDF."""
    pdf = page.with_suffix(".pdf")
    _run(page, profile, f"--print-to-pdf={pdf}")
    return pdf.read_bytes()


def _run(page: Path, profile: Path, *options: str) -> str:
    assert CHROMIUM is not None
    # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the page is ours.
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
    command = [CHROMIUM, *flags, "--disable-background-networking", f"--user-data-dir={profile}"]
    done = subprocess.run(
        [*command, *options, page.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
