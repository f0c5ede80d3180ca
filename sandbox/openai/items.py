"""Items of a conversation with the Responses API: accepted from a caller, kept, and read as what the model knows.

The rules are OpenAI's: every function call has its output before the model speaks again, and no output comes without
its call. Nothing here does I/O.
"""

import json

from sandbox.answers import Context
from sandbox.openai.wire import invalid, missing, out_of_set, wrong_type
from sandbox.storage import Json, new_id

_ROLES = ("user", "assistant", "system", "developer")
_PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "reasoning": "rs_",
    "file_search_call": "fs_",
    "web_search_call": "ws_",
}
_PARTS = ("input_text", "input_image", "input_file", "output_text", "refusal", "text", "summary_text")


def accepted(value: object, param: str = "input") -> list[Json]:
    """A caller's `input` as a list of complete items, each with its id."""
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise wrong_type(param, "one of an array of input items or a string")
    return [_item(item, f"{param}[{index}]") for index, item in enumerate(value)]


def _item(item: object, where: str) -> Json:
    if not isinstance(item, dict):
        raise wrong_type(where, "an object")
    kind = item.get("type", "message")
    if kind == "message":
        return _message(item, where)
    for name in {"function_call": ("call_id", "name", "arguments"), "function_call_output": ("call_id", "output")}.get(
        kind, ()
    ):
        if item.get(name) is None:
            raise missing(f"{where}.{name}")
    if kind not in _PREFIXES:
        raise out_of_set(f"{where}.type", kind, _PREFIXES)
    return {"status": "completed", **item, "id": item.get("id") or new_id(_PREFIXES[kind])}


def _message(item: Json, where: str) -> Json:
    role = item.get("role")
    if role is None:
        raise missing(f"{where}.role")
    if role not in _ROLES:
        raise out_of_set(f"{where}.role", role, _ROLES)
    content = item.get("content")
    if content is None:
        raise missing(f"{where}.content")
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [
            {"type": kind, "text": content, **({"annotations": [], "logprobs": []} if role == "assistant" else {})}
        ]
    if not isinstance(content, list):
        raise wrong_type(f"{where}.content", "a string or an array")
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") not in _PARTS:
            given = part.get("type") if isinstance(part, dict) else part
            raise out_of_set(f"{where}.content[{index}]", given, _PARTS)
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
    shown = {"input_image": "(imagen)", "input_file": "(archivo)", "image_url": "(imagen)", "image_file": "(imagen)"}
    words = (part.get("text") or part.get("refusal") or shown.get(part.get("type", ""), "") for part in content)
    return " ".join(word.get("value", "") if isinstance(word, dict) else word for word in words if word)


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


def call_item(name: str, arguments: str) -> Json:
    ids = {"id": new_id("fc_"), "call_id": new_id("call_", 24)}
    return {**ids, "type": "function_call", "name": name, "arguments": arguments, "status": "completed"}
