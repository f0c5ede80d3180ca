"""Reads what Meta said of a client's number over time. Light and read-only like `snapshot`."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.store.activity_records import RatingRecord
from runtime.store.client.history import call_newer
from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import from_document, from_rows
from runtime.store.database.url import is_api
from runtime.store.sender_ratings import OF_CLIENT

PATH = "/reconcile/ratings"


def read_ratings(url: str, token: str | None, client: str, timeout: float = 10) -> Sequence[RatingRecord]:
    """The newest changes, the newest first; nothing where a runtime of an earlier release does not say."""
    if is_api(url):
        from runtime.store.client.http import segment

        return [
            from_document(RatingRecord, item) for item in call_newer(url, token, timeout, f"{PATH}/{segment(client)}")
        ]

    def read(run: Run) -> Sequence[RatingRecord]:
        return from_rows(RatingRecord, run(OF_CLIENT, {"client": client}))

    return read_tables(url, timeout, read, ())
