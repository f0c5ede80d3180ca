"""An exception that nobody foresaw: a mistake in this program, or an answer that nobody thought possible.

It is one client's failure like any other. Its own text is kept out, since it may hold what must not be shown: a header
with a key, an address with a password.
"""

from __future__ import annotations

import traceback

OURS = ("reconciler.", "runtime.", "schemas.")
"""Where a fault is looked for; below that are libraries."""


def fault_text(error: Exception) -> str:
    """What the summary says of it: its type, and the last place of ours that it came through."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    module, line = [frame for frame in frames if frame[0].startswith(OURS)][-1]
    return f"an unforeseen {type(error).__qualname__} in {module}, line {line}; report it with the log's traceback"


def fault_trace(error: Exception) -> str:
    """Every place that it came through, and its type; for the log."""
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{places}{type(error).__qualname__}"
