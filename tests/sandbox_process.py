"""Fixtures that give a test a running sandbox.

`sandbox` is what most tests want: one process per test worker, emptied before each test. `sandbox_factory` starts
processes of a test's own, for tests that kill and restart one. Neither imports anything of the sandbox: it is a process
behind two ports, for tests as for everybody.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.collected_logs import COLLECTED

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT_SID = "AC00000000000000000000000000005a4d"
AUTH_TOKEN = "sandbox-token"
API_KEY = "sk-sandbox"
ADMIN_KEY = "sk-admin-sandbox"
_STARTUP_SECONDS = 60.0
_OWN_SETTINGS = ("OPENAI_", "TWILIO_")
PATIENCE = 90.0
"""Seconds that a test waits for what must come. It costs nothing where that comes, however busy the machine is."""
SHORTEST_PAUSE = 0.01
LONGEST_PAUSE = 0.1

Json = dict[str, Any]


class SandboxRefusal(Exception):
    """One of the sandbox's own endpoints refused a request."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox as a test sees it."""

    process: subprocess.Popen[bytes]
    state: Path
    openai_url: str
    """Base URL for the openai SDK, ends in /v1."""
    twilio_url: str
    """Base URL for every Twilio host, as in TWILIO_BASE_URL."""
    account_sid: str = ACCOUNT_SID
    auth_token: str = AUTH_TOKEN
    api_key: str = API_KEY
    admin_key: str = ADMIN_KEY

    def environment(self) -> dict[str, str]:
        """The variables that point the product's processes here."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": self.api_key,
            "TWILIO_BASE_URL": self.twilio_url,
            "TWILIO_ACCOUNT_SID": self.account_sid,
            "TWILIO_AUTH_TOKEN": self.auth_token,
        }

    def ask(self, method: str, path: str, body: Json | None = None, timeout: float = 60.0) -> Json:
        """One call of a /_sandbox/ endpoint. Raises SandboxRefusal with the sandbox's sentence when it is refused."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            f"{self.twilio_url}/_sandbox/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urlopen(request, timeout=timeout) as response:
                content = response.read()
        except HTTPError as error:
            with error:
                raise SandboxRefusal(f"{error.code}: {json.loads(error.read())['error']}") from None
        return dict(json.loads(content)) if content else {}

    def ledger(self, since: int = 0, kind: str | None = None) -> list[Json]:
        """What happened, in order: entries of kind `call`, `inbound`, `outbound`, `delivered` or `webhook`."""
        chosen = f"&kind={kind}" if kind else ""
        entries: list[Json] = self.ask("GET", f"ledger?since={since}{chosen}")["entries"]
        return entries

    def calls(self, provider: str | None = None, method: str | None = None, path: str = "") -> list[Json]:
        """Calls of a provider's API, narrowed down."""
        return [
            entry
            for entry in self.ledger(kind="call")
            if provider in (None, entry["provider"])
            and method in (None, entry["method"])
            and entry["path"].startswith(path)
        ]

    def summary(self) -> dict[str, dict[str, int]]:
        """Counts per provider: calls, writes, inbound, outbound, webhooks."""
        return self.ask("GET", "ledger/summary")

    def prices(self) -> list[Json]:
        """What is charged for, in order; amounts in 10⁻⁹ USD."""
        entries: list[Json] = self.ask("GET", "prices")["entries"]
        return entries

    def price_totals(self) -> list[Json]:
        """The same by kind, country and model."""
        totals: list[Json] = self.ask("GET", "prices/summary")["totals"]
        return totals

    def faults(self, *rules: Json) -> None:
        """What goes wrong from now on; without arguments nothing does."""
        self.ask("PUT", "faults", {"rules": list(rules)})

    def fired(self) -> int:
        """How often the faults in force have struck."""
        return sum(rule["fired"] for rule in self.ask("GET", "faults")["rules"])

    def fired_each(self) -> list[int]:
        """The same for each of them."""
        return [rule["fired"] for rule in self.ask("GET", "faults")["rules"]]

    def settings(self, **values: object) -> None:
        """Changes how the stand-ins behave, for example think_seconds=0.2."""
        self.ask("PUT", "settings", values)

    def register(self, number: str, **fields: object) -> Json:
        """Registers a WhatsApp sender as Twilio's console would: ONLINE unless `status` says otherwise."""
        return self.ask("POST", "senders", {"sender_id": f"whatsapp:{number}", **fields})

    def change(self, number: str, **fields: object) -> Json:
        """Changes a sender behind everybody's back, as a person in Twilio's console does."""
        return self.ask("PATCH", f"senders/{number}", fields)

    def inbound(
        self, to: str, body: str, origin: str = "+56912345678", *, wait: float = 10.0, **fields: object
    ) -> Json:
        """A user writes to a sender. Gives {"message_sid", "http_status", "error", "answers": [{"sid", "body",
        "via"}]}.
        """
        document = {"to": to, "body": body, "from": origin, "wait": wait, **fields}
        COLLECTED.person(origin, body, fields.get("profile_name"))
        COLLECTED.person(fields.get("external_user_id", ""))
        return self.ask("POST", "inbound", document, timeout=wait + 10)

    def reset(self) -> None:
        self.ask("POST", "reset")

    def kill(self) -> None:
        """kill -9, as a power switch would."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """Asks the process to end, and gives its exit code."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start_sandbox(state: Path, *options: str) -> Sandbox:
    """Starts a sandbox on two free ports. The caller stops it."""
    command = [sys.executable, "-m", "sandbox", "serve", "--openai", "127.0.0.1:0", "--twilio", "127.0.0.1:0"]
    keys = ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN, "--api-key", API_KEY]
    keys += ["--admin-key", ADMIN_KEY]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    process = subprocess.Popen(
        [*command, "--state", str(state), *keys, *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    urls = _announced(process)
    return Sandbox(process, state, urls["openai"], urls["twilio"])


def _announced(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """The two lines that say where the stand-ins listen. Ends the process when they do not come."""
    said = b""
    deadline = time.monotonic() + _STARTUP_SECONDS
    pipe = process.stdout
    with selectors.DefaultSelector() as selector:
        if pipe is not None:
            selector.register(pipe, selectors.EVENT_READ)
        while said.count(b"\n") < 2 and pipe is not None:
            ready = selector.select(max(deadline - time.monotonic(), 0))
            piece = os.read(pipe.fileno(), 4096) if ready else b""
            if not piece:
                process.kill()
                process.wait()
                pipe.close()
                raise RuntimeError(f"the sandbox did not start within {_STARTUP_SECONDS:g} s; it said: {said!r}")
            said += piece
    return dict(line.split() for line in said.decode().splitlines())


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The worker's sandbox. Use `sandbox`, which is empty."""
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """A sandbox in which nothing has happened yet."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture
def sandbox_factory() -> Iterator[Callable[..., Sandbox]]:
    """`sandbox_factory(state, *options)` starts a sandbox of the test's own; all of them are stopped at the end."""
    started: list[Sandbox] = []

    def start(state: Path, *options: str) -> Sandbox:
        started.append(start_sandbox(state, *options))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def wait_until(
    holds: Callable[[], bool], seconds: float = PATIENCE, what: str | Callable[[], str] = "the expected state"
) -> None:
    """Polls until a condition holds. Fails the test with `what` when it does not come true in time."""
    begun = time.monotonic()
    while True:
        asked = time.monotonic()
        if holds():
            return
        now = time.monotonic()
        if now > begun + seconds:
            pytest.fail(f"waited {seconds:g} s for {what if isinstance(what, str) else what()}")
        # A question costs those who are to act the processor: it takes at most a third of the time, a tenth at last.
        time.sleep(min(max(SHORTEST_PAUSE, 2 * (now - asked), (now - begun) / 10), LONGEST_PAUSE))
