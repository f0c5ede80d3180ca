"""What a manifest declares of a bot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, KindName, Values
from reconciler.settings import Settings
from runtime.store.records import endpoint_values
from schemas import Endpoint, FunctionTool, SecretRef
from schemas.policy import keys_of


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
        "functions": {
            tool.name: _endpoint(tool.endpoint) for tool in client.assistant.tools if isinstance(tool, FunctionTool)
        },
        "policy": keys_of(client),
        "metadata": dict(client.metadata),
        "protected": client.protected,
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return endpoint_values(
        endpoint.url,
        _variable(endpoint.secret),
        endpoint.timeout_seconds,
        _variable(endpoint.authorization),
        endpoint.follow_redirects,
        endpoint.user,
    )


def _variable(secret: SecretRef | None) -> str | None:
    return secret.env if secret else None


def with_ids(declared: Values, ids: Mapping[KindName, str]) -> Values:
    """The values, with the assistant where its id was not known yet."""
    if declared["assistant_id"] != UNKNOWN_ID:
        return declared
    return {**declared, "assistant_id": ids["assistant"]}
