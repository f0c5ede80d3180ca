"""Structured logs on stderr: one event a line, with the client and the bot's number, and without users' numbers.

A bot's number is written in full, so that `journalctl … | grep "+15551234567"` finds its lines. A user's is masked, and
secrets are no part of any event.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Literal

import structlog

from runtime.store.times import timestamp

ADDRESS = re.compile(r"^(whatsapp:)?(\+\d{3})\d+(\d{4})$")


def configure_logs(form: Literal["auto", "json", "text"], level: str) -> None:
    """Sets up logging for this process: JSON unless stderr is a terminal or the setting says otherwise."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer(_as_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)
"""Made once: a log line is written three times for each message."""


def _stamp(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = timestamp()
    return event


def _as_json(event: object, **_options: object) -> str:
    return _ENCODER.encode(event)


def masked_user(address: str) -> str:
    """A user's address fit for a log: `+569****5678`, or the country and last characters of a hidden number."""
    match = ADDRESS.match(address)
    if match:
        return f"{match[2]}****{match[3]}"
    bare = address.removeprefix("whatsapp:")
    return f"{bare[:3]}****{bare[-4:]}" if len(bare) > 8 else "****"
