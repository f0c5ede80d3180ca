"""What a manifest declares of a bot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.kinds.content import desired as contents
from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, KindName, Values
from reconciler.settings import Settings
from runtime.store.records import endpoint_values
from schemas import FunctionTool, McpTool, SecretRef
from schemas.policy import keys_of, without_paths


def values(manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The bot. `instructions` and `model` are the assistant's own, so never set here."""
    client = manifest.client
    account = client.sender.account
    return {
        "name": client.name,
        "twilio_phone_number": client.number,
        "assistant_id": UNKNOWN_ID,
        "instructions": None,
        "model": None,
        "state": client.state,
        "account_sid": account.sid if account else None,
        "auth_token_env": account.auth_token.env if account else None,
        "fallback_message": client.fallback_message,
        "functions": {tool.name: _endpoint(tool) for tool in client.assistant.tools if isinstance(tool, FunctionTool)},
        "policy": _policy(manifest, settings),
        "metadata": dict(client.metadata),
        "protected": client.protected,
    }


def _policy(manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The policy as the bot's row has it: its files by their content, and Twilio's contents for buttons and lists."""
    files = {
        file.name: {"path": file.path, "sha256": file.sha256, "size": file.size, "type": file.type}
        for file in manifest.media
    }
    policy = without_paths(keys_of(manifest.client)) | ({"files": files} if files else {})
    if fallback := manifest.client.assistant.fallback_model:
        policy |= {"fallback_model": fallback}
    if headers := _server_headers(manifest):
        policy |= {"server_headers": headers}
    if (canary := _canary(manifest)) is not None:
        policy |= {"canary": canary}
    templates = manifest.client.templates or {}
    sids = {"template_sids": {name: template.content_sid or UNKNOWN_ID for name, template in templates.items()}}
    return policy | (contents.values(manifest, settings) or {}) | (sids if templates else {})


def _canary(manifest: Manifest) -> dict[str, Any] | None:
    """The canary with the text of its instructions; None where the manifest has none."""
    canary = manifest.client.assistant.canary
    if canary is None:
        return None
    said = canary.model_dump(mode="json", exclude_none=True, exclude={"instructions"})
    text = manifest.canary_instructions
    return said if text is None else {**said, "instructions": text}


def _server_headers(manifest: Manifest) -> dict[str, dict[str, str]]:
    """The variables with the headers of an agent's MCP servers, by server and header. Those of the engine `responses`
    are in the assistant's record."""
    assistant = manifest.client.assistant
    servers = [tool for tool in assistant.tools if isinstance(tool, McpTool) and tool.headers]
    if assistant.engine != "agents":
        return {}
    return {tool.name: {name: secret.env for name, secret in tool.headers.items()} for tool in servers}


def _endpoint(tool: FunctionTool) -> dict[str, Any]:
    endpoint = tool.endpoint
    return endpoint_values(
        endpoint.url,
        _variable(endpoint.secret),
        endpoint.timeout_seconds,
        _variable(endpoint.authorization),
        endpoint.follow_redirects,
        endpoint.user,
        tool.idempotent,
    )


def _variable(secret: SecretRef | None) -> str | None:
    return secret.env if secret else None


def with_ids(declared: Values, ids: Mapping[KindName, str]) -> Values:
    """The values, with the assistant where its id was not known yet."""
    if declared["assistant_id"] != UNKNOWN_ID:
        return declared
    return {**declared, "assistant_id": ids["assistant"]}


def with_templates(declared: Values, sids: Mapping[str, str]) -> Values:
    """The values, with the SIDs of templates, as far as they are known."""
    policy = declared["policy"]
    if "template_sids" not in policy:
        return declared
    return {**declared, "policy": {**policy, "template_sids": {**policy["template_sids"], **sids}}}


def with_contents(declared: Values, sids: Mapping[str, str], refused: Collection[str] = ()) -> Values:
    """The values, with Twilio's contents, as far as they are known, and without the shapes that Twilio refuses."""
    policy = declared["policy"]
    if "contents" not in policy:
        return declared
    found = {shape: sid for shape, sid in {**policy["contents"], **sids}.items() if shape not in refused}
    return {**declared, "policy": {**policy, "contents": found}}
