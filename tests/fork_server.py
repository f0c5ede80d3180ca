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
import signal
import socket
import sys
import threading

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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, 1, DESCRIPTORS)
            if not message:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    _keep_or_become(*descriptors)


def _complete_models(parent: type[BaseModel]) -> None:
    """A model whose validator is made with its first use (`defer_build`) would have it made by each program.
    Of the SDKs' models, a program uses few."""
    for model in parent.__subclasses__():
        if not model.__pydantic_complete__ and model.__module__.partition(".")[0] in ROOMS:
            model.model_rebuild(raise_errors=False)
        _complete_models(model)


def _keep_or_become(request: int, stdout: int, stderr: int, report: int) -> None:
    """The parent of the program reports its id and its end: only a parent can wait for a process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(report)
        _become(request, stdout, stderr)
        return
    for each in (request, stdout, stderr):
        os.close(each)
    os.write(report, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


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
