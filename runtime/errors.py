"""What a provider's failure means to a turn; every provider's own errors are translated into these.

ProviderError
├── PermanentError      the same call will fail again: no retry
├── TemporaryError      nothing happened at the provider, try again after `delay` seconds
└── UnknownOutcome      it may have happened: look before doing it again
"""

from __future__ import annotations


class ProviderError(Exception):
    """Root; `str()` of it is a sentence for the operator, never for the user."""


class PermanentError(ProviderError):
    """Repeating the call cannot help."""


class TemporaryError(ProviderError):
    """The call had no effect and may be repeated."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay
        """Seconds that the provider asked us to wait, when it did."""


class UnknownOutcome(ProviderError):
    """The call may or may not have had its effect."""
