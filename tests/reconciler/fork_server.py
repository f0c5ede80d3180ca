"""Starts `reconcile` by forking a process that has everything imported already.

Tests of a kill at each write start the command dozens of times, and importing two SDKs each time would cost more than
all the rest. What a fork runs is the command itself, in a process of its own: own environment, folder, output and exit
code. It takes one JSON request a line on stdin and answers each with one line on stdout; it ends when stdin does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

PRELOADED = (
    "deepdiff",
    "openai.resources.beta.assistants",
    "phonenumbers",
    "reconciler.cli",
    "reconciler.commands.adopt",
    "reconciler.commands.doctor",
    "reconciler.commands.drift",
    "reconciler.commands.import_",
    "reconciler.commands.reconcile",
    "reconciler.commands.status",
    "reconciler.commands.verify",
    "reconciler.applying.apply",
    "reconciler.applying.history",
    "reconciler.applying.lease",
    "reconciler.render.json",
    "reconciler.render.markdown",
    "reconciler.render.text",
    "reconciler.status.checklist",
    "reconciler.status.table",
    "reconciler.writers.openai",
    "reconciler.writers.twilio",
    "runtime.store.client.http_writer",
    "runtime.store.client.sql_writer",
    "structlog",
    "twilio.request_validator",
)


def main() -> None:
    """Serve until stdin ends."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        answer = _start(request) if "args" in request else _wait(request["pid"], request["seconds"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(request: dict[str, Any]) -> dict[str, int]:
    pid = os.fork()
    if pid == 0:
        _run(request)
    return {"pid": pid}


def _wait(pid: int, seconds: float) -> dict[str, int]:
    """The exit code, -N for a process that signal N ended; one that does not end in time is killed."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return {"code": os.waitstatus_to_exitcode(status)}
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _run(request: dict[str, Any]) -> NoReturn:
    code = 70
    try:
        for descriptor, path, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(path, flags, 0o644), descriptor)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        if request["die_at"]:
            _die_at(*request["die_at"])
        from reconciler.cli import run

        code = int(run(request["args"]))
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - what would end a process of its own: shown there, as its last words
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_at(event: str, number: int) -> None:
    """kill -9 just before the `commit` to the store, or the `send` over HTTP, of this number, counted from 1."""
    left = iter(range(number - 1, -1, -1))

    def one_more() -> None:
        if next(left, 1) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if event == "commit":
        from sqlalchemy import Engine
        from sqlalchemy.event import listen

        listen(Engine, "commit", lambda _: one_more())
    else:
        sys.addaudithook(lambda name, _: one_more() if name == "http.client.send" else None)


if __name__ == "__main__":
    main()
