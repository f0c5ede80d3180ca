"""Reads how many messages are older than a retention would keep them, and what was deleted last. Light and read-only
like `snapshot`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from runtime.store.activity_records import OlderRecord, RetentionRecord
from runtime.store.client.history import call_newer
from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import from_document
from runtime.store.database.url import is_api

OLDER_PATH, LAST_PATH = "/reconcile/older", "/reconcile/retention"
OLDER: Final = """
    SELECT COUNT(*), COUNT(DISTINCT conversation_id) FROM inbox
    WHERE bot_id IN (SELECT id FROM bots WHERE COALESCE(client, id) = :client) AND received_at <= :before
        AND sender <> '' AND state <> 'open' AND state <> 'dead'
"""
"""Over the index of messages by bot and time."""
LAST: Final = """
    SELECT client, began_at, ended_at, retention, deleted, kept FROM retention_runs
    WHERE client = :client ORDER BY began_at DESC LIMIT 1
"""


def read_older(url: str, token: str | None, client: str, before: str, timeout: float = 10) -> OlderRecord | None:
    """A client's messages until a timestamp; None where a runtime of an earlier release does not say."""
    if is_api(url):
        from runtime.store.client.http import segment

        found = call_newer(url, token, timeout, f"{OLDER_PATH}/{segment(client)}", before=before)
        return next((from_document(OlderRecord, item) for item in found), None)

    def read(run: Run) -> OlderRecord:
        [row] = run(OLDER, {"client": client, "before": before})
        return OlderRecord(*row)

    return read_tables(url, timeout, read, OlderRecord(0, 0))


def read_last_run(url: str, token: str | None, client: str, timeout: float = 10) -> RetentionRecord | None:
    """What was deleted of a client last, since its retention was over; None where nothing ever was looked for."""
    if is_api(url):
        from runtime.store.client.http import segment

        found = call_newer(url, token, timeout, f"{LAST_PATH}/{segment(client)}")
        return next((from_document(RetentionRecord, item) for item in found), None)

    def read(run: Run) -> RetentionRecord | None:
        return last_of(run(LAST, {"client": client}))

    return read_tables(url, timeout, read, None)


def last_of(rows: Iterable[tuple[Any, ...]]) -> RetentionRecord | None:
    """The run in the rows of LAST."""
    for client, began_at, ended_at, *stored in rows:
        return RetentionRecord(client, began_at, ended_at, *map(json.loads, stored))
    return None
