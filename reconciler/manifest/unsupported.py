"""What the schema already has and this version does not manage yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.manifest.checks import Finding, tools


def unsupported(values: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding for each use of the engine `agents` or of the tool `file_search`."""
    assistant = values.get("assistant")
    if isinstance(assistant, Mapping) and assistant.get("engine") == "agents":
        message = "assistant.engine: agents is not managed by this version"
        yield Finding(("assistant", "engine"), message, "Use responses.")
    for index, _ in tools(values, "file_search"):
        message = f"assistant.tools[{index}]: file_search is not managed by this version"
        yield Finding(("assistant", "tools", index, "type"), message, "Remove the tool for now.")
