"""A page as a PDF, printed by the Chromium that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from runtime.errors import OperatorError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS: Final = 120
"""Time limit of printing one page."""


class NotPrinted(OperatorError):
    """There is no PDF, for want of a browser or by its failure."""


def browser() -> str:
    """The program that prints. Raises `NotPrinted` where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise NotPrinted(
            f"--pdf needs Chromium or Chrome on the PATH ({', '.join(BROWSERS)}), and there is none. On Debian: "
            "apt-get install chromium. Or write HTML and print it from any browser."
        )
    return found


def printed(html: str) -> bytes:
    """The page as a PDF. Raises `NotPrinted`."""
    program = browser()
    with tempfile.TemporaryDirectory() as folder:
        page, pdf = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_text(html, encoding="utf-8")
        # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the page is ours.
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        command = [program, *options, "--disable-background-networking", f"--user-data-dir={folder}/profile"]
        command += ["--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotPrinted(f"{program} could not print the report: {error}.") from error
        if done.returncode or not pdf.exists():
            last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise NotPrinted(f"{program} could not print the report (exit code {done.returncode}): {last}")
        return pdf.read_bytes()
