"""Structured logs on stderr: one event a line, with the client and the bot's number, and without users' numbers.

A bot's number is written in full, so that `journalctl … | grep "+15551234567"` finds its lines. A user's is masked, and
events never contain secrets.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import re
import select
import stat
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Literal, NamedTuple, TextIO

from pydantic_core import to_json

from runtime.store.database.times import timestamp
from schemas.addresses import number_of

if "rich" in sys.modules:
    import structlog
else:
    # structlog imports rich where that is installed, to draw tracebacks, which are texts here: 4 MB in every service.
    sys.modules["rich"] = None  # type: ignore[assignment]  # so an import of it fails (Python: the import system)
    import structlog

    del sys.modules["rich"]

NUMBER = re.compile(r"^(\+\d{3})\d+(\d{4})$")
VALUE_LENGTH = 2_000
"""Maximum length of a value in a line, in characters."""
EXCEPTION_LENGTH = 20_000
WAITING_BYTES = 1024 * 1024
"""How much waits for a pipe that is not read, before lines are dropped."""
PIECE = 4096
"""Bytes that are written at a time: as many as a pipe takes for certain when it takes any."""
RETRY_SECONDS = 0.2
CLOSE_SECONDS = 2.0

_NUMBERS = (int, float, type(None))
_configured: list[Lines] = []
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
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else _as_json
    )
    render = partial(_rendered, _in_view(renderer) if as_text else renderer)
    lines = Lines(sys.stderr, render)
    _configured.append(lines)
    atexit.register(lines.close)
    structlog.configure(
        processors=[partial(_taken, render)],
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


class Event(NamedTuple):
    """What a line will say."""

    method: str
    """The level."""
    said: Mapping[str, object]
    facts: Mapping[str, object] = MappingProxyType({})
    """Of the context."""
    seconds: float = 0.0
    """When, since 1970."""


class Lines:
    """Lines on their way to a file.

    Lines of the level info are kept until the end of one iteration of the event loop, and rendered together then, which
    is quicker than one by one; and a write releases the GIL to the store's thread. Warnings and errors are written at
    once, with all lines before them.

    A pipe that is not read does not stop the service: only what it takes is written, the rest waits, and above
    WAITING_BYTES new lines are dropped, which a line says once there is room again.
    """

    def __init__(self, file: TextIO, render: Callable[[Event], str]) -> None:
        self._file = file
        self._render = render
        self._room = _Room.of(file)
        self._waiting: list[str | Event] = []
        self._bytes = bytearray()
        """What is not written yet; it may begin within a line."""
        self._unreported = 0
        self._is_retrying = False
        self._lock = threading.Lock()
        self.dropped = 0
        """Number of lines that were dropped."""

    def info(self, line: str | Event) -> None:
        """Keeps a line until the end of this iteration."""
        with self._lock:
            self._waiting.append(line)
            is_first = len(self._waiting) == 1
        if not is_first:
            return
        try:
            asyncio.get_running_loop().call_soon(self.write_out)
        except RuntimeError:  # no loop in this thread
            self.write_out()

    def warning(self, line: str | Event) -> None:
        """Writes a line now."""
        with self._lock:
            self._waiting.append(line)
        self.write_out()

    debug = msg = info
    error = critical = exception = warning

    def write_out(self) -> None:
        """Writes the lines, as many as the file takes."""
        with self._lock:
            if self._room is None:
                self._write_all()
                return
            self._queue()
            while self._bytes and self._room.is_there(0):
                del self._bytes[: self._room.write(self._bytes)]
                self._queue_notice()
            is_left = bool(self._bytes) and not self._is_retrying
            self._is_retrying = self._is_retrying or is_left
        if is_left:
            self._retry()

    def close(self) -> None:
        """Waits CLOSE_SECONDS for a slow reader at the end of the process."""
        self.write_out()
        give_up = time.monotonic() + CLOSE_SECONDS
        with self._lock:
            while self._bytes and self._room is not None and self._room.is_there(give_up - time.monotonic()):
                del self._bytes[: self._room.write(self._bytes)]

    def _write_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._file.write("\n".join(map(self._text, waiting)) + "\n")
            self._file.flush()

    def _text(self, line: str | Event) -> str:
        return line if isinstance(line, str) else self._render(line)

    def _queue(self) -> None:
        for line in self._waiting:
            if len(self._bytes) < WAITING_BYTES:
                self._bytes += self._text(line).encode("utf-8", "backslashreplace") + b"\n"
            else:
                self.dropped += 1
                self._unreported += 1
        self._waiting.clear()

    def _queue_notice(self) -> None:
        if self._unreported and len(self._bytes) < WAITING_BYTES // 2:
            said = {"event": "log_lines_dropped", "lines": self._unreported}
            self._bytes += self._render(Event("warning", said, seconds=time.time())).encode() + b"\n"
            self._unreported = 0

    def _retry(self) -> None:
        try:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._try_again)
        except RuntimeError:  # no loop in this thread: the next line tries again
            self._is_retrying = False

    def _try_again(self) -> None:
        self._is_retrying = False
        self.write_out()


class _Room:
    """Whether a pipe, a socket or a terminal takes PIECE bytes now. Where it is said to be writable, it does: a pipe
    has a free page then, a socket three quarters of its buffer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    @classmethod
    def of(cls, file: TextIO) -> _Room | None:
        """None for a file on a disk, which takes everything, and where a system has no poll."""
        try:
            descriptor = file.fileno()
        except (OSError, ValueError):
            return None
        if not hasattr(select, "poll") or stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return cls(descriptor)

    def is_there(self, seconds: float) -> bool:
        """Whether there is room, or will be within that time. A pipe that was closed is writable: writing fails."""
        return bool(self._poll.poll(max(seconds, 0) * 1000))

    def write(self, content: bytearray) -> int:
        """Writes the beginning; returns its length. All of it counts as written once the reader has ended."""
        try:
            return os.write(self._descriptor, content[:PIECE])
        except BrokenPipeError:
            return len(content)


def dropped_lines() -> int:
    """How many lines this process has dropped."""
    return sum(lines.dropped for lines in _configured)


def _taken(
    render: Callable[[Event], str], _logger: object, method: str, said: structlog.typing.EventDict
) -> str | tuple[tuple[Event], dict[str, object]]:
    """What is given to Lines: an event with the facts of the context; a text where the traceback is to be in it, or
    where it is written at once."""
    event = Event(method, said, _facts.get(), time.time())
    return render(event) if method not in ("info", "debug") or "exc_info" in said else ((event,), {})


def _rendered(renderer: structlog.typing.Processor, event: Event) -> str:
    """The line: what was said, the facts, the level, the time and the traceback."""
    line = {**event.facts, **event.said, "level": event.method, "timestamp": timestamp(event.seconds)}
    try:
        if "exc_info" in line:
            line = dict(structlog.processors.format_exc_info(None, event.method, line))
        return str(renderer(None, event.method, _bounded(line)))
    except Exception as error:  # noqa: BLE001 - a value whose own code fails; the other lines are written
        said = {"event": str(event.said.get("event")), "level": "error", "log_error": type(error).__name__}
        return str(renderer(None, "error", {**said, "timestamp": timestamp(event.seconds)}))


def _bounded(event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Cuts long values: a caller chooses some of them."""
    for name, value in event.items():
        if isinstance(value, _NUMBERS):
            continue
        text = value if isinstance(value, str) else repr(value)
        if len(text) <= VALUE_LENGTH:
            continue
        limit = EXCEPTION_LENGTH if name == "exception" else VALUE_LENGTH
        if len(text) > limit:
            event[name] = f"{text[: limit // 2]} … {len(text)} characters … {text[-limit // 2 :]}"
    return event


def _in_view(renderer: structlog.typing.Processor) -> structlog.typing.Processor:
    """Escapes what would change a terminal that shows the text: JSON does so by itself."""

    def render(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        visible = {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}
        return str(renderer(logger, method, visible))

    return render


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    try:
        return to_json(event, fallback=repr).decode()
    except ValueError:  # half of a surrogate pair, which UTF-8 cannot encode
        return json.dumps(event, default=repr)


@lru_cache(maxsize=1024)
def masked_user(address: str) -> str:
    """A user's address fit for a log: `+569****5678`, or the country and last characters of a hidden number."""
    bare = number_of(address)
    match = NUMBER.match(bare)
    if match:
        return f"{match[1]}****{match[2]}"
    return f"{bare[:3]}****{bare[-4:]}" if len(bare) > 8 else "****"
