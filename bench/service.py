"""Starts what the runtime's sections measure, each a process: the runtime, the floor, and the traffic on them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import psycopg

from bench.measure import BenchError, environment
from bench.sandbox import ACCOUNT_SID, API_KEY, AUTH_TOKEN, PUBLIC_URL, ROOT

NUMBERS = [f"+562200000{number:02}" for number in range(25)]
"""Bots that users write to: WhatsApp takes 80 messages a second from a sender, and the runtime keeps to that."""
SERVER = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432")
_TOKEN = "bench-token"
_SETTINGS = {
    "OPENAI_API_KEY": API_KEY,
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "API_TOKEN": _TOKEN,
    "PUBLIC_URL": PUBLIC_URL,
    "REPLY_WITHIN_SECONDS": "0",
    "DEBOUNCE_SECONDS": "0",
    "SWEEP_SECONDS": "0",
    "MODEL_TIMEOUT_SECONDS": "600",
    "TURN_DEADLINE_SECONDS": "900",
    "STOP_GRACE_SECONDS": "0",
    "RATE_PER_USER": "0",
    "RATE_PER_CLIENT": "0",
}
"""Everything that waits on purpose or turns users away is off: it is the way through that is measured."""


@dataclass(slots=True)
class Process:
    """A server that says where it listens."""

    popen: subprocess.Popen[bytes]
    url: str
    started: float
    """When it was started, on the machine's monotonic clock."""

    @property
    def rss_mb(self) -> float:
        """Resident memory in MB of 1,000,000 bytes."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6

    def end(self) -> None:
        """kill -9: nothing is measured after it."""
        self.popen.kill()
        self.popen.wait()


class Traffic:
    """The process with the providers and the users."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.url = f"http://127.0.0.1:{self._read()['port']}"

    def order(self, **order: object) -> dict[str, Any]:
        """Has it do something; gives what it saw."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(order).encode() + b"\n")
        self._popen.stdin.flush()
        return self._read()

    def write(
        self,
        urls: list[str],
        messages: int,
        rate: float,
        users: int,
        connections: int = 64,
        *,
        first: int = 0,
        voice: bool = False,
    ) -> dict[str, Any]:
        """Users write, each in turn from number `first` on; with `voice` every other one sends a voice note."""
        seen = self.order(
            urls=urls,
            public_url=f"{PUBLIC_URL}/webhook/whatsapp",
            numbers=NUMBERS,
            messages=messages,
            rate=rate,
            users=users,
            connections=connections,
            first=first,
            voice=voice,
        )
        if seen["refused"]:
            raise BenchError(f"{seen['refused']} of {messages} webhooks were not answered with 200")
        return seen

    def answers(self, count: int, patience: float = 60) -> dict[str, Any]:
        """Waits for all answers; raises BenchError when one is missing or doubled."""
        seen = self.order(answers=count, patience=patience)
        if seen["answered"] != count or seen["doubled"]:
            raise BenchError(f"{seen['answered']} of {count} messages were answered, {seen['doubled']} of them twice")
        return seen

    def end(self) -> None:
        """Ends the process."""
        self._popen.kill()
        self._popen.wait()

    def _read(self) -> dict[str, Any]:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise BenchError("the traffic's process ended; what it said is above")
        return dict(json.loads(line))


class Stage:
    """Starts processes and ends them when it is left."""

    def __init__(self, cleanup: ExitStack) -> None:
        self._cleanup = cleanup
        self.server = SERVER
        """Of PostgreSQL, without a database."""
        self.folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        # Ten thousand conversations are as many connections, on either side.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def traffic(self) -> Traffic:
        """Providers and users."""
        popen = subprocess.Popen(
            [sys.executable, "-m", "bench.traffic"],
            cwd=ROOT,
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._cleanup.callback(popen.wait)
        self._cleanup.callback(popen.kill)
        return Traffic(popen)

    def floor(self) -> Process:
        """The floor of a durable webhook."""
        return self._started([sys.executable, "-m", "bench.floor", str(self.folder / f"{uuid4().hex}.db")], ROOT, {})

    def database(self, store: str) -> str:
        """The URL of an empty store."""
        name = f"bench_{uuid4().hex}"
        if store == "SQLite":
            return f"sqlite:///{self.folder}/{name}.db"
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
        self._cleanup.callback(_drop, self.server, name)
        return f"{self.server}/{name}"

    def answering_floor(self, name: str, database_url: str, traffic: Traffic, rows: int) -> Process:
        """One of the floors of `bench.answering_floors`."""
        command = [sys.executable, "-m", "bench.answering_floors", name, database_url, traffic.url, str(rows)]
        return self._started(command, ROOT, {})

    def runtime(self, database_url: str, traffic: Traffic, **changes: str) -> Process:
        """A runtime, without a bot."""
        return self.runtime_of(ROOT, database_url, traffic, **changes)

    def runtime_of(self, checkout: Path, database_url: str, traffic: Traffic, **changes: str) -> Process:
        """The runtime whose code is in a checkout."""
        settings = {
            **_SETTINGS,
            **changes,
            "DATABASE_URL": database_url,
            "OPENAI_BASE_URL": f"{traffic.url}/v1",
            "TWILIO_BASE_URL": traffic.url,
        }
        command = [sys.executable, "-m", "runtime", "serve", "--port", "0"]
        return self._started(command, self.folder, {**settings, "PYTHONPATH": str(checkout)})

    def _started(self, command: list[str], folder: Path, settings: dict[str, str]) -> Process:
        began = time.monotonic()
        log = (self.folder / "log").open("ab")
        self._cleanup.callback(log.close)
        popen = subprocess.Popen(command, cwd=folder, env=environment(settings), stdout=subprocess.PIPE, stderr=log)
        process = Process(popen, "", began)
        self._cleanup.callback(process.end)
        assert popen.stdout is not None
        said = popen.stdout.readline().decode().split()
        if not said:
            raise BenchError(f"{command[2]} did not start; it said: {(self.folder / 'log').read_text()[-2000:]}")
        process.url = said[-1]
        return process


@contextmanager
def stage() -> Iterator[Stage]:
    """A place to start processes in."""
    with ExitStack() as cleanup:
        yield Stage(cleanup)


def add_bots(runtime: Process) -> list[str]:
    """The bots that users write to, in the order of NUMBERS; gives their ids."""
    made = []
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    for number in NUMBERS:
        bot = {"name": "B", "twilio_phone_number": number, "instructions": "Eres amable. " * 80, "model": "gpt-6-luna"}
        with urlopen(Request(f"{runtime.url}/bots/", json.dumps(bot).encode(), headers)) as response:
            made.append(str(json.load(response)["id"]))
    return made


def _drop(url: str, name: str) -> None:
    with psycopg.connect(f"{url}/postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
