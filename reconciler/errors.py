"""Two small trees: errors that end a command, with their exit codes, and errors of a failed call to a provider.

ReconcileError                 1   something is wrong; the text says what, where and what to do next
├── ManifestErrors             1   problems in clients.d (reconciler.manifest)
├── InvalidSetting             1   a setting is missing or malformed
├── ReadFailed                 1   a source could not be read at all
├── Refused                    3   a guard refused the plan
└── Busy                       5   another run holds the lease, or the plan is not the expected one

ProviderError                      one client's failure, or one source's; the text is a sentence
├── PermanentError                 the same call will fail again
│   ├── KeyRefused                 401, 403: the key or token is missing, wrong, or may not do this
│   ├── NotFound                   404
│   ├── BodyRefused                400, 422 of Twilio: it does not take what was sent
│   ├── ProfileNotTaken            a sender has its webhook, and not its profile
│   └── RegistrationLimit          Meta's attempts are used up (reconciler.writers.twilio)
├── TemporaryError                 it had no effect and may be repeated: 429, and a read that failed
├── UnknownOutcome                 it may have taken effect: time-out, connection lost, 5xx
└── Stopped                        the run was stopped before the call was made

`runtime.errors` has the same words for the same things; neither room may import the other's.
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
    """Root of the errors that end a command; `str()` of it is for the user."""

    exit_code = Exit.ERROR
    names_places = False
    """Whether each line of the text begins with a file and a place in it, as compilers print it."""


class InvalidSetting(ReconcileError):
    """A setting is missing or malformed."""


class ReadFailed(ReconcileError):
    """A source could not be read, so its state is unknown."""


class Refused(ReconcileError):
    """A guard refused the plan."""

    exit_code = Exit.REFUSED


class Busy(ReconcileError):
    """Another run holds the lease, or the plan is no longer the expected one."""

    exit_code = Exit.STALE


class ProviderError(Exception):
    """A call to a provider failed; the text says why, and what to do where that is not the same for all callers."""


class PermanentError(ProviderError):
    """Repeating the call cannot help."""


class KeyRefused(PermanentError):
    """The provider does not accept the credentials, or there are none."""


class BodyRefused(PermanentError):
    """The provider does not take what was sent."""


class NotFound(PermanentError):
    """The provider has no such object."""


class ProfileNotTaken(PermanentError):
    """A sender calls the declared webhook, so that it is attached; its profile is not as declared."""


class TemporaryError(ProviderError):
    """The call had no effect and may be repeated."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay
        """Seconds that the provider asked us to wait, when it did."""


class UnknownOutcome(ProviderError):
    """The call may or may not have had its effect; check before repeating it."""


class Stopped(ProviderError):
    """The run was stopped before the call was made."""


def error_of_status(status: int) -> type[ProviderError]:
    """The error for an HTTP status from 400 on."""
    if status in (401, 403):
        return KeyRefused
    if status == 404:
        return NotFound
    if status == 429:
        return TemporaryError
    return UnknownOutcome if status >= 500 else PermanentError
