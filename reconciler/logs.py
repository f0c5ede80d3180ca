"""The reconciler's log: structured lines on stderr, JSON unless it is a terminal. Results never go here."""

from __future__ import annotations

import sys

import structlog


def logger() -> structlog.stdlib.BoundLogger:
    """A logger that writes JSON lines, or coloured text on a terminal."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    log: structlog.stdlib.BoundLogger = structlog.get_logger()
    return log
