"""PostgreSQL servers of our own, made from the installed binaries: for tests and measurements where none is given, or
where one that is given must not be disturbed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

BINARIES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def binaries() -> Path | None:
    """Where initdb and pg_ctl are: on the path, or where distributions put them, the newest first."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    places = [place for pattern in BINARIES for place in Path("/").glob(pattern.lstrip("/"))]
    return next((place for place in sorted(places, reverse=True) if (place / "initdb").exists()), None)


@dataclass(slots=True)
class Cluster:
    """A server and its data, in a folder that must not exist and is left behind."""

    binaries: Path
    home: Path
    port: int = field(init=False)
    is_running: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(mode=0o700)
        if self._user is not None:
            shutil.chown(self.home, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        """Its URL, without a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def create(self) -> None:
        """An empty one."""
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def copy(self, primary: Cluster) -> None:
        """A standby of another one, which must be running."""
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-R", "-c", "fast")

    def start(self, *settings: str) -> None:
        """`settings` as `name=value`."""
        given = " ".join(f"-c {setting}" for setting in settings)
        options = f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1 {given}"
        self._run("pg_ctl", "-l", str(self.home / "log"), "-o", options, "-w", "start")
        self.is_running = True

    def stop(self) -> None:
        """As a crash: nothing is finished."""
        if self.is_running:
            self._run("pg_ctl", "-m", "immediate", "-w", "stop")
            self.is_running = False

    def promote(self) -> None:
        """Makes a standby a server that writes."""
        self._run("pg_ctl", "-w", "promote")

    @property
    def _user(self) -> str | None:
        """The server refuses to run as root."""
        return "nobody" if os.geteuid() == 0 else None

    def _run(self, program: str, *arguments: str) -> None:
        command: list[str | Path] = [self.binaries / program, "-D", self.home / "data", *arguments]
        # The server inherits what its starter writes to, and would hold a pipe open.
        with (self.home / "commands").open("ab") as said:
            subprocess.run(command, user=self._user, cwd=self.home, stdout=said, stderr=said, check=True)
