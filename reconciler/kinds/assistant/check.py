"""Whether the provider has what is declared of an assistant: its model, and the tools of its engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from reconciler.kinds.assistant.models import check_models
from reconciler.kinds.context import ClientContext
from reconciler.kinds.withheld import Withheld
from reconciler.model import Finding
from schemas import McpTool

_WITHOUT: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "assistants": ("Assistants API", ("web_search", "file_search", "mcp")),
    "agents": ("Agents API", ("file_search",)),
}
"""By engine, the name of its API and the tools that it does not have."""


def check(context: ClientContext) -> Iterator[Finding]:
    """Findings about its models. Raises `Withheld` when the model is not found, or the engine lacks a tool."""
    yield from check_models(context)
    assistant = context.manifest.client.assistant
    api, missing = _WITHOUT.get(assistant.engine, ("", ()))
    for tool in assistant.tools:
        if tool.type in missing:
            raise Withheld(f"the {api} has no tool {tool.type}; use `engine: responses` for client {context.id}")
    yield from _recipients(context)


def _recipients(context: ClientContext) -> Iterator[Finding]:
    """Servers whose operators get what the model sends them, said once: with the change that adds one."""
    applied = context.applied("assistant")
    known = applied.values.get("tools", ()) if applied is not None else ()
    declared_tools = context.desired("assistant")["tools"]
    assistant = context.manifest.client.assistant
    for tool, declared in zip(assistant.tools, declared_tools, strict=False):
        if not isinstance(tool, McpTool) or declared in known:
            continue
        said = (
            f"the MCP server {tool.name!r} at {urlsplit(tool.url).hostname} gets what the model sends it, which may be "
            "personal data: its operator is a recipient of it"
        )
        if tool.headers:
            when = "each new session" if assistant.engine == "agents" else "every message"
            said += f"; OpenAI gets its headers ({', '.join(tool.headers)}) with {when}"
        yield Finding("notice", said, context.id, "assistant")
