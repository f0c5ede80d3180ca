"""`reconcile ARGS`, killed before an event: `python -m tests.reconciler.killed_command EVENT NUMBER ARGS`."""

from __future__ import annotations

import os
import signal
import sys

from reconciler.cli import main


def kill_before(event: str, number: int) -> None:
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
    kill_before(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    main()
