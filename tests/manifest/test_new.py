"""`reconcile new`: a manifest from flags or from answers on a terminal; what it writes always validates."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest
import yaml

from reconciler.manifest import load
from tests.manifest.fleet_files import environment, manifest, reconcile, write_files

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
            "--instructions or --instructions-file, not both",
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


class Terminal:
    """`reconcile new` on a terminal of its own, answered like a person would."""

    def __init__(self, root: Path) -> None:
        self.ours, theirs = pty.openpty()
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler.cli", "new"],
            cwd=root,
            env=environment(TERM="dumb"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.ours)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def answer(self, question: str, text: str) -> None:
        """Waits for a question that was not there before, then types."""
        start = len(self.said)
        deadline = time.monotonic() + 30
        while question not in self.said[start:]:
            assert time.monotonic() < deadline, self.said
            self._read(1)
        os.write(self.ours, f"{text}\n".encode())

    def finish(self) -> str:
        """What was said until the command ended."""
        while self._read(30):
            pass
        assert self.process.wait(30) == 0, self.said
        return self.said

    def _read(self, seconds: float) -> bool:
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        # A terminal whose other end is closed ends with an error, not with an empty read.
        try:
            self.said += os.read(self.ours, 65536).decode()
        except OSError:
            return False
        return True


def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest()})
    with Terminal(tmp_path) as terminal:
        terminal.answer("Name of the client:", "Café Ñandú")
        terminal.answer("Id, for files and commands [cafe-nandu]:", "uno")
        terminal.answer("Id, for files and commands [cafe-nandu]:", "")
        terminal.answer("WhatsApp number:", "961234567")
        terminal.answer("WhatsApp number:", "+56 9 6123 4567")
        terminal.answer("Model [gpt-6-luna]:", "")
        terminal.answer("Instructions", "")
        said = terminal.finish()
    assert 'id: "uno" is taken. Choose another.' in said
    assert 'number: "961234567" is not a phone number in E.164.' in said
    created = load(tmp_path / "clients.d").clients[0]
    assert (created.client.id, created.client.name, created.client.number) == (
        "cafe-nandu",
        "Café Ñandú",
        "+56961234567",
    )
    assert created.instructions.startswith("Eres el asistente de Café Ñandú.")
