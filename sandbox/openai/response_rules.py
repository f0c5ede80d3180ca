"""What POST /v1/responses accepts and refuses, apart from its input and its tools. Nothing here does I/O."""

from sandbox.openai import models
from sandbox.openai.wire import error, invalid, missing, out_of_set, wrong_type
from sandbox.storage import Json

KNOWN = frozenset(
    [
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_LEAST = {"max_output_tokens": 16, "max_tool_calls": 1}
_NOT_HERE = ("stream", "background", "prompt")
_CHOICES: dict[str, tuple[str, ...]] = {
    "truncation": ("auto", "disabled"),
    "service_tier": ("auto", "default", "flex", "scale", "priority"),
}


def check(body: Json) -> None:
    """Raises OpenAI's error for parameters that it does not accept."""
    for name in _NOT_HERE:
        if body.get(name):
            message = f"This stand-in for the OpenAI API does not do '{name}'; send the request without it."
            raise invalid(name, message, "unsupported_parameter")
    if body.get("model") is None:
        raise missing("model")
    models.require(body["model"])
    if body.get("conversation") and body.get("previous_response_id"):
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Only one can be given."
        raise error(400, message, param="conversation", code="mutually_exclusive_parameters")
    if body.get("input") is None and not body.get("conversation"):
        raise missing("input")
    _check_values(body)
    _check_numbers(body)


def _check_values(body: Json) -> None:
    for name in ("temperature", "top_p"):
        if body.get(name) is not None and models.reasons(body["model"]):
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise invalid(name, message, "unsupported_parameter")
    for name in ("reasoning", "text"):
        if not isinstance(body.get(name) or {}, dict):
            raise wrong_type(name, "an object")
    given = {name: body.get(name) for name in _CHOICES}
    given["reasoning.effort"] = (body.get("reasoning") or {}).get("effort")
    for name, value in given.items():
        allowed = _CHOICES.get(name, _EFFORTS)
        if value is not None and value not in allowed:
            raise out_of_set(name, value, allowed)
    if not isinstance(body.get("instructions") or "", str):
        raise wrong_type("instructions", "a string")


def _check_numbers(body: Json) -> None:
    for name, least in _LEAST.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(name, "an integer")
        if value < least:
            expected = f"Expected a value >= {least}, but got {value} instead."
            raise invalid(name, f"Invalid '{name}': integer below minimum value. {expected}", "integer_below_min_value")
