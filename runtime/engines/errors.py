"""OpenAI's errors as `runtime.errors`. The body is always `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import aiohttp

from runtime.engines.responses_api import CallRefused, UnreadableAnswer
from runtime.errors import KeyRefused, ModelGone, PermanentError, ProviderError, RequestRefused, TemporaryError
from runtime.resilience.http_errors import Provider, error_of_status, retry_after_seconds

if TYPE_CHECKING:
    from openai import APIError

MAX_RETRY_AFTER_SECONDS = 120.0
OPENAI = Provider("OpenAI", "OpenAI does not accept the key (401); check OPENAI_API_KEY.", is_repeatable=True)

KEY_REFUSED = frozenset(
    {
        "authentication_error",
        "billing_not_active",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
        "usage_limit_exceeded",
    }
)
"""Error codes of a turn at the Agents API with which every other turn with this key fails too."""
WORTH_ANOTHER_TRY = frozenset(
    {
        "active_turn_not_steerable",
        "cancelled",
        "connection_failed",
        "context_length_exceeded",  # the next session has only our own history
        "flex_unavailable",
        "internal_error",
        "rate_limit_exceeded",
        "request_timeout",
        "server_error",
        "server_overloaded",
        "session_budget_exceeded",
    }
)
"""Error codes of a turn that may succeed when it is attempted again."""
WORDS_REFUSED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "invalid_prompt",
        "moderation_blocked",
    }
)
"""Error codes with which OpenAI and Azure refuse what was written. An account that repeats it is blocked in time."""

TOO_LATE = "The model did not answer in time (MODEL_TIMEOUT_SECONDS)."
_MISSING = re.compile(r"does not exist|not found|deprecated|not available", re.IGNORECASE)
NOT_REACHED = "The model's provider cannot be reached; check OPENAI_BASE_URL and the network."


def from_call(
    error: aiohttp.ClientError | TimeoutError | CallRefused | UnreadableAnswer, model: str | None
) -> ProviderError:
    """The runtime's error for a failed call of `ResponsesApi`: permanent or temporary, in one sentence with the next
    step."""
    if isinstance(error, TimeoutError):
        return TemporaryError(TOO_LATE)
    if isinstance(error, CallRefused):
        return _from_status(error, error.headers, model)
    if isinstance(error, UnreadableAnswer):
        return TemporaryError(f"The model's provider sent something unreadable: {error}")
    return TemporaryError(NOT_REACHED)


def from_openai(error: APIError, model: str | None) -> ProviderError:
    """The runtime's error for a failed call with the SDK."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return TemporaryError(TOO_LATE)
    if isinstance(error, APIConnectionError):
        return TemporaryError(NOT_REACHED)
    if not isinstance(error, APIStatusError):
        return TemporaryError(f"The model's provider sent something unreadable: {error.message}")
    return _from_status(error, error.response.headers, model)


def from_turn(status: str, code: str | None = None, message: str | None = None) -> ProviderError:
    """The runtime's error for a turn at the Agents API that ended without success."""
    said = f"The agent's turn ended as {status} ({code or status}): {message or 'no reason given'}"
    if code == "model_not_found":
        return ModelGone(said, None)
    if code in KEY_REFUSED:
        return KeyRefused(said)
    if code in WORDS_REFUSED:
        return RequestRefused(said, is_for_words=True)
    return TemporaryError(said) if (code or status) in WORTH_ANOTHER_TRY else PermanentError(said)


class _StatusError(Protocol):
    """The fields that the SDK's error and ours have in common."""

    message: str
    status_code: int

    @property
    def code(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def param(self) -> str | None: ...


def _from_status(error: _StatusError, headers: Mapping[str, str], model: str | None) -> ProviderError:
    # Some servers give the status as the code.
    code = next((name for name in (error.code, error.type) if isinstance(name, str)), "")
    said = error.message.removeprefix(f"Error code: {error.status_code} - ")
    delay = retry_after_seconds(headers, MAX_RETRY_AFTER_SECONDS)
    match error.status_code:
        case 429 if "insufficient_quota" in (error.code, error.type):
            return KeyRefused(
                "The OpenAI account has no credit left (insufficient_quota); add credit or raise its limit."
            )
        case 400 | 403 | 404 if code == "model_not_found" or _misses_model(error.status_code, said, model):
            return ModelGone(
                f"The model {model!r} does not exist or is no longer available; choose another one for this client.",
                model,
            )
        case 403:
            return PermanentError(f"OpenAI refuses this key (403): {said or 'no reason given'}")
        case 400 if code == "conversation_locked":
            return TemporaryError("Another call is working on this conversation.")
        case 409:
            return TemporaryError(f"Another call conflicted with this one (409 {code}).", delay)
        case status:
            at = f"{code} at {error.param}" if error.param else code
            failure = error_of_status(OPENAI, status, code=at, said=said, delay=delay)
            if status in (400, 413, 422):
                return RequestRefused(str(failure), is_for_words=code in WORDS_REFUSED)
            return failure


def _misses_model(status: int, said: str, model: str | None) -> bool:
    """Whether a 404 without OpenAI's code is about the model, as vLLM and Ollama write it; other 404s name a vector
    store, or a path that is not served."""
    return status == 404 and bool(model) and str(model) in said and _MISSING.search(said) is not None
