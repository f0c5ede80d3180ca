"""Tools offered to a model: checked as OpenAI checks them, echoed with the defaults it fills in. They are never run
here.
"""

import re
from typing import Any

from sandbox.openai.function_schemas import fault_of
from sandbox.openai.wire import error, invalid, missing, out_of_set, wrong_type
from sandbox.storage import Json, Storage

_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_RESPONSE_TOOLS = (
    "function",
    "file_search",
    "web_search",
    "web_search_preview",
    "code_interpreter",
    "mcp",
    "image_generation",
    "custom",
    "tool_search",
)
_ASSISTANT_TOOLS = ("function", "file_search", "code_interpreter")


def for_response(value: object, storage: Storage) -> list[Json]:
    """The `tools` of a response, with OpenAI's defaults filled in."""
    tools = _listed(value, _RESPONSE_TOOLS)
    return [_response_tool(tool, f"tools[{index}]", storage) for index, tool in enumerate(tools)]


def _listed(value: object, kinds: tuple[str, ...]) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type("tools", "an array of objects")
    for index, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise wrong_type(f"tools[{index}]", "an object")
        if "type" not in tool:
            raise missing(f"tools[{index}].type")
        if tool["type"] not in kinds:
            raise out_of_set(f"tools[{index}].type", tool["type"], kinds)
    return value


def _response_tool(tool: Json, where: str, storage: Storage) -> Json:
    if tool["type"] == "function":
        _check_function(tool, where)
        return {"description": None, "parameters": None, "strict": True, **tool}
    if tool["type"] == "file_search":
        _check_stores(tool.get("vector_store_ids"), where, storage)
        return {
            "max_num_results": 20,
            "filters": None,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
            **tool,
        }
    if tool["type"] in ("web_search", "web_search_preview"):
        country: Json = {"type": "approximate", "country": "US", "region": None, "city": None, "timezone": None}
        return {"search_context_size": "medium", **tool, "user_location": tool.get("user_location") or country}
    if tool["type"] == "code_interpreter" and "container" not in tool:
        raise missing(f"{where}.container")
    return tool


def _check_function(function: Json, where: str) -> None:
    if not function.get("name"):
        raise missing(f"{where}.name")
    name = function["name"]
    if not isinstance(name, str) or not _NAME.match(name):
        message = f"Invalid '{where}.name': string does not match pattern '{_NAME.pattern}'."
        raise invalid(f"{where}.name", message)
    fault = (
        fault_of(function["parameters"], strict=function.get("strict") is True) if function.get("parameters") else None
    )
    if fault is not None:
        message = f"Invalid schema for function '{name}': {fault}"
        raise invalid(f"{where}.parameters", message, "invalid_function_parameters")


def _check_stores(ids: object, where: str, storage: Storage) -> None:
    if not isinstance(ids, list) or not ids:
        raise missing(f"{where}.vector_store_ids")
    for key in ids:
        if storage.get("vector_stores", key) is None:
            raise error(404, f"Vector store with id '{key}' not found.", param=f"{where}.vector_store_ids")


def for_assistant(value: object) -> list[Json]:
    """The `tools` of an assistant or a run."""
    tools = _listed(value, _ASSISTANT_TOOLS)
    for index, tool in enumerate(tools):
        if tool["type"] == "function":
            if not isinstance(tool.get("function"), dict):
                raise missing(f"tools[{index}].function")
            _check_function(tool["function"], f"tools[{index}].function")
    return tools


def functions_of(tools: list[Json]) -> dict[str, dict[str, Any]]:
    """Parameter schemas of the function tools by name, in either API's shape."""
    offered = [tool.get("function", tool) for tool in tools if tool["type"] == "function"]
    return {function["name"]: function.get("parameters") or {"type": "object"} for function in offered}
