"""/ready says whether a message can be stored, soon, and nothing else."""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.runtime_process import Runtime
from tests.sandbox_process import wait_until


def ready(runtime: Runtime) -> tuple[int, list[str]]:
    answer = runtime.request("GET", "/ready")
    assert str(runtime.folder) not in answer.body.decode()
    return answer.status, answer.json.get("problems", [])


def test_a_store_that_hangs_is_told_within_two_seconds_to_all_who_ask(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory()
    with closing(sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(1.1)  # what was found before no longer holds
        with ThreadPoolExecutor(20) as callers:
            # The store hangs until all of them have their answer.
            answers = list(callers.map(ready, [runtime] * 60))
        other.execute("ROLLBACK")
    assert answers == [(503, ["the store has not answered within 1.5 seconds"])] * 60
    wait_until(lambda: ready(runtime)[0] == 200, what="the store")


@pytest.mark.skipif(sys.platform != "linux", reason="resource.prlimit exists on Linux only")
def test_a_full_disk_shows(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory()
    assert ready(runtime) == (200, [])
    size = (runtime.folder / "runtime.db-wal").stat().st_size
    unlimited = resource.prlimit(runtime.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    wait_until(lambda: ready(runtime)[0] == 503, what="the full disk to show")
    assert ready(runtime)[1] == ["the store cannot be reached or written to"]
    (logged,) = [entry for entry in runtime.log() if entry["event"] == "store_not_writable"]
    assert str(runtime.folder) in logged["error"]

    resource.prlimit(runtime.process.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: ready(runtime)[0] == 200, what="room on the disk")


def test_many_who_ask_cost_one_write_a_second(runtime_factory: Callable[..., Runtime]) -> None:
    runtime = runtime_factory()
    assert ready(runtime) == (200, [])
    file = runtime.folder / "runtime.db-wal"
    before = file.stat().st_size
    for _ in range(200):
        assert ready(runtime) == (200, [])
    page = 4096 + 24
    # Each of them would have written at least one.
    assert (file.stat().st_size - before) / page < 100
