"""What Ctrl-C does to a command that is writing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.streams import print_notice


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets running calls finish and be recorded; the second ends the program at once."""

    def first(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)
        print_notice("Stopping: running calls are finished and recorded. Press Ctrl-C again to stop at once.")

    former = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
