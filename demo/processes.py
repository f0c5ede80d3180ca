"""Sandbox and runtime as processes on loopback: started, waited for, stopped. No process outlives the `with`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

BIN = Path(sys.executable).parent
START_SECONDS = 60
STOP_SECONDS = 10
SANDBOX_ACCOUNT = "AC00000000000000000000000000005a4d"
SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 - the sandbox's published token, no secret
SANDBOX_KEY = "sk-sandbox"
SANDBOX_ADMIN_KEY = "sk-admin-sandbox"


class Failed(Exception):
    """A process or a step did not do what it should; `str()` of it is what the user reads."""


@dataclass(frozen=True, slots=True)
class Process:
    """A started process and where it logs."""

    name: str
    handle: subprocess.Popen[bytes]
    log: Path

    def alive_for(self, seconds: float) -> None:
        """Wait; raise `Failed` with the end of the log when the process ends within that time."""
        with suppress(subprocess.TimeoutExpired):
            code = self.handle.wait(seconds)
            raise Failed(f"The {self.name} ended with exit code {code}. Its log:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the log, indented."""
        return "\n".join(f"  {line}" for line in self.log.read_text().splitlines()[-15:])


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the three listeners are wanted; 0 takes any free port."""

    openai: int = 0
    twilio: int = 0
    runtime: int = 0


@dataclass(frozen=True, slots=True)
class Installation:
    """A running sandbox and runtime, and the settings that lead to them."""

    openai_url: str
    twilio_url: str
    runtime_url: str
    folder: Path
    """Databases and logs."""
    clients_dir: Path = Path("clients.d")
    processes: Sequence[Process] = ()

    @property
    def settings(self) -> dict[str, str]:
        """Every setting, the unused ones empty: what a `.env` file in this folder says must not leak in."""
        return {
            "OPENAI_API_KEY": SANDBOX_KEY,
            "OPENAI_ADMIN_KEY": SANDBOX_ADMIN_KEY,
            "OPENAI_BASE_URL": self.openai_url,
            "TWILIO_ACCOUNT_SID": SANDBOX_ACCOUNT,
            "TWILIO_AUTH_TOKEN": SANDBOX_TOKEN,
            "TWILIO_BASE_URL": self.twilio_url,
            "TWILIO_WHATSAPP_FROM": "",
            "TWILIO_WEBHOOK_SHARED_KEY": "",
            "PUBLIC_URL": self.runtime_url,
            "FALLBACK_URL": "",
            "MANIFESTS_URL": "",
            "DATABASE_URL": f"sqlite:///{self.folder / 'horizonai.db'}",
            "BOT_STORE_URL": "",
            "API_TOKEN": "sandbox-api-token",
            "STORE_KEY": "",
            "DRIFT_NOTIFY": "",
            "ALERT_NOTIFY": "",
            "MEDIA_DIR": "",
            "CLIENTS_DIR": str(self.clients_dir),
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that works on this installation, with the project's commands on the PATH."""
        return {**os.environ, **self.settings, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


@contextmanager
def installation(
    folder: Path, ports: Ports | None = None, clients_dir: Path = Path("clients.d")
) -> Iterator[Installation]:
    """Start sandbox and runtime with their state in `folder`; both are stopped at the end, however it comes."""
    ports = ports or Ports()
    folder.mkdir(parents=True, exist_ok=True)
    with _process("sandbox", _sandbox_command(folder, ports, clients_dir), dict(os.environ), folder) as sandbox:
        urls = _announced(sandbox)
        port = ports.runtime or _free_port()
        planned = Installation(urls["openai"], urls["twilio"], f"http://127.0.0.1:{port}", folder, clients_dir)
        command = [str(BIN / "horizonai-whatsapp-bot"), "serve", "--host", "127.0.0.1", "--port", str(port)]
        with _process("runtime", command, planned.environment, folder) as runtime:
            _wait_for_listener(runtime, port)
            yield replace(planned, processes=(sandbox, runtime))


def free_or(preferred: int) -> int:
    """`preferred` when it is free, else any free port."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return _free_port()
    return preferred


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _sandbox_command(folder: Path, ports: Ports, clients_dir: Path) -> list[str]:
    listen = ["--openai", f"127.0.0.1:{ports.openai}", "--twilio", f"127.0.0.1:{ports.twilio}"]
    accept = ["--account-sid", SANDBOX_ACCOUNT, "--auth-token", SANDBOX_TOKEN, "--api-key", SANDBOX_KEY]
    state = ["--state", str(folder / "sandbox"), "--senders-from", str(clients_dir)]
    return [sys.executable, "-m", "sandbox", "serve", *listen, *accept, *state]


def _announced(sandbox: Process) -> dict[str, str]:
    """The addresses that the sandbox prints once it listens, by name."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        lines = [line.split() for line in sandbox.log.read_text().splitlines()]
        urls = {words[0]: words[1] for words in lines if len(words) == 2 and words[1].startswith("http://")}
        if {"openai", "twilio"} <= urls.keys():
            return urls
        sandbox.alive_for(0.05)
    raise Failed(f"The sandbox did not start within {START_SECONDS} s. Its log:\n{sandbox.tail()}")


def _wait_for_listener(process: Process, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        process.alive_for(0.05)
    raise Failed(f"The {process.name} did not start within {START_SECONDS} s. Its log:\n{process.tail()}")


@contextmanager
def _process(name: str, command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[Process]:
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        # In a session of its own: Ctrl-C reaches this driver only, which then stops everything in order.
        handle = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield Process(name, handle, log)
    finally:
        handle.terminate()
        try:
            handle.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            handle.kill()
            handle.wait()
