"""The command's standard streams: a closed pipe, a full disk.

A result that cannot be shown is an error, even when the work was done, so that silence is never mistaken for success.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

import click

from terminal.language import said

UNWRITABLE: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of writing to an output: a closed pipe (`reconcile --dry-run | head`), which is not reported, or a full
disk."""


def print_error(text: str) -> None:
    """Print what went wrong on stderr, with the prefix that errors have in all of the project's programs."""
    print_notice(f"error: {said(text)}")


def print_wrong_call(error: click.ClickException) -> None:
    """Print an error of Click's, after the usage of the command that was called."""
    usage = error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx is not None else None
    if usage is not None:
        print_notice(f"{usage}\n")
    print_error(error.format_message())


def print_notice(text: str) -> None:
    """Print it on stderr; where that cannot be written to, only the exit code reports it."""
    try:
        click.echo(text, err=True)
    except OSError:
        flush_or_drop()


def report_lost_output(error: OSError) -> None:
    """Report why the output could not be written. The rest of it is discarded."""
    flush_or_drop()
    if not isinstance(error, BrokenPipeError):
        print_error(f"The output cannot be written: {error.strerror}.")


def flush_or_drop() -> None:
    """Write out what is buffered; a stream that does not accept it discards it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
