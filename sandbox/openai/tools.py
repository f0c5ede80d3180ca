"""Tools offered to a model: checked as OpenAI checks them, echoed with the defaults it fills in. They are never run
here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox.openai.filters import filters
from sandbox.openai.function_schemas import fault_of
from sandbox.openai.shapes import (
    Check,
    anything,
    array,
    decimal,
    flag,
    integer,
    mapping,
    nullable,
    one_of,
    record,
    tagged,
    text,
)
from sandbox.openai.wire import error, invalid, missing
from sandbox.storage import Json, Storage

MOST: Final = 128
_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_COUNTRY = text(2, least=2, pattern="[A-Za-z]{2}")
"""OpenAI: a two-letter ISO country code."""
_TYPE: Mapping[str, Check] = {"type": text()}
_FUNCTION: Mapping[str, Check] = {
    "name": text(),
    "description": nullable(text()),
    "parameters": nullable(mapping),
    "strict": nullable(flag),
}
_RANKING: Mapping[str, Check] = {
    "ranker": one_of("auto", "default-2024-11-15", "default_2024_08_21", "none"),
    "score_threshold": decimal(0, 1),
}
_FILE_SEARCH: Mapping[str, Check] = {
    "vector_store_ids": array(text()),
    "max_num_results": integer(1, 50),
    "ranking_options": record({**_RANKING, "hybrid_search": mapping}),
    "filters": nullable(filters),
}
_PLACE = nullable(
    record(
        {
            "type": one_of("approximate"),
            "country": nullable(_COUNTRY),
            "region": nullable(text()),
            "city": nullable(text()),
            "timezone": nullable(text()),
        }
    )
)
_WEB_SEARCH = record(
    {
        **_TYPE,
        "external_web_access": flag,
        "filters": nullable(record({"allowed_domains": nullable(array(text()))})),
        "user_location": _PLACE,
        "search_context_size": one_of("low", "medium", "high"),
        "search_content_types": anything,
    }
)
_RESPONSE_TOOLS: Mapping[str, Check] = {
    "function": record(
        {
            **_TYPE,
            **_FUNCTION,
            "output_schema": nullable(mapping),
            "defer_loading": flag,
            "allowed_callers": nullable(array(text())),
        },
        "name",
    ),
    "file_search": record({**_TYPE, **_FILE_SEARCH}, "vector_store_ids"),
    "web_search": _WEB_SEARCH,
    "web_search_preview": _WEB_SEARCH,
    **dict.fromkeys(("code_interpreter", "mcp", "image_generation", "custom", "tool_search"), anything),
}
_ASSISTANT_TOOLS: Mapping[str, Check] = {
    "function": record({**_TYPE, "function": record(_FUNCTION, "name")}, "function"),
    "file_search": record(
        {**_TYPE, "file_search": record({"max_num_results": integer(1, 50), "ranking_options": record(_RANKING)})}
    ),
    "code_interpreter": record(_TYPE),
}


def for_response(value: object, storage: Storage) -> list[Json]:
    """The `tools` of a response, with OpenAI's defaults filled in."""
    tools = _listed(value, _RESPONSE_TOOLS)
    return [_response_tool(tool, f"tools[{index}]", storage) for index, tool in enumerate(tools)]


def _listed(value: object, kinds: Mapping[str, Check]) -> list[Json]:
    tools: list[Json] = [] if value is None else value  # type: ignore[assignment]  # checked next
    array(tagged(kinds), MOST)(tools, "tools")
    return tools


def _response_tool(tool: Json, where: str, storage: Storage) -> Json:
    if tool["type"] == "function":
        _check_function(tool, where)
        return {"description": None, "parameters": None, "strict": True, **tool}
    if tool["type"] == "file_search":
        _check_stores(tool["vector_store_ids"], where, storage)
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
    name = function["name"]
    if not _NAME.match(name):
        message = f"Invalid '{where}.name': string does not match pattern '{_NAME.pattern}'."
        raise invalid(f"{where}.name", message)
    fault = (
        fault_of(function["parameters"], strict=function.get("strict") is True) if function.get("parameters") else None
    )
    if fault is not None:
        message = f"Invalid schema for function '{name}': {fault}"
        raise invalid(f"{where}.parameters", message, "invalid_function_parameters")


def _check_stores(ids: list[str], where: str, storage: Storage) -> None:
    array(text(), least=1)(ids, f"{where}.vector_store_ids")
    for key in ids:
        if storage.get("vector_stores", key) is None:
            raise error(404, f"Vector store with id '{key}' not found.", param=f"{where}.vector_store_ids")


def for_assistant(value: object) -> list[Json]:
    """The `tools` of an assistant or a run."""
    tools = _listed(value, _ASSISTANT_TOOLS)
    for index, tool in enumerate(tools):
        if tool["type"] == "function":
            _check_function(tool["function"], f"tools[{index}].function")
    return tools


def functions_of(tools: list[Json]) -> dict[str, dict[str, Any]]:
    """Parameter schemas of the function tools by name, in either API's shape."""
    offered = [tool.get("function", tool) for tool in tools if tool["type"] == "function"]
    return {function["name"]: function.get("parameters") or {"type": "object"} for function in offered}
