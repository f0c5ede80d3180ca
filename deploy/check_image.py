"""Runs the steps of deploy/Dockerfile in an empty folder, without Docker: every COPY and RUN of the build stage, then
the image's command and its health check, on this machine's Python.

What it cannot show is the base image and the user in it. `python deploy/check_image.py`, or `make image`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PORT = "8080"
START_SECONDS = 30.0
DONE_BY_DOCKER = ("useradd",)
"""Steps that need root in an image of its own."""


class CheckFailed(Exception):
    """A step that would fail in Docker, too; the text says which."""


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile."""

    stage: int
    instruction: str
    arguments: str


def steps(text: str) -> Iterator[Step]:
    """The instructions, in order, continued lines put together."""
    stage = -1
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        instruction, _, arguments = line.strip().partition(" ")
        if not instruction or instruction.startswith("#"):
            continue
        stage += instruction == "FROM"
        yield Step(stage, instruction, arguments.strip())


class Image:
    """A folder in the place of an image's root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root
        self.environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(root)}

    def build(self, script: list[Step]) -> None:
        """Carries the steps out."""
        for step in script:
            match step.instruction:
                case "WORKDIR":
                    self._folder = self._at(step.arguments)
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "ENV":
                    pairs = dict(pair.split("=", 1) for pair in step.arguments.split())
                    path = self.environment["PATH"]
                    self.environment |= {
                        name: self._inside(value.replace("$PATH", path)) for name, value in pairs.items()
                    }
                case "COPY" if not step.arguments.startswith("--from="):
                    *sources, target = step.arguments.split()
                    for source in sources:
                        self._copy(source, target)
                case "RUN" if not step.arguments.startswith(DONE_BY_DOCKER):
                    print(f"RUN {step.arguments}", flush=True)
                    self.run(step.arguments)

    def run(self, command: str) -> None:
        """Runs one command as the image would; raises CheckFailed when it fails."""
        shell = ["/bin/sh", "-ec", self._inside(command)]
        done = subprocess.run(shell, cwd=self._folder, env=self.environment)  # noqa: S603 - our own Dockerfile's
        if done.returncode:
            raise CheckFailed(f"`{command}` ended with exit code {done.returncode}.")

    def start(self, command: list[str], **settings: str) -> subprocess.Popen[bytes]:
        """Starts the image's command."""
        environment = self.environment | settings
        return subprocess.Popen(command, cwd=self._folder, env=environment)  # noqa: S603 - our own Dockerfile's

    def _copy(self, source: str, target: str) -> None:
        origin, destination = ROOT / source, self._folder / target
        if origin.is_dir():
            shutil.copytree(origin, destination, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, destination)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _inside(self, text: str) -> str:
        """The image's absolute paths, moved into the folder; those of a virtual environment follow from its place."""
        return re.sub(r"(?<![\w.])/(opt|src|var/lib)/", rf"{self._root}/\1/", text)


def check(folder: Path) -> None:
    """Builds, starts, asks for the health, stops."""
    script = list(steps(DOCKERFILE.read_text(encoding="utf-8")))
    last = script[-1].stage
    image = Image(folder)
    image.build([step for step in script if step.stage < last])
    image.build([step for step in script if step.stage == last])
    said = {step.instruction: step.arguments for step in script if step.stage == last}
    port = _free_port()
    command = [*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])]
    # On this machine only this user has access.
    command = [argument.replace(PORT, port).replace("0.0.0.0", "127.0.0.1") for argument in command]  # noqa: S104
    probe = json.loads(said["HEALTHCHECK"].partition("CMD ")[2].replace(PORT, port))
    print(f"ENTRYPOINT {' '.join(command)}", flush=True)
    process = image.start(command, LOG_LEVEL="error")
    try:
        _wait_until_healthy(image, process, probe)
    finally:
        process.send_signal(getattr(signal, said["STOPSIGNAL"]))
        code = process.wait(timeout=60)
    if code:
        raise CheckFailed(f"{said['STOPSIGNAL']} ended it with exit code {code}, not 0.")


def _wait_until_healthy(image: Image, process: subprocess.Popen[bytes], probe: list[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CheckFailed(f"The command ended by itself, with exit code {process.returncode}.")
        asked = subprocess.run(probe, env=image.environment, capture_output=True)  # noqa: S603 - our own Dockerfile's
        if asked.returncode == 0:
            return
        time.sleep(0.2)
    raise CheckFailed(f"It was not healthy within {START_SECONDS:g} s.")


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def main() -> int:
    """0 when every step works."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        try:
            check(Path(os.path.realpath(folder)))
        except CheckFailed as error:
            print(f"The image would not build or run: {error}", file=sys.stderr)
            return 1
    print("Every step of the image works.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
