"""Structured logs on stderr: one event a line, with the client and the bot's number, and without users' numbers.

A bot's number is written in full, so that `journalctl … | grep "+15551234567"` finds its lines. A user's is masked, and
events never contain secrets.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Literal, TextIO

import structlog
from pydantic_core import to_json

from runtime.store.database.times import timestamp
from schemas.addresses import number_of

NUMBER = re.compile(r"^(\+\d{3})\d+(\d{4})$")


_facts: ContextVar[Mapping[str, object]] = ContextVar("facts", default=MappingProxyType({}))


class LogContext:
    """Context manager: every log line written inside carries these facts. structlog's own context variables, one for
    each fact, take ten times as long."""

    __slots__ = ("_before", "_said")

    def __init__(self, **facts: object) -> None:
        self._said = facts

    def __enter__(self) -> None:
        self._before: Token[Mapping[str, object]] = _facts.set({**_facts.get(), **self._said})

    def __exit__(self, *_error: object) -> None:
        _facts.reset(self._before)


def configure_logs(form: Literal["auto", "json", "text"], level: str) -> None:
    """Sets up logging for this process: JSON unless stderr is a terminal or the setting says otherwise."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer(_as_json)
    )
    lines = Lines(sys.stderr)
    atexit.register(lines.write_out)
    structlog.configure(
        processors=[
            _with_facts,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=lambda *_arguments: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_OfLibraries()])


class _OfLibraries(logging.Handler):
    """Turns a library's log records into events like ours: one line, the traceback inside it, so that every line is
    JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        try:
            log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - as in logging: a line that cannot be written stops no work
            self.handleError(record)


class Lines:
    """Rendered lines on their way to a file.

    Lines of the level info are buffered until the end of one iteration of the event loop: a write releases the GIL to
    the store's thread, and waiting to get it back after each line costs more than the line. Warnings and errors are
    written at once, with all lines before them.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: list[str] = []
        self._lock = threading.Lock()

    def info(self, line: str) -> None:
        """Buffers a line until the end of this iteration."""
        with self._lock:
            self._waiting.append(line)
            is_first = len(self._waiting) == 1
        if not is_first:
            return
        try:
            asyncio.get_running_loop().call_soon(self.write_out)
        except RuntimeError:  # no loop in this thread
            self.write_out()

    def warning(self, line: str) -> None:
        """Writes a line now."""
        with self._lock:
            self._waiting.append(line)
        self.write_out()

    debug = msg = info
    error = critical = exception = warning

    def write_out(self) -> None:
        """Writes the buffered lines."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if waiting:
                self._file.write("\n".join(waiting) + "\n")
                self._file.flush()


def _with_facts(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**_facts.get(), **event}


def _stamp(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = timestamp()
    return event


def _as_json(event: object, **_options: object) -> str:
    try:
        return to_json(event, fallback=repr).decode()
    except ValueError:  # half of a surrogate pair, which UTF-8 cannot encode
        return json.dumps(event, default=repr)


def masked_user(address: str) -> str:
    """A user's address fit for a log: `+569****5678`, or the country and last characters of a hidden number."""
    bare = number_of(address)
    match = NUMBER.match(bare)
    if match:
        return f"{match[1]}****{match[2]}"
    return f"{bare[:3]}****{bare[-4:]}" if len(bare) > 8 else "****"
