"""What a provider's refusal means is the same for everything that calls it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from reconciler.errors import (
    BodyRefused,
    KeyRefused,
    NotFound,
    PermanentError,
    ProviderError,
    TemporaryError,
    UnknownOutcome,
    error_of_status,
)
from reconciler.readers.openai import OpenAIReader
from reconciler.settings import Settings, load_settings
from reconciler.writers.openai import OpenAIWriter
from reconciler.writers.rate_limit import RateLimit
from reconciler.writers.retry import Patience
from reconciler.writers.twilio import RegistrationLimit, TwilioWriter
from tests.bare_server import Serve, answer
from tests.reconciler.agency import Agency

KINDS: dict[int, type[ProviderError]] = {
    400: PermanentError,
    401: KeyRefused,
    403: KeyRefused,
    404: NotFound,
    409: PermanentError,
    422: PermanentError,
    429: TemporaryError,
    500: UnknownOutcome,
    503: UnknownOutcome,
}
"""What a call that writes came to, by status."""

Write = Callable[[Settings], None]


@pytest.fixture
def settings(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the command would read."""
    for name, value in agency.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(agency.folder)


def patience() -> Patience:
    """No second attempt."""
    return Patience(RateLimit(1), threading.Event(), attempts=1)


def update_assistant(settings: Settings) -> None:
    """One call through the openai SDK."""
    values = {"engine": "assistants", "name": "a", "model": "m", "instructions": "i", "tools": []}
    with closing(OpenAIWriter(settings, patience())) as writer:
        writer.update_object("asst_1", "la-cocina", values, {}, {"name"})


def submit_code(settings: Settings) -> None:
    """One call through the twilio SDK."""
    TwilioWriter(settings, "AC1", "token", patience()).submit_code("XE1", "123456")


@pytest.mark.parametrize("status", KINDS)
def test_a_status_means_one_of_a_few_things(status: int) -> None:
    assert error_of_status(status) is KINDS[status]


@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize("write", [update_assistant, submit_code])
def test_a_write_that_is_refused_is_called_what_its_status_means(
    serve: Serve, settings: Settings, write: Write, status: int
) -> None:
    body = json.dumps({"error": {"message": "No."}, "code": 20000, "message": "No."}).encode()
    url = serve(answer(f"{status} Refused", body, "Content-Type: application/json", "Retry-After: 7"))
    with pytest.raises(ProviderError) as caught:
        write(replace(settings, openai_base_url=url, twilio_base_url=url))
    is_twilios_body = write is submit_code and status in (400, 422)
    assert type(caught.value) is (BodyRefused if is_twilios_body else KINDS[status])
    if isinstance(caught.value, TemporaryError):
        assert caught.value.delay == 7


@pytest.mark.parametrize("write", [update_assistant, submit_code])
def test_a_write_without_an_answer_may_have_taken_effect(serve: Serve, settings: Settings, write: Write) -> None:
    url = serve(None)
    with pytest.raises(UnknownOutcome):
        write(replace(settings, openai_base_url=url, twilio_base_url=url))


@pytest.mark.parametrize("status", KINDS)
def test_a_read_has_no_effect_so_it_may_be_repeated_whatever_became_of_it(
    serve: Serve, settings: Settings, status: int
) -> None:
    refusal = answer(f"{status} Refused", b"", "Retry-After: 0")
    with pytest.raises(ProviderError) as caught:
        OpenAIReader(replace(settings, openai_base_url=serve(*[refusal] * 5))).models()
    assert type(caught.value) is (TemporaryError if KINDS[status] is UnknownOutcome else KINDS[status])


def test_used_up_attempts_are_no_refusal_like_others(serve: Serve, settings: Settings) -> None:
    body = json.dumps({"code": 20249, "message": "Too many registration attempts."}).encode()
    url = serve(answer("400 Bad Request", body, "Content-Type: application/json"))
    with pytest.raises(RegistrationLimit, match=r"Twilio answered 400, error 20249: .*Too many registration attempts"):
        submit_code(replace(settings, twilio_base_url=url))
