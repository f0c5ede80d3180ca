"""The command `reconcile` as a process: started, waited for, killed."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.forked import Program, programs
from tests.sandbox_process import wait_until

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
    """Starts commands, whose outputs are files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

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
        module = "tests.reconciler.killed_command" if die_at else "reconciler.cli"
        before = [die_at[0], str(die_at[1])] if die_at else []
        with out.open("wb") as stdout, err.open("wb") as stderr:
            program = programs().start(module, [*before, *args], cwd, environment, stdout.fileno(), stderr.fileno())
        return Running(program, out, err)


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started."""

    program: Program
    _out: Path
    _err: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.program.pid

    def wait(self) -> Result:
        """Its result, once it has ended; one that does not end in time is killed."""
        try:
            code = self.program.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.program.kill()
            code = self.program.wait()
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
        self.program.send_signal(number)
