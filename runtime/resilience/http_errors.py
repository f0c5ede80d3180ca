"""The error for an answer with an error status: whether the call may be repeated.

    401                      KeyRefused       every call with this key fails
    429                      TemporaryError   it had no effect; after the pause that the provider asks for
    408, 5xx, no status      UnknownOutcome   it may have had its effect; TemporaryError for idempotent calls
    any other                PermanentError   it fails again

Codes with another meaning at one provider are handled where that provider is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError, UnknownOutcome


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider whose answers are classified."""

    name: str
    wrong_key: str
    """The message to the operator when the key is refused, with the next step."""
    is_repeatable: bool
    """Whether calls are idempotent, so that one with an unknown outcome can be repeated."""


def error_of_status(
    provider: Provider, status: int | None, *, code: str, said: str, delay: float | None
) -> ProviderError:
    """The error of an answer with a status, None where there was none; `code` and `said` are the provider's own, the
    latter empty where it gave no reason, and `delay` is the pause in seconds that it asks for."""
    reason = f": {said}" if said else "."
    match status:
        case 401:
            # The reason may repeat the key.
            return KeyRefused(provider.wrong_key)
        case 429:
            return TemporaryError(f"{provider.name} is limiting us ({_with_code(429, code)}){reason}", delay)
        case None | 408:
            failed = f"{provider.name} failed ({_with_code(status, code)}){reason}"
        case _ if status >= 500:
            failed = f"{provider.name} failed ({status}){reason}"
        case _:
            refused = f"{provider.name} refused the request ({_with_code(status, code)}){reason}"
            return PermanentError(refused, code or None)
    return TemporaryError(failed, delay) if provider.is_repeatable else UnknownOutcome(failed)


def retry_after_seconds(headers: Mapping[str, str], longest: float) -> float | None:
    """The pause that an answer asks for in `Retry-After`, seconds or a date, or OpenAI's `retry-after-ms`, limited;
    None when there is none that can be parsed. Names of headers may be in any case."""
    given = {name.lower(): value for name, value in headers.items()}
    asked = (_number(given.get("retry-after-ms"), 1000.0), _number(given.get("retry-after"), 1.0))
    seconds = next((one for one in asked if one is not None), None)
    if seconds is None:
        seconds = _until(given.get("retry-after"))
    # Zero, negative values and what is not a number are ignored: no call follows another at once.
    return min(seconds, longest) if seconds is not None and seconds > 0 else None


def _number(text: str | None, unit: float) -> float | None:
    try:
        seconds = float(text or "") / unit
    except ValueError:
        return None
    return seconds if seconds > 0 else None


def _until(text: str | None) -> float | None:
    """Seconds until an HTTP date; None for anything else."""
    try:
        return (parsedate_to_datetime(text or "") - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None


def _with_code(status: int | None, code: str) -> str:
    return " ".join(part for part in (str(status or "no status"), code) if part)
