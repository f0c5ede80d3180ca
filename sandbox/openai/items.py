"""Items of a conversation with the Responses API: accepted from a caller, kept, and read as what the model knows.

The rules are OpenAI's: every function call has its output before the model speaks again, and no output comes without
its call. Nothing here does I/O.
"""

import json
from typing import Any

from sandbox.answers import Context
from sandbox.openai import attachments
from sandbox.openai.shapes import anything, array, by_type, mapping, nullable, one_of, record, tagged, text
from sandbox.openai.wire import invalid
from sandbox.storage import Json, new_id

_PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "reasoning": "rs_",
    "file_search_call": "fs_",
    "web_search_call": "ws_",
}
_STATUS = nullable(one_of("in_progress", "completed", "incomplete"))
_TYPED = {"type": text(), "id": nullable(text()), "status": _STATUS}
_DETAIL = nullable(one_of("low", "high", "auto", "original"))
_FILE_DETAIL = one_of("low", "high", "auto")
_BREAKPOINT = {"prompt_cache_breakpoint": mapping}
_GIVEN = {
    "input_text": record({"type": text(), "text": text(), **_BREAKPOINT}, "text"),
    "input_image": record(
        {
            "type": text(),
            "image_url": nullable(text(20_971_520)),
            "file_id": nullable(text()),
            "detail": _DETAIL,
            **_BREAKPOINT,
        }
    ),
    "input_file": record(
        {
            "type": text(),
            "file_id": nullable(text()),
            "filename": nullable(text()),
            "file_data": nullable(text(73_400_320)),
            "file_url": nullable(text()),
            "detail": _FILE_DETAIL,
            **_BREAKPOINT,
        }
    ),
}
_WRITTEN = {"output_text": anything, "refusal": anything, "text": anything, "summary_text": anything}
_MESSAGE = record(
    {
        **_TYPED,
        "type": one_of("message"),
        "role": one_of("user", "assistant", "system", "developer"),
        "content": by_type(text=text(), array=array(tagged({**_GIVEN, **_WRITTEN}))),
        "phase": nullable(one_of("commentary", "final_answer")),
    },
    "role",
    "content",
)
_CALL_ID = text(64, least=1)
_ITEMS = {
    "message": _MESSAGE,
    "function_call": record(
        {
            **_TYPED,
            "call_id": _CALL_ID,
            "name": text(),
            "arguments": text(),
            "namespace": nullable(text()),
            "caller": anything,
        },
        "call_id",
        "name",
        "arguments",
    ),
    "function_call_output": record(
        {
            **_TYPED,
            "call_id": _CALL_ID,
            "output": by_type(text=text(10_485_760), array=array(tagged(_GIVEN))),
            "name": nullable(text(128, least=1)),
            "namespace": nullable(text(64, least=1)),
            "caller": anything,
        },
        "call_id",
        "output",
    ),
    **dict.fromkeys(("reasoning", "file_search_call", "web_search_call"), anything),
}


def accepted(value: object, param: str = "input") -> list[Json]:
    """A caller's `input` as a list of complete items, each with its id."""
    by_type(text=text(10_485_760), array=anything)(value, param)
    given: list[object] = [{"role": "user", "content": value}] if isinstance(value, str) else value  # type: ignore[assignment]
    return [_item(item, f"{param}[{index}]") for index, item in enumerate(given)]


def _item(item: Any, where: str) -> Json:
    mapping(item, where)
    kind = item.get("type", "message")
    tagged(_ITEMS)({"type": kind, **item}, where)
    if kind == "message":
        return _message(item)
    return {"status": "completed", **item, "id": item.get("id") or new_id(_PREFIXES[kind])}


def _message(item: Json) -> Json:
    role, content = item["role"], item["content"]
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [
            {"type": kind, "text": content, **({"annotations": [], "logprobs": []} if role == "assistant" else {})}
        ]
    message = {
        "id": item.get("id") or new_id("msg_"),
        "type": "message",
        "status": "completed",
        "role": role,
        "content": content,
    }
    return {**message, **({"phase": item["phase"]} if "phase" in item else {})}


def text_of(content: object) -> str:
    """The words in a message's content or in a function's output."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False)
    words = (part.get("text") or part.get("refusal") or _shown(part) for part in content)
    return " ".join(word.get("value", "") if isinstance(word, dict) else word for word in words if word)


def _shown(part: Json) -> str:
    """What the model sees of a part without words."""
    if part.get("type") in ("input_image", "input_file"):
        return attachments.described(part)
    return "(imagen)" if part.get("type") in ("image_url", "image_file") else ""


def check_calls(items: list[Json]) -> None:
    """Raises OpenAI's errors for a function call without its output and for an output without its call."""
    called = {item["call_id"] for item in items if item["type"] == "function_call"}
    for item in items:
        if item["type"] == "function_call_output" and item["call_id"] not in called:
            raise invalid("input", f"No tool call found for function call output with call_id {item['call_id']}.")
    settled = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    for item in items:
        if item["type"] == "function_call" and item["call_id"] not in settled:
            raise invalid("input", f"No tool output found for function call {item['call_id']}.")


def context_of(items: list[Json], speaker: str, instructions: str) -> Context:
    """What the model knows, from items oldest first."""
    said: list[str] = []
    outputs: list[str] = []
    turn = 0
    for item in items:
        role = item.get("role")
        if role == "user":
            turn += 1
            said.append(text_of(item["content"]))
        elif role == "assistant":
            said, outputs = [], []
        elif role in ("system", "developer"):
            instructions = instructions or text_of(item["content"])
        elif item["type"] == "function_call_output":
            outputs.append(text_of(item["output"]))
    return Context(speaker, instructions, tuple(said), turn, tuple(outputs))


def output_message(text: str, annotations: list[Json] | None = None) -> Json:
    part = {"type": "output_text", "text": text, "annotations": annotations or [], "logprobs": []}
    message = {"id": new_id("msg_"), "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return {**message, "phase": "final_answer"}


def web_search_item(question: str) -> Json:
    action = {"type": "search", "query": question, "queries": [question]}
    return {"id": new_id("ws_"), "type": "web_search_call", "status": "completed", "action": action}


def call_item(name: str, arguments: str) -> Json:
    ids = {"id": new_id("fc_"), "call_id": new_id("call_", 24)}
    return {**ids, "type": "function_call", "name": name, "arguments": arguments, "status": "completed"}
