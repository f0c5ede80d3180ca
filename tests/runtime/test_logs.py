"""Lines of the log: whole, in order, warnings at once."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

import pytest
import structlog

from runtime.observability.logs import (
    VALUE_LENGTH,
    WAITING_BYTES,
    Event,
    Lines,
    LogContext,
    configure_logs,
)
from tests.runtime_process import inbound_fields, signed_webhook, start_runtime
from tests.sandbox_process import Sandbox


class File(io.StringIO):
    """Remembers what each write wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def shown(event: Event) -> str:
    """The line about lines that were dropped."""
    return f"dropped {event.said['lines']}"


async def test_what_informs_is_written_once_for_each_round_of_the_loop() -> None:
    file = File()
    lines = Lines(file, shown)
    for number in range(3):
        lines.info(f"{number}")
    assert file.writes == []
    await asyncio.sleep(0)
    assert file.writes == ["0\n1\n2\n"]


async def test_a_warning_is_written_at_once_behind_what_came_before() -> None:
    file = File()
    lines = Lines(file, shown)
    lines.info("before")
    lines.warning("look")
    assert file.writes == ["before\nlook\n"]
    await asyncio.sleep(0)
    assert file.getvalue() == "before\nlook\n"


def test_without_a_loop_a_line_is_written_at_once() -> None:
    file = File()
    Lines(file, shown).info("starting")
    assert file.writes == ["starting\n"]


async def test_no_line_of_any_thread_is_lost_or_torn() -> None:
    file = File()
    lines = Lines(file, shown)
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


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_long_value_is_cut(form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(form, "info")
    try:
        structlog.get_logger("runtime").info("said", number="x" * 20_000, others=["y" * 20_000])
    finally:
        structlog.reset_defaults()
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 3 * VALUE_LENGTH
    assert "… 20000 characters …" in line


def test_what_would_change_a_terminal_is_escaped_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("text", "info")
    try:
        structlog.get_logger("runtime").info("said", number="+569\x1b[2J\r\u202e\u2028", text="ñandú")
        structlog.get_logger("runtime").error("failed", exc_info=ValueError("\x1b]0;title\x07"))
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "\\x1b[2J\\r\\u202e\\u2028" in said
    assert "ñandú" in said
    assert all(each.isprintable() or each == "\n" for each in said)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Both ends: what is read, and what is written to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        yield reading, file
    os.close(reading)


async def test_a_pipe_that_is_not_read_drops_lines_and_says_so_once_it_is(pipe: tuple[int, TextIO]) -> None:
    reading, file = pipe
    lines = Lines(file, shown)
    count = 3 * WAITING_BYTES // 1000
    for number in range(count):
        lines.warning(f"{number:06} " + "x" * 1000)
    assert 0 < lines.dropped < count

    kept = count - lines.dropped
    read = b""
    while b"dropped" not in read:
        read += await asyncio.to_thread(os.read, reading, 65536)
    rows = read.decode().splitlines()
    told = [row for row in rows if row.startswith("dropped")]
    whole = [row for row in rows[:-1] if not row.startswith("dropped")]
    assert told == [f"dropped {lines.dropped}"]
    # In order, and none is torn.
    assert [row[:6] for row in whole] == [f"{number:06}" for number in range(len(whole))]
    assert {len(row) for row in whole} == {1007}
    assert len(whole) <= kept


async def test_a_pipe_whose_reader_has_ended_stops_no_work(pipe: tuple[int, TextIO]) -> None:
    reading, file = pipe
    lines = Lines(file, shown)
    lines.warning("before")
    elsewhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(elsewhere, reading)  # closes the pipe's end
    os.close(elsewhere)
    lines.warning("after")
    lines.close()


def test_a_service_whose_log_is_not_read_goes_on(tmp_path: Path, sandbox: Sandbox) -> None:
    """The pipe holds 64 kB, and what is logged here is more."""
    reading, writing = os.pipe()
    runtime = start_runtime(tmp_path, sandbox, stderr=writing)
    os.close(writing)
    for _ in range(60):
        assert signed_webhook(runtime, inbound_fields("+1" + "5" * 3_000)).status == 404
    assert runtime.request("GET", "/health").status == 200
    runtime.process.terminate()
    assert runtime.process.wait(timeout=40) == 0
    assert runtime.process.stdout is not None
    runtime.process.stdout.close()
    os.close(reading)


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


async def test_a_value_that_cannot_be_shown_costs_no_other_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    log = structlog.get_logger("runtime")
    with LogContext(client="la-cocina"):
        log.info("before")
    log.info("odd", value=Odd())
    log.info("after")
    log.error("now")  # which writes what waits
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["before", "odd", "after", "now"]
    assert (lines[0]["client"], lines[1]["log_error"], "client" in lines[2]) == ("la-cocina", "RuntimeError", False)
