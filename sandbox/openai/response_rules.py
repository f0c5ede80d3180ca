"""What POST /v1/responses accepts and refuses, apart from its input and its tools. Nothing here does I/O."""

from collections.abc import Mapping
from typing import Final

from sandbox.openai import models, tools
from sandbox.openai.shapes import (
    Check,
    anything,
    array,
    by_type,
    decimal,
    flag,
    integer,
    mapping,
    metadata,
    nullable,
    one_of,
    record,
    tagged,
    text,
)
from sandbox.openai.wire import error, invalid, missing
from sandbox.storage import Json

EFFORT: Final = nullable(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"))
_SUMMARY = nullable(one_of("auto", "concise", "detailed"))
_KEY = nullable(text(64))
_SCHEMA_NAME = text(64, pattern="[a-zA-Z0-9_-]+")
FORMAT: Final = tagged(
    {
        "text": record({"type": text()}),
        "json_object": record({"type": text()}),
        "json_schema": record(
            {
                "type": text(),
                "name": _SCHEMA_NAME,
                "schema": mapping,
                "description": text(),
                "strict": nullable(flag),
            },
            "name",
            "schema",
        ),
    }
)
_NAMED_TOOL = record({"type": text(), "name": text()}, "name")
_CHOSEN = tagged(
    {
        "function": _NAMED_TOOL,
        "custom": _NAMED_TOOL,
        "mcp": record({"type": text(), "server_label": text(), "name": nullable(text())}, "server_label"),
        "allowed_tools": record(
            {"type": text(), "mode": one_of("auto", "required"), "tools": array(mapping)}, "mode", "tools"
        ),
        **dict.fromkeys(
            ("file_search", "web_search", "web_search_preview", "code_interpreter", "image_generation"),
            record({"type": text()}),
        ),
    }
)
_CHOICE = by_type(text=one_of("none", "auto", "required"), mapping=_CHOSEN)
_BODY: Final[Mapping[str, Check]] = {
    "background": nullable(flag),
    "context_management": nullable(
        array(record({"type": text(), "compact_threshold": nullable(integer(1000))}, "type"), least=1)
    ),
    "conversation": nullable(by_type(text=text(), mapping=record({"id": text()}, "id"))),
    "include": nullable(
        array(
            one_of(
                "file_search_call.results",
                "web_search_call.results",
                "web_search_call.action.sources",
                "message.input_image.image_url",
                "computer_call_output.output.image_url",
                "code_interpreter_call.outputs",
                "reasoning.encrypted_content",
                "message.output_text.logprobs",
            )
        )
    ),
    "input": nullable(by_type(text=text(10_485_760), array=anything)),
    "instructions": nullable(text()),
    "max_output_tokens": nullable(integer(16)),
    "max_tool_calls": nullable(integer(1)),
    "metadata": metadata,
    "model": text(),
    "moderation": nullable(mapping),
    "parallel_tool_calls": nullable(flag),
    "previous_response_id": nullable(text()),
    "prompt": nullable(
        record({"id": text(), "version": nullable(text()), "variables": nullable(mapping)}, "id"),
    ),
    "prompt_cache_key": _KEY,
    "prompt_cache_options": record({"ttl": one_of("30m"), "mode": one_of("implicit", "explicit")}),
    "prompt_cache_retention": nullable(one_of("in_memory", "24h")),
    "reasoning": nullable(
        record(
            {
                "mode": text(),
                "effort": EFFORT,
                "summary": _SUMMARY,
                "context": nullable(one_of("auto", "current_turn", "all_turns")),
                "generate_summary": _SUMMARY,
            }
        )
    ),
    "safety_identifier": _KEY,
    "service_tier": nullable(one_of("auto", "default", "flex", "scale", "priority")),
    "store": nullable(flag),
    "stream": nullable(flag),
    "stream_options": nullable(record({"include_obfuscation": flag})),
    "temperature": nullable(decimal(0, 2)),
    "text": record({"format": FORMAT, "verbosity": nullable(one_of("low", "medium", "high"))}),
    "tool_choice": _CHOICE,
    "tools": array(mapping, tools.MOST),
    "top_logprobs": integer(0, 20),
    "top_p": nullable(decimal(0, 1)),
    "truncation": nullable(one_of("auto", "disabled")),
    "user": text(),
}
_COUNTED = ("conversation", "input", "instructions", "parallel_tool_calls", "previous_response_id", "reasoning", "text")
_COUNT_BODY: Final = record(
    {
        **{name: _BODY[name] for name in (*_COUNTED, "tool_choice")},
        "model": nullable(text()),
        "personality": text(),
        "tools": nullable(_BODY["tools"]),
        "truncation": one_of("auto", "disabled"),
    }
)
_NOT_HERE = ("stream", "background", "prompt", "moderation")


def check(body: Json) -> None:
    """Raises OpenAI's error for parameters that it does not accept."""
    record(_BODY)(body, "")
    for name in _NOT_HERE:
        if body.get(name) not in (None, False):
            message = f"This stand-in for the OpenAI API does not do '{name}'; send the request without it."
            raise invalid(name, message, "unsupported_parameter")
    if body.get("model") is None:
        raise missing("model")
    models.require(body["model"], status=400)
    if body.get("conversation") and body.get("previous_response_id"):
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Only one can be given."
        raise error(400, message, param="conversation", code="mutually_exclusive_parameters")
    if body.get("input") is None and not body.get("conversation"):
        raise missing("input")
    _check_reasoning(body)


def check_count(body: Json) -> None:
    """The same for POST /v1/responses/input_tokens."""
    _COUNT_BODY(body, "")


def _check_reasoning(body: Json) -> None:
    """Reasoning models take no sampling parameters, and others no effort."""
    if models.reasons(body["model"]):
        unsupported = [name for name in ("temperature", "top_p") if body.get(name) is not None]
    else:
        given = body.get("reasoning") or {}
        unsupported = [f"reasoning.{name}" for name, value in given.items() if value is not None]
    for name in unsupported:
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        raise invalid(name, message, "unsupported_parameter")
