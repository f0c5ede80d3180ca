"""What a manifest declares of an assistant, in the shape of the API that its engine speaks.

An answer's length has no limit where the assistant lives at the provider, so `max_output_tokens` is not declared there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, KindName, Values
from reconciler.settings import Settings
from schemas import FunctionTool, Tool, WebSearchTool


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
    if assistant.engine != "assistants":
        declared["settings"] = {"reasoning_effort": assistant.reasoning_effort}
    if assistant.engine == "responses":
        declared["settings"]["max_output_tokens"] = assistant.max_output_tokens
    return declared


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
            "strict": False,
        }
    if isinstance(tool, WebSearchTool):
        return {"type": "web_search", "user_location": {"type": "approximate", "country": tool.country}}
    return {
        "type": "file_search",
        "vector_store_ids": [tool.vector_store or UNKNOWN_ID],
        "max_num_results": tool.max_num_results,
    }


def _assistants_tool(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
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
    return {"type": tool.type}
