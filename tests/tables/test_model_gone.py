"""Which answers of a provider say that a model is not available, so that another one answers."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.engines.errors import from_call, from_turn
from runtime.engines.responses_api import CallRefused
from runtime.errors import ModelGone

MODEL = "gpt-4-turbo"


def refused(status: int, message: str, **fields: Any) -> CallRefused:
    """A refusal with OpenAI's error object."""
    return CallRefused(status, {}, {"error": {"message": message, **fields}}, message)


@pytest.mark.parametrize(
    ("error", "is_gone"),
    [
        (refused(404, "The model `gpt-4-turbo` has been deprecated", code="model_not_found"), True),
        (refused(400, "The requested model 'gpt-4-turbo' does not exist.", code="model_not_found"), True),
        (refused(403, "Project does not have access to model gpt-4-turbo", code="model_not_found"), True),
        (refused(404, "The model `gpt-4-turbo` does not exist.", type="NotFoundError", code=404), True),
        (refused(404, "model 'gpt-4-turbo' not found", type="api_error"), True),
        (refused(404, "Vector store vs_1 not found", code="not_found"), False),
        (refused(404, "404 page not found"), False),
        (refused(403, "gpt-4-turbo: you do not have permission", code="permission_denied"), False),
        (refused(400, "gpt-4-turbo does not exist in this region", code="invalid_value"), False),
        (refused(429, "gpt-4-turbo not found", code="rate_limit_exceeded"), False),
    ],
)
def test_an_answer_says_that_the_model_is_not_available(error: CallRefused, is_gone: bool) -> None:
    assert isinstance(from_call(error, MODEL), ModelGone) == is_gone


def test_an_agent_s_turn_says_so_by_its_code() -> None:
    assert isinstance(from_turn("failed", "model_not_found", "no such model"), ModelGone)
    assert not isinstance(from_turn("failed", "server_error", "no such model"), ModelGone)
