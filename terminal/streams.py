"""Standard streams that were closed before the program started."""

from __future__ import annotations

import os
import sys


def fill_closed_streams() -> bool:
    """Open the null device in place of closed streams, before a file or a connection gets their descriptor. Returns
    whether stdout was open."""
    # In the order of their descriptors, since a file gets the lowest free one.
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        nothing = os.open(os.devnull, os.O_RDWR)
        setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w", encoding="utf-8"))
    return "stdout" not in closed
