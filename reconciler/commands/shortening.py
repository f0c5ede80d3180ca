"""Adds to a plan how much a shorter retention deletes, counted in the store."""

from __future__ import annotations

import time
from dataclasses import replace

from reconciler.model import Finding, Plan
from reconciler.observation.live_state import LiveState, Store
from reconciler.planning.shortened import finding_of, shortened
from reconciler.settings import Settings
from runtime.store.client.retention import read_older
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError


def with_deletions(plan: Plan, live_state: LiveState, settings: Settings) -> Plan:
    """The plan, with a warning for each retention whose change deletes something. Asks the store only if one is
    shorter; a failed read is a warning."""
    changes = shortened(plan)
    if not changes or not isinstance(live_state.store, Store):
        return plan
    found = list(plan.findings)
    for one in changes:
        until = timestamp(time.time() - one.seconds)
        try:
            older = read_older(settings.bot_store_url, settings.api_token, one.client, until, settings.timeout)
        except StoreError as error:
            message = f"how much data.retention.{one.key}: {one.new} deletes could not be counted: {error}"
            found.append(Finding("warning", message, one.client, "bot"))
            continue
        if older is not None and (finding := finding_of(one, older, until)) is not None:
            found.append(finding)
    return replace(plan, findings=found)
