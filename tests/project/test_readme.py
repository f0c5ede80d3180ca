"""What the README shows is what happens: the demo's output, the five-line client, its two mistakes."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.project.repository import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
START_SECONDS = 60


def block(start: str) -> str:
    """The README's block that begins with this text."""
    return next(text for _, text in BLOCKS if text.startswith(start))


def comparable(text: str) -> list[str]:
    """Lines without what differs from run to run: ports and indentation."""
    return [line.strip() for line in re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", text).splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to work in, with the shipped manifests."""
    shutil.copytree(ROOT / "clients.d", tmp_path / "clients.d")
    return tmp_path


@pytest.mark.long
def test_the_demo_prints_what_the_readme_shows(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    printed = iter(comparable(done.stdout))
    shown = [line for line in comparable(block("$ reconcile validate\n…")) if line not in {"", "…"}]

    assert done.returncode == 0, done.stdout + done.stderr
    missing = [line for line in shown if line not in printed]
    assert missing == []


def test_the_five_line_client_is_valid(folder: Path) -> None:
    manifest = block("id: ferreteria-sur")
    (folder / "clients.d" / "ferreteria-sur.yaml").write_text(manifest)

    done = subprocess.run([BIN / "reconcile", "validate"], cwd=folder, capture_output=True, text=True, check=False)

    assert len(manifest.splitlines()) == 5
    assert done.stdout.splitlines()[-1].startswith("4 clients, 0 errors")


def test_the_mistakes_in_it_are_told_as_shown(tmp_path: Path) -> None:
    (tmp_path / "clients.d").mkdir()
    shutil.copy(ROOT / "clients.d" / "_defaults.yaml", tmp_path / "clients.d")
    manifest = block("id: ferreteria-sur").replace('"', "").replace("instructions:", "instruction:")
    (tmp_path / "clients.d" / "ferreteria-sur.yaml").write_text(manifest)

    done = subprocess.run([BIN / "reconcile", "validate"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert f"$ reconcile validate\n{done.stdout}" == block("$ reconcile validate\nclients.d")


@pytest.fixture
def usual_ports_taken() -> Iterator[None]:
    """Has play use ports on which no other process will listen when it has ended, as one may on the usual ports."""
    with ExitStack() as taken:
        for port in (8080, 8101, 8102):
            listener = taken.enter_context(closing(socket.socket()))
            with suppress(OSError):  # taken by another program already
                listener.bind(("127.0.0.1", port))
                listener.listen()
        yield


@pytest.mark.long
@pytest.mark.usefixtures("usual_ports_taken")
def test_ending_play_ends_what_it_started(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "play"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as playing:
        assert playing.stdout is not None
        lines = []
        deadline = time.monotonic() + START_SECONDS
        while "ledger" not in "".join(lines) and time.monotonic() < deadline:
            lines.append(playing.stdout.readline())
        running = [url for url in re.findall(r"^  \w+ +(http://\S+)$", "".join(lines), re.MULTILINE) if listens(url)]
        playing.send_signal(signal.SIGTERM)
        playing.communicate(timeout=START_SECONDS)

    assert len(running) == 3
    assert playing.returncode == 0
    assert [url for url in running if listens(url)] == []


def listens(url: str) -> bool:
    """Whether something accepts connections there."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 80)) == 0
