"""`horizonai-whatsapp-bot` as a whole: what becomes of it when its output is closed or on a full disk."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Final

import click

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What writing to an output meets. A reader who went away is no error to be told; Click ends quietly then, with 1."""


class Program(click.Group):
    """A group that never claims success for a result that nobody could see."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and exit. Does nothing at all while stdout is closed: the next file opened would get its number."""
        if not fill_closed_streams():
            _tell("stdout is closed, so nobody would see the result; nothing was done. Send it to a file or /dev/null.")
            sys.exit(1)
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _drop(sys.stdout.fileno())
            _tell(f"The output cannot be written: {error.strerror}.")
            sys.exit(1)


def fill_closed_streams() -> bool:
    """Opens nothing in place of closed streams; returns whether stdout was open. `reconcile` has the same: what both
    may import would load pydantic before either command knows that it needs it."""
    # In the order of their numbers, since a file gets the lowest that is free.
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        nothing = os.open(os.devnull, os.O_RDWR)
        setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w", encoding="utf-8"))
    return "stdout" not in closed


def _tell(text: str) -> None:
    try:
        click.echo(f"Error: {text}", err=True)
    except OSError:  # on the same full disk: the exit code has to tell
        _drop(sys.stderr.fileno())


def _drop(stream: int) -> None:
    """What is left of a stream, and comes yet, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
