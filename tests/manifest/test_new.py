"""`reconcile new`: a manifest from flags or from answers on a terminal; what it writes always validates."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.manifest import load
from tests.manifest.fleet_files import environment, manifest, reconcile, write_files
from tests.pseudo_terminal import Terminal

NAME = ("--name", "Restaurante La Cocina")
NUMBER = ("--number", "+56 9 6123 4567")
PROMPT = ("--instructions", "Eres el asistente de La Cocina: amable, breve # y puntual.")


def test_flags_write_a_manifest_that_validates(tmp_path: Path) -> None:
    done = reconcile(tmp_path, "new", *NAME, *NUMBER, *PROMPT)
    assert (done.returncode, done.stderr) == (0, "")
    (written,) = load(tmp_path / "clients.d").clients
    assert written.path == "clients.d/restaurante-la-cocina.yaml"
    assert (written.client.id, written.client.number) == ("restaurante-la-cocina", "+56961234567")
    assert (written.client.assistant.model, written.instructions) == ("gpt-6-luna", PROMPT[1])
    assert done.stdout.startswith("Wrote clients.d/restaurante-la-cocina.yaml\nNext:\n")


@pytest.mark.parametrize("engine", ["responses", "agents", "assistants"])
def test_everything_that_stands_there_as_a_comment_validates_too(tmp_path: Path, engine: str) -> None:
    reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, *PROMPT, "--engine", engine)
    path = tmp_path / "clients.d/uno.yaml"
    first, rest = path.read_text().split("\n", 1)
    assert first == "# yaml-language-server: $schema=../schemas/client.schema.json"
    path.write_text(re.sub(r"(?m)^( *)# ", r"\1", rest))
    (written,) = load(tmp_path / "clients.d").clients
    assert (written.client.state, written.client.protected) == ("paused", True)
    documents = ["file_search"] if engine == "responses" else []
    assert [tool.type for tool in written.client.assistant.tools] == ["web_search", "function", *documents]
    assert written.client.assistant.engine == engine


def test_long_prompt_gets_a_file_of_its_own(tmp_path: Path) -> None:
    prompt = "Eres el asistente.\n" * 50
    (tmp_path / "prompt.txt").write_text(prompt)
    done = reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, "--instructions-file", "prompt.txt")
    assert done.returncode == 0
    assert (tmp_path / "clients.d/uno/prompt.md").read_text() == prompt
    assert load(tmp_path / "clients.d").clients[0].instructions == prompt


def test_model_is_left_to_the_defaults_when_they_have_one(tmp_path: Path) -> None:
    write_files(tmp_path, {"_defaults.yaml": "assistant: {model: gpt-6-sol}\n"})
    assert reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, *PROMPT).returncode == 0
    assert load(tmp_path / "clients.d").clients[0].client.assistant.model == "gpt-6-sol"
    assert "model" not in yaml.safe_load((tmp_path / "clients.d/uno.yaml").read_text())["assistant"]


def test_without_a_terminal_missing_flags_are_named(tmp_path: Path) -> None:
    done = reconcile(tmp_path, "new", *NAME)
    assert done.returncode == 1
    assert "Missing --number, --instructions. Without a terminal they cannot be asked for." in done.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest("otro")})
    done = reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, *PROMPT)
    assert done.returncode == 1
    assert "uno.yaml exists already. Choose another id, or edit that file." in done.stderr
    assert (folder / "uno.yaml").read_text() == manifest("otro")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("uno", *NAME, "--number", "+56961234501", *PROMPT), 'id: "uno" is taken. Choose another.'),
        (("dos", *NAME, "--number", "+56961234501", *PROMPT), 'number: taken by "uno". Give another.'),
        (("dos", *NAME, "--number", "961234501", *PROMPT), 'number: "961234501" is not a phone number in E.164.'),
        (("Dos", *NAME, *NUMBER, *PROMPT), 'id: "Dos" is not an id.'),
        (("dos", *NAME, *NUMBER, "--instructions", ""), "assistant.instructions: an empty text."),
        (
            ("dos", *NAME, *NUMBER, *PROMPT, "--instructions-file", "x"),
            "Give one of --instructions, --instructions-file and --edit.",
        ),
        (("dos", *NAME, *NUMBER, "--instructions-file", "x.md"), "x.md: there is no such file."),
    ],
)
def test_wrong_flags_write_nothing(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    done = reconcile(tmp_path, "new", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert [path.name for path in folder.iterdir()] == ["uno.yaml"]


def test_nothing_is_left_behind_when_the_result_would_not_validate(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest()})
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz012345"
    done = reconcile(tmp_path, "new", "dos", *NAME, *NUMBER, "--instructions", f"La clave es {key}")
    assert done.returncode == 1
    assert "an OpenAI API key is written out" in done.stderr
    assert key not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["uno.yaml"]


def test_other_files_are_corrected_first(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest(more="oops: 1\n")})
    done = reconcile(tmp_path, "new", "dos", *NAME, *NUMBER, *PROMPT)
    assert done.returncode == 1
    assert "oops: unknown key" in done.stderr
    assert "Nothing was written: correct these files first." in done.stderr


def new_on_a_terminal(root: Path, *arguments: str, **settings: str) -> Terminal:
    """`reconcile new` on a terminal of its own."""
    command = [sys.executable, "-m", "reconciler.cli", "new", *arguments]
    return Terminal(command, root, environment(TERM="dumb", **settings))


def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    with new_on_a_terminal(tmp_path) as terminal:
        terminal.answer("Name of the client:", "Café Ñandú")
        terminal.answer("Id, for files and commands [cafe-nandu]:", "uno")
        terminal.answer("Id, for files and commands [cafe-nandu]:", "")
        terminal.answer("WhatsApp number:", "961234567")
        terminal.answer("WhatsApp number:", "+56 9 6123 4567")
        terminal.answer("Model [gpt-6-luna]:", "")
        terminal.answer("Instructions, ended by an empty line (Enter alone: a draft to edit):", "")
        assert terminal.finish() == 0, terminal.shown
    assert 'id: "uno" is taken. Choose another.' in terminal.shown
    assert 'number: "961234567" is not a phone number in E.164.' in terminal.shown
    created = load(tmp_path / "clients.d").clients[0]
    assert (created.client.id, created.client.name, created.client.number) == (
        "cafe-nandu",
        "Café Ñandú",
        "+56961234567",
    )
    assert created.instructions.startswith("Eres el asistente de Café Ñandú.")


LINES = "Eres el asistente de La Cocina.\nEres amable.\n\n  - Hablas español.\n\ntouch run-by-the-shell"


@pytest.mark.parametrize(
    ("end", "typed"), [("\n\n", ""), ("", "\n\n")], ids=["with its blank line", "without its last line's end"]
)
def test_pasted_prompt_is_read_whole_and_nothing_is_left_for_the_shell(tmp_path: Path, end: str, typed: str) -> None:
    with new_on_a_terminal(tmp_path, "uno", *NAME, *NUMBER, "--model", "gpt-6-luna") as terminal:
        assert terminal.wait_for("Instructions, ended by an empty line")
        terminal.type(LINES + end)
        assert terminal.wait_for("touch run-by-the-shell")
        terminal.type(typed)
        assert (terminal.finish(), terminal.left()) == (0, b""), terminal.shown
    assert load(tmp_path / "clients.d").clients[0].instructions == LINES


def test_paste_longer_than_what_a_terminal_holds_is_read_whole(tmp_path: Path) -> None:
    prompt = "\n\n".join(f"{number}. {'No inventes precios. ' * 60}".rstrip() for number in range(12))
    with new_on_a_terminal(tmp_path, "uno", *NAME, *NUMBER, "--model", "gpt-6-luna") as terminal:
        assert terminal.wait_for("Instructions, ended by an empty line")
        terminal.type(prompt + "\n\n")
        assert (terminal.finish(), terminal.left()) == (0, b""), terminal.shown
    assert load(tmp_path / "clients.d").clients[0].instructions.rstrip("\n") == prompt


def test_line_that_a_terminal_cuts_is_refused(tmp_path: Path) -> None:
    with new_on_a_terminal(tmp_path, "uno", *NAME, *NUMBER, "--model", "gpt-6-luna") as terminal:
        terminal.answer("Instructions, ended by an empty line", "x" * 5000)
        # What is typed before the question is there again is discarded with the rest of the line.
        again = "Save the text in a file and name that file.\nInstructions, ended by an empty line"
        terminal.answer(again, "Eres amable.\n")
        assert terminal.finish() == 0, terminal.shown
    assert load(tmp_path / "clients.d").clients[0].instructions == "Eres amable."


def test_lines_pasted_where_one_is_asked_for_answer_no_other_question(tmp_path: Path) -> None:
    with new_on_a_terminal(tmp_path, *PROMPT) as terminal:
        terminal.answer("Name of the client:", "Café Ñandú\notro\n+56961234567\ntouch a\ntouch b\ntouch c")
        terminal.answer("What followed the first line was discarded.\nId, for files and commands [cafe-nandu]:", "")
        terminal.answer("WhatsApp number:", "+56961234567\ntouch d")
        terminal.answer("Model [gpt-6-luna]:", "\ntouch e")
        assert (terminal.finish(), terminal.left()) == (0, b""), terminal.shown
    assert load(tmp_path / "clients.d").clients[0].client.id == "cafe-nandu"


def test_end_of_the_input_is_no_prompt(tmp_path: Path) -> None:
    with new_on_a_terminal(tmp_path, "uno", *NAME, *NUMBER, "--model", "gpt-6-luna") as terminal:
        assert terminal.wait_for("Instructions, ended by an empty line")
        terminal.type("\x04")
        assert terminal.finish() == 1, terminal.shown
    assert terminal.shown.endswith("Stopped; nothing was changed.\n")
    assert not (tmp_path / "clients.d").exists()


def editor(root: Path, script: str) -> str:
    """An editor that does this with the file at $1."""
    path = root / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def test_prompt_is_written_in_the_editor(tmp_path: Path) -> None:
    write = editor(tmp_path, 'printf "Sé breve.\\n\\nNo inventes precios.\\n" >> "$1"; touch -d tomorrow "$1"')
    done = reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, "--edit", EDITOR=write)
    assert (done.returncode, done.stderr) == (0, "")
    draft, rest = load(tmp_path / "clients.d").clients[0].instructions.split("\n", 1)
    assert draft.startswith("Eres el asistente de Restaurante La Cocina.")
    assert rest == "Sé breve.\n\nNo inventes precios."


def test_prompt_that_was_not_saved_writes_nothing(tmp_path: Path) -> None:
    done = reconcile(tmp_path, "new", "uno", *NAME, *NUMBER, "--edit", EDITOR="true")
    assert done.returncode == 1
    assert "The editor was closed without saving, so there is no text." in done.stderr
    assert not (tmp_path / "clients.d").exists()


def test_wrong_prompt_is_edited_again(tmp_path: Path) -> None:
    blank_then_whole = editor(
        tmp_path,
        'if test -e once; then echo "Eres amable." > "$1"; else echo > "$1"; fi; touch once; touch -d tomorrow "$1"',
    )
    with new_on_a_terminal(tmp_path, "uno", *NAME, *NUMBER, "--edit", EDITOR=blank_then_whole) as terminal:
        terminal.answer("Model [gpt-6-luna]:", "")
        terminal.answer("Edit it again? [y/N]:", "y")
        assert terminal.finish() == 0, terminal.shown
    assert "error: assistant.instructions: an empty text." in terminal.shown
    assert load(tmp_path / "clients.d").clients[0].instructions == "Eres amable."
