"""The command on a terminal, whose question is answered."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.forked import ROOT
from tests.pseudo_terminal import Terminal
from tests.reconciler.agency import Agency


def on_a_terminal(
    agency: Agency, *args: str, answer: str = "", meanwhile: Callable[[], object] | None = None, **environment: str
) -> tuple[int, str]:
    """Run the command on a terminal, type `answer` when it asks; gives exit code and all that was shown.

    `meanwhile` is called between its question and the answer.
    """
    settings = {**agency.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200", **environment}
    with Terminal([sys.executable, "-m", "reconciler.cli", *args], agency.folder, settings) as terminal:
        if answer and terminal.wait_for("[y/N]"):
            if meanwhile:
                meanwhile()
            terminal.type(f"{answer}\n")
        return terminal.finish(), terminal.shown
