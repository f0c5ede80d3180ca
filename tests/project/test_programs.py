"""What both programs and the sandbox have in common: help that fits a terminal, errors of one style, Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
import pytest

from reconciler.cli import cli, run
from runtime.cli import main as bot
from sandbox.cli import main as sandbox

PROGRAMS = {"reconcile": cli, "horizonai-whatsapp-bot": bot, "python -m sandbox": sandbox}


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """The context of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from commands(below, click.Context(below, parent=context, info_name=name))


CONTEXTS = [
    context
    for name, program in PROGRAMS.items()
    for context in commands(program, click.Context(program, info_name=name, terminal_width=80, max_content_width=80))
]


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.command_path)
def test_each_command_s_help_fits_a_terminal_of_80_characters(context: click.Context) -> None:
    lines = context.command.get_help(context).splitlines()
    assert [line for line in lines if len(line) > 80] == []


def reconcile(*args: str) -> int:
    """`reconcile`, as its console script calls it."""
    return run(list(args))


def exit_code(program: click.Group, *args: str) -> int:
    """The exit code of a program that ends by itself."""
    with pytest.raises(SystemExit) as ended:
        program.main(list(args), prog_name="program")
    assert isinstance(ended.value.code, int)
    return ended.value.code


RUNS: dict[str, Callable[..., int]] = {
    "reconcile": reconcile,
    "horizonai-whatsapp-bot": lambda *args: exit_code(bot, *args),
    "sandbox": lambda *args: exit_code(sandbox, *args),
}


@pytest.mark.parametrize("program", RUNS)
def test_a_wrong_call_shows_the_usage_and_an_error_with_the_one_prefix(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert RUNS[program]("--nada") in (1, 2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (out, lines[0].startswith("Usage: ")) == ("", True)
    assert lines[-1].startswith("error: No such option")


@pytest.mark.parametrize("program", RUNS)
def test_ctrl_c_before_anything_ran_is_one_line(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    name = {"reconcile": "validate", "horizonai-whatsapp-bot": "migrate", "sandbox": "phone"}[program]
    group = {"reconcile": cli, "horizonai-whatsapp-bot": bot, "sandbox": sandbox}[program]
    command = group.get_command(click.Context(group), name)
    assert command is not None
    monkeypatch.setattr(command, "callback", interrupted)
    monkeypatch.setattr(command, "params", [])
    assert RUNS[program](name) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines()), err.startswith("Stopped")) == ("", 1, True)
