"""Whether the last day of a bot's canary has passed; its model is checked with the assistant's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo

from reconciler.kinds.context import ClientContext
from reconciler.manifest.canary_checks import ended_hint
from reconciler.model import Finding
from schemas import Client
from schemas.timezones import zone_of_number


def check(context: ClientContext) -> Iterator[Finding]:
    """That the canary is over."""
    client = context.manifest.client
    canary = client.assistant.canary
    if canary is None:
        return
    if datetime.now(_zone(client)).date() > date.fromisoformat(canary.until):
        message = f"the canary's last day, {canary.until}, has passed: the assistant answers everybody; "
        yield Finding("warning", message + ended_hint(client.id), context.id, "bot")


def _zone(client: Client) -> tzinfo:
    from zoneinfo import ZoneInfo  # for a canary only

    name = client.timezone or zone_of_number(client.number)
    return ZoneInfo(name) if name is not None else UTC
