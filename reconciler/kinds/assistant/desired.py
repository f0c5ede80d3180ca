"""What a manifest declares of an assistant, in the shape of the API that its engine speaks.

An answer's length has no limit where the assistant lives at the provider, so `max_output_tokens` is not declared there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, KindName, Values
from reconciler.settings import Settings
from schemas import FunctionTool, McpTool, Tool, WebSearchTool
from schemas.sending_tools import sending_tools


def values(manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The assistant, whatever its engine."""
    assistant = manifest.client.assistant
    shape = {"responses": _responses_tool, "assistants": _assistants_tool, "agents": _agents_tool}[assistant.engine]
    declared: dict[str, Any] = {
        "engine": assistant.engine,
        "name": assistant.name or manifest.client.name,
        "model": assistant.model,
        "instructions": manifest.instructions,
        "tools": [shape(tool) for tool in assistant.tools],
    }
    if assistant.engine == "agents":
        # An agent has its tools at the provider; with the other engines the runtime offers these itself.
        declared["tools"] += [_kept(tool, ("type", "name", "description", "parameters")) for tool in _sending(manifest)]
    if assistant.engine != "assistants":
        declared["settings"] = {"reasoning_effort": assistant.reasoning_effort}
    if assistant.engine == "responses":
        declared["settings"]["max_output_tokens"] = assistant.max_output_tokens
    return declared


def _sending(manifest: Manifest) -> list[dict[str, Any]]:
    """The built-in tools that send files, places, buttons and lists, and the one that passes a conversation on."""
    client = manifest.client
    images = [file.name for file in manifest.media if file.type.startswith("image/")]
    documents = [file.name for file in manifest.media if file.name not in images]
    places = (client.media.places if client.media else None) or {}
    buttons, people = bool(client.replies and client.replies.buttons), client.handoff is not None
    return sending_tools(documents, images, places, buttons=buttons, people=people)


def _kept(tool: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: tool[key] for key in keys}


def with_ids(declared: Values, ids: Mapping[KindName, str]) -> Values:
    """The values, with the vector store of the client's own documents where its id was not known yet."""
    tools = [
        {**tool, "vector_store_ids": [ids["knowledge"]]} if tool.get("vector_store_ids") == [UNKNOWN_ID] else tool
        for tool in declared["tools"]
    ]
    return {**declared, "tools": tools}


def _responses_tool(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": tool.strict,
        }
    if isinstance(tool, WebSearchTool):
        return {"type": "web_search", "user_location": {"type": "approximate", "country": tool.country}}
    if isinstance(tool, McpTool):
        described = {"server_description": tool.description} if tool.description else {}
        headers = {"headers_env": {name: secret.env for name, secret in tool.headers.items()}} if tool.headers else {}
        return {
            "type": "mcp",
            "server_label": tool.name,
            "server_url": tool.url,
            "allowed_tools": list(tool.allowed_tools),
            "require_approval": tool.require_approval,
            **described,
            **headers,
        }
    return {
        "type": "file_search",
        "vector_store_ids": [tool.vector_store or UNKNOWN_ID],
        "max_num_results": tool.max_num_results,
    }


def _assistants_tool(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            | ({"strict": True} if tool.strict else {}),
        }
    return {"type": tool.type}


def _agents_tool(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
    if isinstance(tool, WebSearchTool):
        return {"type": "web_search", "location": {"country": tool.country}}
    if isinstance(tool, McpTool):
        # Its headers are secrets, which the runtime adds to each session: the bot's policy names them.
        transport = {"type": "http", "server_url": tool.url}
        allowed = list(tool.allowed_tools)
        return {"type": "mcp", "server_label": tool.name, "transport": transport, "allowed_tools": allowed}
    return {"type": tool.type}
