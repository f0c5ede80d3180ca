"""The command's standard streams: closed ones, a reader that goes away, a full disk under them.

A result that cannot be shown is an error, whatever was done: nobody may take silence for success.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

import click

UNWRITABLE: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What our output meets: a reader who went away (`reconcile --dry-run | head`), who is not told, or a full disk."""


def fill_closed_streams() -> bool:
    """Open nothing in place of closed streams, before a file or a connection gets their number. Returns whether stdout
    was open."""
    # In the order of their numbers, since a file gets the lowest that is free.
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        nothing = os.open(os.devnull, os.O_RDWR)
        setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w", encoding="utf-8"))
    return "stdout" not in closed


def tell(text: str) -> None:
    """Say it on stderr; where that cannot be written to, the exit code has to tell."""
    try:
        click.echo(text, err=True)
    except OSError:
        flush_or_drop()


def tell_of_lost_output(error: OSError) -> None:
    """Say why the output could not be written. What is left of it goes nowhere."""
    flush_or_drop()
    if not isinstance(error, BrokenPipeError):
        tell(f"The output cannot be written: {error.strerror}.")


def flush_or_drop() -> None:
    """Write out what is left; of a stream that does not take it, that goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
