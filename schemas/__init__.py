"""The contract: what a client manifest may contain.

Pydantic models of `clients.d/*.yaml` and the JSON Schema generated from them. This room reads no file, makes no call,
and never imports another room.
"""

from schemas.client import (
    OWN_KEYS,
    Account,
    Assistant,
    Client,
    Endpoint,
    FileSearchTool,
    FunctionTool,
    InstructionsFile,
    Profile,
    SecretRef,
    Sender,
    Tool,
    WebSearchTool,
)
from schemas.policy import Memory, MessageContext, Policy

__all__ = [
    "OWN_KEYS",
    "Account",
    "Assistant",
    "Client",
    "Endpoint",
    "FileSearchTool",
    "FunctionTool",
    "InstructionsFile",
    "Memory",
    "MessageContext",
    "Policy",
    "Profile",
    "SecretRef",
    "Sender",
    "Tool",
    "WebSearchTool",
]
