"""The command `reconcile` as a process: started, waited for, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.sandbox_process import wait_until

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ("-W", "error", "-W", "ignore:.*BasicAuth.*:DeprecationWarning")
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """A finished command. An exit code of -9 means killed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What stands on stdout, as JSON."""
        return dict(json.loads(self.out))

    @property
    def said(self) -> str:
        """Both outputs."""
        return self.out + self.err


class Commands:
    """Starts commands from one fork server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._server = subprocess.Popen(
            [sys.executable, *WARNINGS, "-m", "tests.reconciler.fork_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        args: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        die_at: tuple[Literal["commit", "send"], int] | None = None,
    ) -> Running:
        """Start `reconcile ARGS` in `cwd` with exactly this environment. `die_at` kills it before that event."""
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        request = {
            "args": list(args),
            "cwd": str(cwd),
            "environment": dict(environment),
            "stdout": str(out),
            "stderr": str(err),
            "die_at": die_at,
        }
        return Running(self, self._ask(request)["pid"], out, err)

    def exit_code(self, pid: int) -> int:
        """Wait for the end of a process."""
        return self._ask({"pid": pid, "seconds": DEADLINE_SECONDS})["code"]

    def close(self) -> None:
        """End the fork server."""
        self._server.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, int]:
        if self._server.stdin is None or self._server.stdout is None:
            raise RuntimeError("the fork server was started without pipes")
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the fork server ended; what it said is above, on stderr")
        return dict(json.loads(line))


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started."""

    commands: Commands
    pid: int
    _out: Path
    _err: Path

    def wait(self) -> Result:
        """Its result, once it has ended."""
        code = self.commands.exit_code(self.pid)
        return Result(code, self._out.read_text(), self._err.read_text())

    def await_said(self, text: str) -> None:
        """Wait until the command has written that to stderr."""
        wait_until(lambda: text in self._err.read_text(), DEADLINE_SECONDS, f"the command to say {text!r}")

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)
