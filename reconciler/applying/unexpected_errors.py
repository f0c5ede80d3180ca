"""An unexpected exception: a bug in this program, or an unexpected answer.

It is one client's failure like any other. Its own text is not shown, since it may contain secrets: a header with a key,
an address with a password.
"""

from __future__ import annotations

import traceback

OURS = ("reconciler.", "runtime.", "schemas.")
"""The folder whose frames are reported; others belong to libraries."""


def fault_text(error: Exception) -> str:
    """Its sentence in the summary: its type, and its last frame in this program."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    module, line = [frame for frame in frames if frame[0].startswith(OURS)][-1]
    return f"an unexpected {type(error).__qualname__} in {module}, line {line}; report it with the log's traceback"


def fault_trace(error: Exception) -> str:
    """Its frames and its type, for the log."""
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{places}{type(error).__qualname__}"
