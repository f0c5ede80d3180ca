"""Errors that end a command, each with its exit code.

ReconcileError                 1   something is wrong; the text says what, where and what to do next
├── ManifestErrors             1   problems in clients.d (reconciler.manifest)
├── SettingsError              1   a setting is missing or malformed
├── ReadFailed                 1   a side could not be read at all
├── Refused                    3   a guard said no
└── Busy                       5   another run holds the lease, or the plan is not the expected one
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `reconcile`; a contract, see docs/cli.md."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    REFUSED = 3
    PARTIAL = 4
    STALE = 5


class ReconcileError(Exception):
    """Root of the errors that end a command; `str()` of it is what the user reads."""

    exit_code = Exit.ERROR


class SettingsError(ReconcileError):
    """A setting is missing or malformed."""


class ReadFailed(ReconcileError):
    """A side could not be read, so nothing can be said about it."""


class Refused(ReconcileError):
    """A guard refused the plan."""

    exit_code = Exit.REFUSED


class Busy(ReconcileError):
    """Another run holds the lease, or the plan is no longer the expected one."""

    exit_code = Exit.STALE
