"""What an answer with an error status means for its call, and how long a pause it asks for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError, UnknownOutcome
from runtime.resilience.http_errors import Provider, error_of_status, retry_after_seconds

SENDER = Provider("Correo", "Correo does not accept the key.", is_repeatable=False)
READER = Provider("Correo", "Correo does not accept the key.", is_repeatable=True)


@pytest.mark.parametrize(
    ("status", "sending", "reading", "text"),
    [
        (400, PermanentError, PermanentError, "Correo refused the request (400 21211): bad To"),
        (401, KeyRefused, KeyRefused, "Correo does not accept the key."),
        (403, PermanentError, PermanentError, "Correo refused the request (403 21211): bad To"),
        (404, PermanentError, PermanentError, "Correo refused the request (404 21211): bad To"),
        (408, UnknownOutcome, TemporaryError, "Correo failed (408 21211): bad To"),
        (409, PermanentError, PermanentError, "Correo refused the request (409 21211): bad To"),
        (429, TemporaryError, TemporaryError, "Correo is limiting us (429 21211): bad To"),
        (499, PermanentError, PermanentError, "Correo refused the request (499 21211): bad To"),
        (500, UnknownOutcome, TemporaryError, "Correo failed (500): bad To"),
        (503, UnknownOutcome, TemporaryError, "Correo failed (503): bad To"),
        (None, UnknownOutcome, TemporaryError, "Correo failed (no status 21211): bad To"),
        (302, PermanentError, PermanentError, "Correo refused the request (302 21211): bad To"),
    ],
)
def test_a_status_means(
    status: int | None, sending: type[ProviderError], reading: type[ProviderError], text: str
) -> None:
    for provider, expected in ((SENDER, sending), (READER, reading)):
        error = error_of_status(provider, status, code="21211", said="bad To", delay=3.0)

        assert (type(error), str(error)) == (expected, text)
        assert getattr(error, "delay", None) == (3.0 if expected is TemporaryError else None)


def test_an_answer_without_a_reason_ends_the_sentence() -> None:
    assert str(error_of_status(READER, 503, code="", said="", delay=None)) == "Correo failed (503)."


def test_an_answer_without_a_code_is_told_without_one() -> None:
    assert str(error_of_status(SENDER, 400, code="", said="no", delay=None)) == "Correo refused the request (400): no"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "100000"}, 120.0),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, 120.0),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, 1.5),
        ({"retry-after-ms": "0", "Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "soon", "Retry-After": "7"}, 7.0),
    ],
)
def test_an_answer_asks_for_a_pause_of(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, longest=120.0) == seconds


@given(st.integers(10, 10**6))
def test_a_pause_may_be_asked_for_as_a_date(seconds: int) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    assert retry_after_seconds({"Retry-After": date}, longest=10**7) == pytest.approx(seconds, abs=2)
