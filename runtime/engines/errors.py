"""OpenAI's errors in our words. The body is always `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError

MAX_RETRY_AFTER_SECONDS = 120.0


def from_openai(error: APIError, model: str | None) -> ProviderError:
    """What a failed call means: permanent or temporary, in one sentence with the next step."""
    if isinstance(error, APITimeoutError):
        return TemporaryError("The model did not answer in time (MODEL_TIMEOUT_SECONDS).")
    if isinstance(error, APIConnectionError):
        return TemporaryError("The model's provider cannot be reached; check OPENAI_BASE_URL and the network.")
    if not isinstance(error, APIStatusError):
        return TemporaryError(f"The model's provider sent something unreadable: {error.message}")
    return _from_status(error, model)


def _from_status(error: APIStatusError, model: str | None) -> ProviderError:
    code, said = error.code or error.type or "", error.message
    match error.status_code:
        case 429 if "insufficient_quota" in (error.code, error.type):
            return KeyRefused(
                "The OpenAI account has no credit left (insufficient_quota); add credit or raise its limit."
            )
        case 401:
            return KeyRefused("OpenAI does not accept the key (401); check OPENAI_API_KEY.")
        case 403:
            return PermanentError(f"OpenAI refuses this key (403): {said}")
        case 404 if code == "model_not_found":
            return PermanentError(f"The model {model!r} does not exist or is gone; choose another one for this client.")
        case 400 if code == "conversation_locked":
            return TemporaryError("Another call is working on this conversation.")
        case 408 | 409 | 429:
            return TemporaryError(f"OpenAI is limiting us ({error.status_code} {code}).", _retry_after(error))
        case status if status >= 500:
            return TemporaryError(f"OpenAI failed ({status}).", _retry_after(error))
        case status:
            at = f" at {error.param}" if error.param else ""
            return PermanentError(f"OpenAI refused the request ({status} {code}{at}): {said}")


def _retry_after(error: APIStatusError) -> float | None:
    for header, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return min(float(error.response.headers[header]) / unit, MAX_RETRY_AFTER_SECONDS)
        except (KeyError, ValueError):
            continue
    return None
