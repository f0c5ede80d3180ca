"""Starts programs by forking a process that has everything imported: `python -m tests.fork_server FD MODULE...`.

Tests start the service and the commands hundreds of times, and importing the SDKs each time would cost more than all
the rest. What a fork runs is the program itself, `__main__` included, in a process of its own: own environment, folder,
descriptors and exit code. A request is one byte over the socket FD, with four descriptors: a pipe with the request as
JSON, stdout, stderr, and a pipe that gets the program's process id and then its exit code.

A program that ends well waits for its threads, runs what it registered for its end and collects its garbage, whose
unclosed files it reports; the modules are not taken apart, which would copy and free the whole server's memory.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Self

from pydantic import BaseModel

DESCRIPTORS = 4
ROOMS = {"schemas", "reconciler", "runtime"}


def main(descriptor: int, preloaded: list[str]) -> None:
    """Serves until the socket's other end is closed. Each program comes out of the loop in a process of its own."""
    for name in preloaded:
        importlib.import_module(name)
    _complete_models(BaseModel)
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as requests, _Ends() as ends:
        while True:
            ends.report_until_readable(requests)
            message, descriptors, _, _ = socket.recv_fds(requests, 1, DESCRIPTORS)
            if not message:
                return
            request, stdout, stderr, report = descriptors
            pid = os.fork()
            if pid == 0:
                break
            ends.begun(pid, report)
            for each in (request, stdout, stderr):
                os.close(each)
    os.close(report)
    _become(request, stdout, stderr)


class _Ends:
    """Reports the id and the end of each program to who started it; only a parent can wait for a process. In a program
    it is closed."""

    def __enter__(self) -> Self:
        self._reports: dict[int, int] = {}
        self._ended, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self._ended, self._wake, *self._reports.values()):
            os.close(each)

    def begun(self, pid: int, report: int) -> None:
        """`report`: the pipe on which it is reported."""
        self._reports[pid] = report
        _say(report, pid)

    def report_until_readable(self, requests: socket.socket) -> None:
        """Reports ends until there is a request, or the socket's other end is closed."""
        while True:
            readable, _, _ = select.select([requests, self._ended], [], [])
            if self._ended in readable:
                os.read(self._ended, 4096)
                self._report()
            if requests in readable:
                return

    def _report(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            report = self._reports.pop(pid)
            _say(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def _say(report: int, number: int) -> None:
    with suppress(BrokenPipeError):
        os.write(report, f"{number}\n".encode())


def _complete_models(parent: type[BaseModel]) -> None:
    """A model whose validator is made with its first use (`defer_build`) would have it made by each program.
    Of the SDKs' models, a program uses few."""
    for model in parent.__subclasses__():
        if not model.__pydantic_complete__ and model.__module__.partition(".")[0] in ROOMS:
            model.model_rebuild(raise_errors=False)
        _complete_models(model)


def _become(request: int, stdout: int, stderr: int) -> None:
    """Runs the module as `python -m` would."""
    with open(request, encoding="utf-8") as pipe:
        wanted = json.load(pipe)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv[1:] = wanted["arguments"]
    sys.modules.pop(wanted["module"], None)
    try:
        runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if error.code:
            raise
    threading._shutdown()
    atexit._run_exitfuncs()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
