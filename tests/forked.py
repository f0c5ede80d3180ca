"""Programs started from a fork server, handled as subprocess.Popen handles its own."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ("error", "ignore:The Assistants API is deprecated:DeprecationWarning")
"""A warning is an error in the product's processes as it is in the tests'; that the provider ends an API is known."""
PRELOADED = (
    "alembic.command",
    "deepdiff",
    "genai_prices.data",
    "genai_prices.update_prices",
    "httpcore2",
    "jsonschema_rs",
    "openai.resources.admin.admin",
    "openai.resources.beta.assistants",
    "openai.resources.beta.beta",
    "openai.resources.files",
    "openai.resources.vector_stores.vector_stores",
    "phonenumbers",
    "procrastinate.schema",
    "reconciler.applying.apply",
    "reconciler.applying.history",
    "reconciler.applying.lease",
    "reconciler.cli",
    "reconciler.commands.adopt",
    "reconciler.commands.doctor",
    "reconciler.commands.drift",
    "reconciler.commands.import_",
    "reconciler.commands.reconcile",
    "reconciler.commands.status",
    "reconciler.commands.verify",
    "reconciler.render.json",
    "reconciler.render.markdown",
    "reconciler.render.text",
    "reconciler.status.checklist",
    "reconciler.status.table",
    "reconciler.writers.documents",
    "reconciler.writers.openai",
    "reconciler.writers.twilio",
    "runtime.app",
    "runtime.cli",
    "runtime.commands.serving",
    "runtime.dispatch.replicas",
    "runtime.engines.agents",
    "runtime.engines.assistants",
    "runtime.observability.logs",
    "runtime.store.client.http_writer",
    "runtime.store.client.sql_writer",
    "runtime.store.database.migrate",
    "runtime.store.database.once",
    "runtime.store.database.postgresql",
    "structlog",
    "twilio.request_validator",
    "twilio.rest.api.v2010",
    "uvloop",
)
"""What the service and the commands import sooner or later."""
NO_CERTIFICATES = {"SSL_CERT_DIR": str(ROOT / "tests")}
"""The providers are stand-ins without TLS: to read this machine's certificates would be a fifth of what a program
takes."""


@cache
def programs() -> ForkServer:
    """Where the programs that this worker starts come from."""
    server = ForkServer(PRELOADED, WARNINGS)
    atexit.register(server.close)
    return server


class ForkServer:
    """Starts programs of this project, none of which has to import what is in `preloaded`."""

    def __init__(self, preloaded: Sequence[str], warnings: Sequence[str]) -> None:
        """`warnings` are Python's -W filters, in force in each program too."""
        self._lock = Lock()
        self._requests, theirs = socket.socketpair()
        filters = [part for each in warnings for part in ("-W", each)]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *filters, "-m", "tests.fork_server", str(theirs.fileno()), *preloaded],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> Program:
        """`python -m module arguments` in the folder, with this environment, NO_CERTIFICATES and these descriptors."""
        request = {
            "module": module,
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": NO_CERTIFICATES | dict(environment),
        }
        wanted, said = os.pipe()
        report, theirs = os.pipe()
        with os.fdopen(said, "w", encoding="utf-8") as pipe:
            try:
                with self._lock:
                    socket.send_fds(self._requests, [b"."], [wanted, stdout, stderr, theirs])
            finally:
                os.close(wanted)
                os.close(theirs)
            json.dump(request, pipe)
        return Program(os.fdopen(report, "rb", buffering=0), [module, *arguments])

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """The same program once it has ended, with what it wrote. It is killed after `timeout` seconds."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            program = self.start(module, arguments, folder, environment, out.fileno(), err.fileno())
            try:
                code = program.wait(timeout)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                raise
            written = []
            for file in (out, err):
                file.seek(0)
                written.append(file.read().decode())
        return subprocess.CompletedProcess(program.args, code, *written)

    def close(self) -> None:
        """Ends the server; programs that run are left alone."""
        self._requests.close()
        self._process.wait()


REPORT_SECONDS = 60.0
"""How long a program's parent may take to report an end, at most."""


class Program:
    """A running program. Its methods are those of subprocess.Popen."""

    def __init__(self, report: BinaryIO, args: list[str]) -> None:
        """`report` is where the program's parent says its process id and its exit code, a line each."""
        self._report = report
        self.args = args
        self.returncode: int | None = None
        self.stdout: BinaryIO | None = None
        line = report.readline()
        if not line:
            report.close()
            raise RuntimeError("the fork server ended; what it said stands above, on stderr")
        self.pid = int(line)

    def poll(self) -> int | None:
        """The exit code, None while it runs; -N if signal N ended it."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing is sent to a program that has ended."""
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                # Its parent has just reaped it, and is about to report that.
                self.wait(REPORT_SECONDS)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._report, selectors.EVENT_READ)
                if not selector.select(timeout):
                    return None
            self.returncode = int(self._report.readline())
            self._report.close()
        return self.returncode
