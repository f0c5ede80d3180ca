"""Which of the clients' secrets are not set where the runtime runs, as its `/ready` says. Names only, never values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from reconciler.doctor.probe import probe
from reconciler.manifest import Manifest
from reconciler.settings import Settings
from runtime.store.client.http import LOOPBACK
from schemas import FunctionTool, McpTool
from schemas.secret_refs import SecretRef

Missing = Mapping[str, Mapping[str, str]]
"""Client → variable → what fails without it."""


@dataclass(frozen=True, slots=True)
class UnknownSecrets:
    """Why it is not known."""

    reason: str


def declares_secrets(manifest: Manifest) -> bool:
    """Whether a client names any secret."""
    return next(_declared(manifest), None) is not None


def read_missing_secrets(settings: Settings) -> Missing | UnknownSecrets:
    """Asks the runtime at PUBLIC_URL. Only a caller with a token reads the names."""
    url = f"{settings.public_url}/ready"
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK
    headers = {"Authorization": f"Bearer {settings.api_token}"} if settings.api_token and is_safe else {}
    answer = probe("GET", url, headers=headers)
    if answer.status is None:
        return UnknownSecrets("the runtime does not answer")
    document = _object(answer.body)
    if "degraded" in document:
        missing: dict[str, dict[str, str]] = {}
        for item in document["degraded"]:
            missing.setdefault(item["client"], {})[item["variable"]] = item["use"]
        return missing
    if document.get("degraded_clients"):
        return UnknownSecrets("only a caller with a token reads the names; set API_TOKEN to a valid one")
    return {} if answer.status == 200 else UnknownSecrets(f"its /ready {answer.said.removeprefix('it ')}")


def _declared(manifest: Manifest) -> Iterator[str]:
    account = manifest.client.sender.account
    if account is not None:
        yield account.auth_token.env
    for tool in manifest.client.assistant.tools:
        if isinstance(tool, FunctionTool):
            yield from (ref.env for ref in (tool.endpoint.secret, tool.endpoint.authorization) if ref is not None)
        elif isinstance(tool, McpTool):
            yield from (ref.env for ref in tool.headers.values())
    handoff = manifest.client.handoff
    if handoff is not None:
        yield from (one.env for one in handoff.notify or () if isinstance(one, SecretRef))
        if handoff.desk is not None:
            yield from (handoff.desk.chatwoot.token.env, handoff.desk.chatwoot.webhook_secret.env)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
