"""Servers of tools (MCP) as a request names them. OpenAI calls them itself; the headers pass with each request.

An assistant has the names of variables in place of the secrets: `headers_env` is replaced here. An agent at the
provider has neither: the bot's policy names them, and each session gets them. A server whose secret
is not set, or that may ask for approval, is not offered: no person could approve while a customer waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from runtime.settings import Secrets

log = structlog.get_logger("runtime.engines")


def offered(tools: Sequence[Mapping[str, Any]], secrets: Secrets) -> Sequence[Mapping[str, Any]]:
    """The tools as the Responses API accepts them; the same list where no server is among them."""
    if not any(tool.get("type") == "mcp" for tool in tools):
        return tools
    named = (_with_headers(tool, secrets) if tool.get("type") == "mcp" else tool for tool in tools)
    return [tool for tool in named if tool is not None]


def headers_of_servers(
    named: Mapping[str, Mapping[str, str]], secrets: Secrets
) -> Mapping[str, Mapping[str, str] | None]:
    """The headers of an agent's servers, by label, from the names of their variables; None for a server that is not
    offered, since one of its secrets is not set."""
    return {label: _headers(label, variables, secrets) for label, variables in named.items()}


def _with_headers(tool: Mapping[str, Any], secrets: Secrets) -> Mapping[str, Any] | None:
    label = tool.get("server_label")
    if tool.get("require_approval") != "never":
        log.error(
            "server_not_offered", server=label, hint="its tools may ask for approval: set require_approval: never"
        )
        return None
    sent = {key: value for key, value in tool.items() if key != "headers_env"}
    named = _headers(str(label), tool.get("headers_env") or {}, secrets)
    if named is None:
        return None
    headers = {**(tool.get("headers") or {}), **named}
    return sent | ({"headers": headers} if headers else {})


def _headers(label: str, variables: Mapping[str, str], secrets: Secrets) -> Mapping[str, str] | None:
    headers = {}
    for name, variable in variables.items():
        value = (secrets.get(variable) or "").strip()
        if not value or not value.isascii() or not value.isprintable():
            hint = "set it in the environment or in .env, to one line of printable ASCII characters"
            log.error("secret_missing", variable=variable, server=label, hint=hint)
            return None
        headers[name] = value
    return headers
