"""The reconciler's log beside a result for programs: JSON lines on stderr. Results never go here."""

from __future__ import annotations

import sys

import structlog


def logger() -> structlog.stdlib.BoundLogger:
    """A logger that writes JSON lines."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    log: structlog.stdlib.BoundLogger = structlog.get_logger()
    return log
