"""Pytest plugin: what tests start can be interrupted, also where the tests themselves run in the background.

A shell without job control (`make test &` in a script, cron, CI) has its background commands ignore Ctrl-C, and each
process that they start inherits that. A signal that is handled is given back its default in a started process; one that
is ignored stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def interruptible_processes() -> Iterator[None]:
    """Handle an ignored Ctrl-C by doing nothing: for the tests it is still ignored, for what they start it is not."""
    former = signal.getsignal(signal.SIGINT)
    if former is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
    yield
    signal.signal(signal.SIGINT, former)
