"""Every question that a command asks on its terminal.

What was typed before a question does not answer it, and what is left of an answer, such as the other lines of a paste,
is read here and discarded: the shell, which reads the same terminal next, would run it. Questions go to stderr. Ctrl-C
and the end of the input raise `click.Abort`.
"""

from __future__ import annotations

import os
import re
import select
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from terminal.language import language, said

QUIET_SECONDS: Final = 0.1
"""A paste arrives in pieces; one that was silent for this long has ended."""
LONGEST_LINE: Final = 4096 if sys.platform == "linux" else 1024
"""Bytes of a line, its end included, from which on a terminal drops what is typed."""
BLANK_LAST_LINE: Final = re.compile(rb"(?:\A|\n)[ \t\r]*\n\Z")

LOCAL_FLAGS, CONTROL_CHARACTERS = 3, 6
"""Places in the list of `termios.tcgetattr`."""

YES: Final = frozenset({"s", "si", "sí", "y", "yes"})
"""What is a yes, in whichever language the question is."""

Check = Callable[[str], str]
"""The answer as it is used. Raises `click.UsageError` for one that is wrong, and the question is asked again."""


def can_ask() -> bool:
    """Whether a question is seen on this terminal, and can be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> None:
    """Ask for a yes. Raises `click.Abort` for any other answer."""
    choice = "y/N" if language() == "en" else "s/N"
    with _one_answer():
        answer: str = click.prompt(f"{said(question)} [{choice}]", default="", show_default=False, err=True)
    if answer.strip().casefold() not in YES:
        raise click.Abort


def ask_line(label: str, check: Check, suggestion: str | None = None) -> str:
    """A line, asked for until it is right; Enter alone is the suggestion."""

    def ask() -> str:
        with _one_answer():
            answer: str = click.prompt(said(label), default=suggestion, err=True)
        return check(answer)

    return _until_right(ask)


def ask_text(label: str, check: Check, suggestion: str) -> str:
    """Lines up to a blank one or Ctrl-D; a blank line within a paste belongs to the text. Enter alone is the
    suggestion."""

    def ask() -> str:
        with _one_answer():
            _say(f"{said(label)}:")
            text = _read_text()
        return check(text.strip("\r\n") if text.strip() else suggestion)

    return _until_right(ask)


def edit_text(draft: str, check: Check) -> str:
    """The text as it was saved in $VISUAL or $EDITOR, which is opened again for one that is wrong."""
    text = draft
    while True:
        saved = click.edit(text, extension=".md")
        if saved is None:
            raise click.UsageError("The editor was closed without saving, so there is no text.")
        try:
            return check(saved)
        except click.UsageError as wrong:
            if not can_ask():
                raise
            _say(f"error: {said(wrong.message)}")
        confirm("Edit it again?")
        text = saved


def next_line(prompt: str) -> str | None:
    """The next line of a conversation, None at the end of the input. It may come from a file, and what was typed ahead
    counts: it is not the answer to a question."""
    if can_ask():
        click.echo(prompt, nl=False, err=True)
    return sys.stdin.readline() or None


def _until_right(ask: Callable[[], str]) -> str:
    while True:
        try:
            return ask()
        except click.UsageError as wrong:
            _say(f"error: {said(wrong.message)}")


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def _one_answer() -> Iterator[None]:
    """Discard what was typed before the question, and after its answer what is left of a paste."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        yield
    finally:
        if _typed_ahead().strip():
            _say(said("What followed the first line was discarded."))


def _read_text() -> str:
    """What is typed until a blank line, or until the end of the input."""
    text = b""
    while line := os.read(sys.stdin.fileno(), LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise click.UsageError(
                f"A line is longer than the {LONGEST_LINE - 1} bytes that a terminal accepts, so its end is missing. "
                "Save the text in a file and name that file."
            )
        text += line
        if BLANK_LAST_LINE.search(text):
            text += _typed_ahead()
            if BLANK_LAST_LINE.search(text):
                break
    if not text:
        raise click.Abort
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise click.UsageError("The text is not UTF-8.") from None


def _typed_ahead() -> bytes:
    """What the terminal holds until it is silent, also a line without its end, which it otherwise keeps for itself."""
    terminal = sys.stdin.fileno()
    by_lines = termios.tcgetattr(terminal)
    by_bytes = termios.tcgetattr(terminal)
    by_bytes[LOCAL_FLAGS] &= ~termios.ICANON
    by_bytes[CONTROL_CHARACTERS][termios.VMIN] = 1
    by_bytes[CONTROL_CHARACTERS][termios.VTIME] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, by_bytes)
    typed = b""
    try:
        while select.select([terminal], [], [], QUIET_SECONDS)[0] and (piece := os.read(terminal, 65536)):
            typed += piece
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, by_lines)
    return typed
