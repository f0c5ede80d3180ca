"""A command on a terminal of its own, and the person in front of it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

DEADLINE_SECONDS: Final = 60.0
LOCAL_FLAGS: Final = 3


class Terminal:
    """A process whose input and outputs are a pseudo-terminal, which outlives it like the one that a shell runs on."""

    def __init__(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], typed_ahead: str = ""
    ) -> None:
        self._person, self._terminal = pty.openpty()
        self.shown = ""
        self._unread = b""
        self.type(typed_ahead)
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=self._terminal, stdout=self._terminal, stderr=self._terminal
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._person)
        os.close(self._terminal)

    def wait_for(self, text: str) -> bool:
        """Read until that is shown once more; False when the process ended without."""
        start = len(self.shown)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown[start:]:
            assert time.monotonic() < deadline, self.shown
            ended = self.process.poll() is not None
            if not self._read() and ended:
                return False
        return True

    def type(self, text: str) -> None:
        """Type, or paste, exactly that."""
        typed = text.encode()
        while typed:
            typed = typed[os.write(self._person, typed) :]

    def answer(self, question: str, text: str) -> None:
        """Wait for a question that was not there before, then type a line."""
        assert self.wait_for(question), self.shown
        self.type(f"{text}\n")

    def finish(self) -> int:
        """Read until the process has ended; gives its exit code."""
        assert not self.wait_for("\0")
        return self.process.wait()

    def left(self) -> bytes:
        """What a shell would read next: what was typed and no process has read, finished lines or not."""
        modes = termios.tcgetattr(self._terminal)
        modes[LOCAL_FLAGS] &= ~termios.ICANON
        termios.tcsetattr(self._terminal, termios.TCSANOW, modes)
        return os.read(self._terminal, 65536) if select.select([self._terminal], [], [], 0)[0] else b""

    def _read(self) -> bool:
        if not select.select([self._person], [], [], 0.05)[0]:
            return False
        self._unread += os.read(self._person, 65536)
        # A character may be read in two parts.
        whole = self._unread.decode(errors="ignore")
        self._unread = self._unread[len(whole.encode()) :]
        self.shown += whole.replace("\r\n", "\n")
        return True
