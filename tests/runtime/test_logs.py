"""Lines of the log: whole, in order, warnings at once."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import threading

import pytest
import structlog

from runtime.observability.logs import Lines, configure_logs


class File(io.StringIO):
    """Remembers what each write wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


async def test_what_informs_is_written_once_for_each_round_of_the_loop() -> None:
    file = File()
    lines = Lines(file)
    for number in range(3):
        lines.info(f"{number}")
    assert file.writes == []
    await asyncio.sleep(0)
    assert file.writes == ["0\n1\n2\n"]


async def test_a_warning_is_written_at_once_behind_what_came_before() -> None:
    file = File()
    lines = Lines(file)
    lines.info("before")
    lines.warning("look")
    assert file.writes == ["before\nlook\n"]
    await asyncio.sleep(0)
    assert file.getvalue() == "before\nlook\n"


def test_without_a_loop_a_line_is_written_at_once() -> None:
    file = File()
    Lines(file).info("starting")
    assert file.writes == ["starting\n"]


async def test_no_line_of_any_thread_is_lost_or_torn() -> None:
    file = File()
    lines = Lines(file)
    threads = [threading.Thread(target=lambda: [lines.info("of a thread") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(500):
        lines.info("of the loop")
        if number % 7 == 0:
            await asyncio.sleep(0)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    lines.write_out()
    assert sorted(file.getvalue().splitlines()) == ["of a thread"] * 2000 + ["of the loop"] * 500


@pytest.mark.parametrize("value", ["\ud800", b"\xff", {1, 2}, object(), float("nan"), "ñandú 🦤"])
def test_whatever_a_line_is_about_it_is_json(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    try:
        structlog.get_logger("runtime").info("said", value=value)
    finally:
        structlog.reset_defaults()
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], "value" in line) == ("said", "info", True)


LIBRARY = """
import logging
from runtime.observability.logs import configure_logs
configure_logs("json", "info")
logging.getLogger("psycopg.pool").warning("error connecting in %r:\\n%s", "pool-1", "Is the server running?")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("asyncio").exception("Task exception was never retrieved")
logging.getLogger("psycopg.pool").info("nobody asked")
"""


def test_what_a_library_says_is_json_too_its_traceback_included() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"]) for line in lines] == [("psycopg.pool", "warning"), ("asyncio", "error")]
    assert lines[0]["event"] == "error connecting in 'pool-1':\nIs the server running?"
    assert "ZeroDivisionError" in lines[1]["exception"]
