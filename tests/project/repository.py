"""Where things are in the repository, and the commands that its documents may name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CONSOLE_SCRIPTS = {
    "reconcile": "reconciler.cli:cli",
    "horizonai-whatsapp-bot": "runtime.cli:main",
    "sandbox": "sandbox.cli:main",
}
"""Where the click command of each program is."""
_COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(?:python -m )?(reconcile|horizonai-whatsapp-bot|sandbox)(?: +(.*))?$")


def console_script(name: str) -> click.Command:
    """The click command behind a console script, or behind `python -m sandbox`."""
    module, _, attribute = CONSOLE_SCRIPTS[name].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def commands_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each of our commands that stands alone on a line of `text`, as program and arguments, without comment or pipe."""
    for line in text.splitlines():
        found = _COMMAND.match(line.strip().removeprefix("- run: ").removeprefix("run: "))
        if found:
            words = shlex.split(found[2] or "", comments=True)
            yield found[1], list(_until_shell(words))


def _until_shell(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word in {"|", "||", "&&", ">", ">>", "2>", ";"}:
            return
        yield word


def parse(program: str, arguments: Sequence[str]) -> None:
    """Parse a command line as the program would, without running it. Raises click.UsageError."""
    command, rest, parent = console_script(program), list(arguments), None
    while True:
        context = command.make_context(command.name or program, rest, parent=parent)
        if not isinstance(command, click.Group):
            return
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, parent = found, context
