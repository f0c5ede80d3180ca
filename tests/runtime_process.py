"""Fixtures that give a test a running runtime, as a process behind a port, answering through the sandbox.

`runtime` is what most tests want: one process per test worker, with bots of the test's own. `runtime_factory` starts
processes of a test's own: with other settings, or to be killed and started again.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import selectors
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest
from twilio.request_validator import RequestValidator

from runtime.store.database.url import is_sqlite, sqlite_path
from tests.collected_logs import COLLECTED
from tests.forked import WARNINGS, Program, programs
from tests.runtime.stores import make_file
from tests.sandbox_process import ACCOUNT_SID, AUTH_TOKEN, ROOT, Sandbox, wait_until

API_TOKEN = "runtime-tests-token"
STARTUP_SECONDS = 60.0
Json = dict[str, Any]

NO_NOTE: Json = {
    "context": {"now": False, "name": False, "phone": "none"},
    "replies": {"one_message": False},
}
"""A policy with which a session at the provider has the users' words only."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the runtime answered to a request."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The body's `error` object."""
        problem: Json = self.json["error"]
        return problem


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Runtime:
    """A running runtime as a test sees it."""

    process: Program
    url: str
    folder: Path
    environment: dict[str, str] = field(repr=False)
    program: str = "runtime"
    """The module that is run."""

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request, exactly as given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(
                response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
            )
        finally:
            connection.close()

    def api(
        self, method: str, path: str, document: object = None, token: str | None = API_TOKEN, **headers: str
    ) -> Answer:
        """One call of the management API."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        payload = None if document is None else json.dumps(document).encode()
        if payload is not None:
            given.setdefault("Content-Type", "application/json")
        return self.request(method, path, payload, given)

    def ended_turns(self) -> int:
        """Number of turns that this process has ended."""
        return self._total("horizonai_turns_total")

    def wait_for_turns(self, count: int, *, after: int | None = None) -> None:
        """Waits until `count` turns are running; the sandbox's ledger has a model's call only when it has ended. An
        answer arrives while its turn still counts as running: `after` is the number of turns that this process, the
        only one of its store, ends before."""

        def under_way() -> bool:
            in_flight = self._total("horizonai_turns_in_flight")
            return in_flight == count and (after is None or self._begun_after(after) == count)

        wait_until(under_way, what=f"{count} turns under way")

    def _begun_after(self, ended: int) -> int:
        """Turns that the store has as running, once this number of others has ended; 0 before."""
        query, url = "SELECT count(*) FROM turns WHERE state = 'running'", self.environment["DATABASE_URL"]
        if self.ended_turns() != ended:
            return 0
        if is_sqlite(url):
            with closing(sqlite3.connect(self.folder / sqlite_path(url))) as store:
                return int(store.execute(query).fetchone()[0])
        with psycopg.connect(url) as server:
            (running,) = server.execute(query).fetchone() or (0,)
            return int(running)

    def turns_in_flight(self, client: str) -> int:
        """Number of a client's turns that this process answers now; each has its configuration."""
        return self._total("horizonai_turns_in_flight", f'client="{client}"')

    def _total(self, metric: str, labels: str = "") -> int:
        text = self.api("GET", "/metrics").body.decode()
        return int(sum(map(float, re.findall(rf"^{metric}\{{.*{labels}.*\}} (\S+)$", text, re.MULTILINE))))

    def made(self, path: str, document: Json) -> Json:
        """POST that must succeed; gives the object."""
        answer = self.api("POST", path, document)
        assert answer.status == 201, answer.body
        created: Json = answer.json
        return created

    def log(self) -> list[Json]:
        """What it logged, one event a line. It may be writing another one, which comes in pieces."""
        written, _, _ = (self.folder / "runtime.log").read_text(errors="ignore").rpartition("\n")
        return [json.loads(line) for line in written.splitlines() if line.startswith("{")]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """SIGTERM; gives the exit code. It leaves nothing for the garbage collector to close."""
        self.process.terminate()
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
        code = self._ended()
        assert "ResourceWarning" not in (self.folder / "runtime.log").read_text()
        return code

    def command(self, *arguments: str, **settings: str) -> Ran:
        """A command of `horizonai-whatsapp-bot` with its settings and those given. It closes what it opened."""
        done = programs().run("runtime", arguments, self.folder, self.environment | settings)
        assert "ResourceWarning" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start_again(self) -> None:
        """The same runtime on the same port and store, as after a crash or a deploy."""
        self.process, self.url = _started(self.folder, self.environment, self.port, self.program)

    def _ended(self) -> int:
        code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def new_number() -> str:
    """A WhatsApp number that no other test of this worker has."""
    return f"+1555{next(_numbers):07d}"


def start_runtime(
    folder: Path, sandbox: Sandbox, program: str = "runtime", *, stderr: int | None = None, **settings: str
) -> Runtime:
    """Starts a runtime on a free port; `settings` are variables of its environment. The caller stops it. Its log is a
    file, unless a descriptor is given. Its store is one of its own with nothing in it, unless DATABASE_URL is given."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "API_TOKEN": API_TOKEN,
        "DATABASE_URL": f"sqlite:///{folder}/runtime.db",
        "DATABASE_CONNECTIONS": "4",  # of many at a time, on one server that takes a hundred
        "LOG_FORMAT": "json",
        "ALLOW_PRIVATE_ENDPOINTS": "true",
        "DEBOUNCE_SECONDS": "0",
        "FAILED_TRIES": "0",
        "PYTHONWARNINGS": ",".join(WARNINGS),
        **sandbox.environment(),
        "STORE_KEY": os.environ.get("TEST_STORE_KEY", ""),
        **settings,
    }
    if "DATABASE_URL" not in settings and not (store := folder / "runtime.db").exists():
        make_file(store)
    process, url = _started(folder, environment, 0, program, stderr)
    return Runtime(process, url, folder, environment, program)


def _started(
    folder: Path, environment: dict[str, str], port: int, program: str, stderr: int | None = None
) -> tuple[Program, str]:
    COLLECTED.runtime(folder / "runtime.log", environment)
    reader, writer = os.pipe()
    try:
        with (folder / "runtime.log").open("ab") as log:
            errors = log.fileno() if stderr is None else stderr
            process = programs().start(program, ["serve", "--port", str(port)], folder, environment, writer, errors)
    finally:
        os.close(writer)
    process.stdout = os.fdopen(reader, "rb", buffering=0)
    said = b""
    deadline = time.monotonic() + STARTUP_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not said.endswith(b"\n"):
            ready = selector.select(max(deadline - time.monotonic(), 0))
            piece = os.read(process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                process.kill()
                process.wait()
                process.stdout.close()
                raise RuntimeError(f"the runtime did not start; it logged:\n{(folder / 'runtime.log').read_text()}")
            said += piece
    return process, said.decode().split()[-1]


@pytest.fixture(scope="session")
def runtime_process(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """The worker's runtime. Use `runtime`."""
    running = start_runtime(tmp_path_factory.mktemp("runtime"), sandbox_process)
    yield running
    running.stop()


@pytest.fixture
def runtime(runtime_process: Runtime, sandbox: Sandbox) -> Runtime:
    """A running runtime. Its store is shared by the worker's tests, so each makes bots of its own."""
    return runtime_process


@pytest.fixture
def runtime_factory(tmp_path: Path, sandbox: Sandbox) -> Iterator[Callable[..., Runtime]]:
    """`runtime_factory(**settings)` starts a runtime of the test's own; all are stopped at the end."""
    started: list[Runtime] = []

    def start(**settings: str) -> Runtime:
        folder = tmp_path / f"runtime-{len(started)}"
        folder.mkdir()
        started.append(start_runtime(folder, sandbox, **settings))
        return started[-1]

    yield start
    for running in started:
        if running.process.returncode is None:
            running.stop()


@dataclass(frozen=True, slots=True)
class Line:
    """A bot with a registered sender: what a user can write to."""

    runtime: Runtime
    sandbox: Sandbox
    bot: Json

    @property
    def number(self) -> str:
        """The bot's number."""
        return str(self.bot["twilio_phone_number"])

    def write(self, text: str, origin: str = "+56912345678", *, wait: float = 45.0, **fields: object) -> Json:
        """A user writes; gives what came of it."""
        return self.sandbox.inbound(self.number, text, origin, wait=wait, **fields)

    def ask(self, text: str, origin: str = "+56912345678", **fields: object) -> str:
        """A user writes; gives the one answer."""
        outcome = self.write(text, origin, **fields)
        assert outcome["http_status"] == 200, outcome
        (answer,) = outcome["answers"]
        return str(answer["body"])

    def received(self) -> int:
        """How many messages to this number the runtime has stored."""
        stored = ("message_received", "missed_message_accepted")  # the second by a sweep that came before the webhook
        return sum(entry["event"] in stored and entry.get("number") == self.number for entry in self.runtime.log())

    def outbound(self, to: str = "+56912345678") -> list[Json]:
        """Everything that was sent from this number to a user, in order."""
        return [
            entry
            for entry in self.sandbox.ledger(kind="outbound")
            if entry["from"] == f"whatsapp:{self.number}" and entry["to"] == f"whatsapp:{to}"
        ]

    def only(self, fault: Json) -> Json:
        """A fault of a provider's calls for this line alone: the sandbox is other tests' too, and what they began may
        call it later."""
        return fault | {"containing": self.bot["id"] if fault["provider"] == "openai" else self.number.lstrip("+")}

    def shown(self, to: str = "+56912345678") -> list[str]:
        """What the user's phone shows of this number, in the order in which it was delivered."""
        bodies = {entry["message_sid"]: entry["body"] for entry in self.outbound(to)}
        delivered = [entry["message_sid"] for entry in self.sandbox.ledger(kind="delivered")]
        return [str(bodies[sid]) for sid in delivered if sid in bodies]


def open_line(runtime: Runtime, sandbox: Sandbox, **fields: object) -> Line:
    """Makes a bot (one that answers by itself, unless the fields say otherwise) and registers its sender."""
    number = new_number()
    bot = {"name": "Bot de prueba", "twilio_phone_number": number, **fields}
    if "assistant_id" not in bot:
        bot = {"instructions": f"Atiendes el número {number}.", "model": "gpt-6-luna"} | bot
    made = runtime.made("/bots/", bot)
    webhook = f"{runtime.url}/webhook/whatsapp"
    sandbox.register(number, webhook={"callback_url": webhook, "status_callback_url": f"{webhook}/status"})
    return Line(runtime, sandbox, made)


@pytest.fixture
def line(runtime: Runtime, sandbox: Sandbox) -> Callable[..., Line]:
    """`line(**bot_fields)` opens a line on the shared runtime."""

    def make(**fields: object) -> Line:
        return open_line(runtime, sandbox, **fields)

    return make


def signed_webhook(
    runtime: Runtime,
    fields: dict[str, str],
    path: str = "/webhook/whatsapp",
    token: str = AUTH_TOKEN,
    signed_for: str | None = None,
) -> Answer:
    """Posts a form as Twilio would, signed by Twilio's own code; for another address than the runtime's, if need be."""
    COLLECTED.form(fields)
    signature = RequestValidator(token).compute_signature((signed_for or runtime.url) + path, fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
    return runtime.request("POST", path, urlencode(fields).encode(), headers)


def inbound_fields(number: str, text: str = "Hola", **fields: str) -> dict[str, str]:
    """The parameters of an inbound message."""
    return {
        "MessageSid": f"SM{uuid4().hex}",
        "AccountSid": ACCOUNT_SID,
        "From": "whatsapp:+56912345678",
        "To": f"whatsapp:{number}",
        "Body": text,
        "NumMedia": "0",
        **fields,
    }
