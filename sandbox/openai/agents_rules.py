"""What the Agents API accepts and refuses, and the defaults that it fills in. Nothing here is stored.

OpenAI's OpenAPI description leaves this API out, so the shapes are those of its SDK's request types, and the tests hold
one against the other. The words and codes of its errors differ from those of the older endpoints.
"""

from collections.abc import Mapping

from sandbox.errors import ProviderRefusal
from sandbox.openai.function_schemas import fault_of
from sandbox.openai.shapes import (
    Check,
    array,
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
from sandbox.openai.wire import error
from sandbox.storage import Json

_REFUSED = "invalid_request_error"
_TIERS = ("auto", "default", "flex", "priority", "fast", "ultrafast")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_DEFAULT_EFFORT = "medium"
"""The default reasoning of a model; the same for all reasoning models, as far as is known."""


def refused(message: str, param: str | None = None) -> ProviderRefusal:
    return error(400, message, param=param, code=_REFUSED)


def not_found() -> ProviderRefusal:
    return error(404, "Resource not found.", kind="not_found_error", code="not_found_error")


def conflict(message: str) -> ProviderRefusal:
    return error(409, message, kind="conflict_error", code="conflict_error")


def undone(what: str) -> ProviderRefusal:
    return refused(f"This stand-in for the OpenAI API does not do {what}; send the request without it.")


def of_agents(check: Check) -> Check:
    """The check with the one code that this API has for what a request has wrong."""

    def checked(value: object, path: str) -> None:
        try:
            check(value, path)
        except ProviderRefusal as failure:
            failure.body["error"]["code"] = _REFUSED
            raise

    return checked


def _not_here(value: object, path: str) -> None:
    if value is not None:
        raise undone(f"'{path}'")


def _texts(value: object, path: str) -> None:
    mapping(value, path)
    for name, said in value.items() if isinstance(value, dict) else ():
        text()(said, f"{path}.{name}")


_LOCATION = record({name: nullable(text()) for name in ("city", "country", "region", "timezone")})
_FUNCTION = {
    "type": text(),
    "name": text(),
    "description": text(),
    "parameters": mapping,
    "defer_loading": flag,
    "async": flag,
}
_SEARCH = {
    "type": text(),
    "allowed_domains": nullable(array(text())),
    "context_size": nullable(one_of("low", "medium", "high")),
    "location": nullable(_LOCATION),
    "mode": nullable(one_of("disabled", "cached", "live")),
}
_TRANSPORT = tagged(
    {
        "http": record(
            {
                "type": text(),
                "server_url": text(),
                "authorization": nullable(text()),
                "headers": nullable(_texts),
            },
            "server_url",
        ),
        "stdio": _not_here,
    }
)
_SERVER = {
    "type": text(),
    "server_label": text(),
    "transport": _TRANSPORT,
    "allowed_tools": nullable(array(text())),
    "connection_origin": nullable(one_of("service", "environment")),
    "credential_id": nullable(text()),
    "request_metadata": nullable(mapping),
    "required": flag,
}
_TOOL = tagged(
    {
        "function": record(_FUNCTION, "description", "name", "parameters"),
        "web_search": record(_SEARCH),
        "tool_search": record({"type": text()}),
        "programmatic_tool_calling": record({"type": text(), "enabled": flag}),
        "mcp": record(_SERVER, "server_label", "transport"),
        "computer_use": _not_here,
        "automations": _not_here,
    }
)
_FORMAT = tagged({"text": record({"type": text()}), "json_schema": mapping})
REASONING = record({"effort": nullable(one_of(*_EFFORTS)), "summary": nullable(one_of("concise", "detailed", "auto"))})
TIER = nullable(one_of(*_TIERS))
TOOLS = nullable(array(_TOOL))
_SETTINGS: Mapping[str, Check] = {
    "model": text(),
    "instructions": nullable(text(2**20)),
    "tools": TOOLS,
    "reasoning": nullable(REASONING),
    "service_tier": TIER,
    "text": nullable(record({"format": nullable(_FORMAT), "verbosity": nullable(one_of("low", "medium", "high"))})),
    "compaction": nullable(record({"async": nullable(flag)})),
    "experimental": record({"time_awareness": flag}),
    "multi_agent": nullable(record({"enabled": flag, "max_concurrent_subagents": nullable(integer())}, "enabled")),
}
AGENT: Mapping[str, Check] = {**_SETTINGS, "name": nullable(text(128)), "metadata": nullable(metadata)}
OVERRIDES = record(_SETTINGS)
"""What a session may override of its agent."""


def check_agent(body: Json, *, new: bool) -> None:
    """Raises the error for an invalid body of a create or an update."""
    of_agents(record(AGENT, *(("model",) if new else ())))(body, "")
    check_tools(body.get("tools") or [])


def check_tools(tools: list[Json]) -> None:
    """Raises for what no shape can say: names that repeat, and a function whose arguments are not an object."""
    names: set[str] = set()
    for tool in tools:
        name = tool["name"] if tool["type"] == "function" else str(tool.get("server_label", tool["type"]))
        if name in names:
            raise refused(f"duplicate function tool name: {name}" if "name" in tool else f"duplicate {name} tool")
        names.add(name)
        fault = fault_of(tool["parameters"]) if tool["type"] == "function" else None
        if fault is not None:
            raise refused(f"Invalid schema for function '{name}': {fault}")


def settled(configuration: Json, given: Json, *, of_session: bool = False) -> Json:
    """A configuration after what was given: what is left out stays, null means the default, `experimental` is merged
    by key, everything else is replaced whole.
    """
    changed = {**configuration, **{name: value for name, value in given.items() if name != "metadata"}}
    changed["tools"] = [_with_defaults(tool, of_session=of_session) for tool in changed.get("tools") or []]
    words = changed.get("text") or {}
    changed["text"] = {
        "format": words.get("format") or {"type": "text"},
        "verbosity": words.get("verbosity") or "medium",
    }
    thought = changed.get("reasoning") or {}
    changed["reasoning"] = {"effort": thought.get("effort") or _DEFAULT_EFFORT, "summary": thought.get("summary")}
    changed["service_tier"] = changed.get("service_tier") or "auto"
    changed["compaction"] = {"async": bool((changed.get("compaction") or {}).get("async"))}
    former = configuration.get("experimental") or {"time_awareness": False}
    changed["experimental"] = {**former, **(given.get("experimental") or {})}
    helpers = changed.get("multi_agent") or {"enabled": False}
    most = (helpers.get("max_concurrent_subagents") or 6) if helpers["enabled"] else None
    changed["multi_agent"] = {"enabled": helpers["enabled"], "max_concurrent_subagents": most}
    return {"name": None, "instructions": None, **changed}


def _with_defaults(tool: Json, *, of_session: bool) -> Json:
    if tool["type"] == "function":
        return {"defer_loading": False, **tool}
    if tool["type"] == "programmatic_tool_calling":
        return {"enabled": True, **tool}
    if tool["type"] == "mcp":
        transport = {"type": "http", "server_url": tool["transport"]["server_url"]}
        if not of_session:
            # An agent's headers are not secret and are shown; of a session's, which may be, nothing is shown again.
            transport["headers"] = tool["transport"].get("headers") or {}
        unsaid: Json = {"allowed_tools": None, "credential_id": None, "request_metadata": {}, "required": False}
        origin = tool.get("connection_origin") or "service"
        shown = {**unsaid, **tool, "connection_origin": origin, "transport": transport}
        return {**shown, "request_metadata": shown["request_metadata"] or {}}
    if tool["type"] != "web_search":
        return tool
    place = tool.get("location")
    nowhere = dict.fromkeys(("city", "country", "region", "timezone"))
    return {
        "type": "web_search",
        "mode": tool.get("mode") or "live",
        "context_size": tool.get("context_size") or "medium",
        "location": None if place is None else {**nowhere, **place},
        "allowed_domains": tool.get("allowed_domains"),
    }
