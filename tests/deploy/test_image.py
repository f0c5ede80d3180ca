"""deploy/check_image.py finds what would fail in Docker. The whole image is built by `make image`."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.check_image import ROOT, CheckFailed, Image, steps


def test_continued_lines_and_comments_are_read_as_docker_does() -> None:
    script = steps("FROM a AS build\n# no step\nRUN one \\\n    two\n\nFROM b\nRUN three\n")

    assert [(step.stage, step.instruction, step.arguments) for step in script] == [
        (0, "FROM", "a AS build"),
        (0, "RUN", "one two"),
        (1, "FROM", "b"),
        (1, "RUN", "three"),
    ]


def test_steps_work_on_the_images_own_paths(tmp_path: Path) -> None:
    Image(tmp_path).build(
        list(steps("FROM a\nWORKDIR /src\nCOPY LICENSE ./\nRUN mkdir -p /opt/x && cp LICENSE /opt/x/y\n"))
    )

    assert (tmp_path / "opt/x/y").read_text() == (ROOT / "LICENSE").read_text()


def test_a_step_that_fails_ends_the_check_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="`false` ended with exit code 1"):
        Image(tmp_path).build(list(steps("FROM a\nRUN false\n")))
