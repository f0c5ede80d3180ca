"""Documents and workflows lead somewhere: links, anchors, commands and flags exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from tests.project.repository import CONSOLE_SCRIPTS, DOCUMENTS, ROOT, WORKFLOWS, commands_in, console_script, parse

FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_link_to_a_file_leads_there(document: Path) -> None:
    prose = FENCED.sub("", document.read_text())
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    broken = []
    for target in targets:
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_command_that_a_document_shows_is_understood(document: Path) -> None:
    blocks = [found[0] for found in FENCED.finditer(document.read_text())]

    for block in blocks:
        for program, arguments in commands_in(block):
            parse(program, [word for word in arguments if word != "…"])


def scripts(workflow: Path) -> list[str]:
    """The shell scripts of a workflow's steps."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=names)
def test_every_command_that_a_workflow_runs_is_understood(workflow: Path) -> None:
    for program, arguments in commands_in("\n".join(scripts(workflow))):
        parse(program, arguments)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=names)
def test_every_script_of_a_workflow_is_valid_bash(workflow: Path) -> None:
    for script in scripts(workflow):
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert checked.stderr == ""


def commands_of(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    """A command and its subcommands, each with the words that call it."""
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for sub in command.list_commands(context):
            child = command.get_command(context, sub)
            assert child is not None
            found += commands_of(f"{name} {sub}", child)
    return found


@pytest.mark.parametrize("program", sorted(CONSOLE_SCRIPTS))
def test_the_command_reference_lists_every_command_and_flag(program: str) -> None:
    reference = (ROOT / "docs" / "cli.md").read_text()
    typed = f"python -m {program}" if program == "sandbox" else program
    missing = []
    for words, command in commands_of(typed, console_script(program)):
        section = re.search(rf"^### `{re.escape(words)}`.*?(?=^##|\Z)", reference, re.MULTILINE | re.DOTALL)
        if section is None:
            missing.append(words)
            continue
        flags = [flag for option in command.params for flag in option.opts if flag.startswith("--")]
        missing += [f"{words} {flag}" for flag in flags if f"`{flag}" not in section[0]]

    assert missing == []


def test_the_command_reference_lists_no_command_twice_or_that_is_gone() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text()
    there = {
        words
        for program in CONSOLE_SCRIPTS
        for words, _ in commands_of(
            f"python -m {program}" if program == "sandbox" else program, console_script(program)
        )
    }

    listed = re.findall(r"^### `([^`]+)`", reference, re.MULTILINE)
    assert set(listed) <= there
    assert len(listed) == len(set(listed))


def test_log_events_that_the_guide_explains_are_logged() -> None:
    guide = (ROOT / "docs" / "guia.es.md").read_text()
    table = guide[guide.index("¿Llega el mensaje?") : guide.index("¿Qué recibe la persona")]
    explained = {
        event for row in re.findall(r"^ *\| (`.*?`) \|", table, re.MULTILINE) for event in re.findall(r"`(.*?)`", row)
    }
    source = "".join(path.read_text() for path in (ROOT / "runtime").rglob("*.py"))

    assert explained
    assert [event for event in sorted(explained) if f'"{event}"' not in source] == []
