"""What the schema already has and this version does not manage yet."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.manifest.checks import Finding
from reconciler.manifest.shape import Loc
from schemas import Client


def unsupported(client: Client) -> Iterator[Finding]:
    """One finding for each use of the engine `agents` or of the tool `file_search`."""
    if client.assistant.engine == "agents":
        loc: Loc = ("assistant", "engine")
        yield loc, "assistant.engine: agents is not managed by this version", "Use responses.", "error"
    for index, tool in enumerate(client.assistant.tools):
        if tool.type == "file_search":
            message = f"assistant.tools[{index}]: file_search is not managed by this version"
            yield ("assistant", "tools", index, "type"), message, "Remove the tool for now.", "error"
