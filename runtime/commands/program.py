"""`horizonai-whatsapp-bot` as a whole: how it ends when it is called wrongly, is stopped, or its output
is closed or on a full disk."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Final

import click

from terminal.streams import fill_closed_streams

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of writing to an output. A closed pipe is not reported as an error; Click exits quietly then, with 1."""


class Program(click.Group):
    """A group that never reports success when its result could not be written."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and exit. Does nothing while stdout is closed: the next file opened would get its descriptor."""
        if not fill_closed_streams():
            _report(
                "stdout is closed, so the result could not be written; nothing was done. "
                "Redirect it to a file or /dev/null."
            )
            sys.exit(1)
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.exit(code if isinstance(code, int) else 0)
        except click.ClickException as error:
            _report_wrong_call(error)
            sys.exit(error.exit_code)
        except click.Abort:
            _print("Stopped.")
            sys.exit(1)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _drop(sys.stdout.fileno())
            _report(f"The output cannot be written: {error.strerror}.")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Ctrl-C ends it without the blank line that Click prints first."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


def _report_wrong_call(error: click.ClickException) -> None:
    """Prints an error of Click's, after the usage of the command that was called."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _print(f"{error.ctx.get_usage()}\n")
    _report(error.format_message())


def _report(text: str) -> None:
    """Prints what went wrong, with the prefix that errors have in all of the project's programs."""
    _print(f"error: {text}")


def _print(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:  # on the same full disk: only the exit code can report it
        _drop(sys.stderr.fileno())


def _drop(stream: int) -> None:
    """Discards what a stream has buffered and what is written to it later."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
