"""The contract: what a client manifest may contain.

Pydantic models of `clients.d/*.yaml` and the JSON Schema generated from them. This room reads no file, makes no call,
and never imports another room.
"""

from schemas.client import (
    OWN_KEYS,
    Account,
    Assistant,
    Canary,
    Client,
    Endpoint,
    FileSearchTool,
    FunctionTool,
    InstructionsFile,
    McpTool,
    Profile,
    Sender,
    Tool,
    WebSearchTool,
)
from schemas.data_policy import SENSITIVE, DataPolicy
from schemas.handoff import HandoffPolicy
from schemas.policy import Budget, MediaPolicy, Memory, MessageContext, Place, Policy, Replies
from schemas.secret_refs import SecretRef

__all__ = [
    "OWN_KEYS",
    "SENSITIVE",
    "Account",
    "Assistant",
    "Budget",
    "Canary",
    "Client",
    "DataPolicy",
    "Endpoint",
    "FileSearchTool",
    "FunctionTool",
    "HandoffPolicy",
    "InstructionsFile",
    "McpTool",
    "MediaPolicy",
    "Memory",
    "MessageContext",
    "Place",
    "Policy",
    "Profile",
    "Replies",
    "SecretRef",
    "Sender",
    "Tool",
    "WebSearchTool",
]
