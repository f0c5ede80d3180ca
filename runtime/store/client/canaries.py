"""Reads what is noted of canaries, and how their variants compare. Light and read-only like `snapshot`."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.store.activity_records import CanaryRecord, VariantRecord
from runtime.store.client.history import call_newer
from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import from_document, from_rows
from runtime.store.database.url import is_api
from runtime.store.variants import CANARIES, variant_queries, variants_of

NOTED, VARIANTS = "/reconcile/canaries", "/reconcile/variants"


def read_canaries(url: str, token: str | None, timeout: float = 10) -> Sequence[CanaryRecord]:
    """What is noted of the canaries of all bots; nothing where a runtime of an earlier release does not say."""
    if is_api(url):
        return [from_document(CanaryRecord, item) for item in call_newer(url, token, timeout, NOTED)]

    def read(run: Run) -> Sequence[CanaryRecord]:
        return from_rows(CanaryRecord, run(CANARIES))

    return read_tables(url, timeout, read, ())


def read_variants(
    url: str, token: str | None, client: str, since: str, until: str, timeout: float = 10
) -> Sequence[VariantRecord]:
    """How the variants of a client's canary compare, by turns that ended between two timestamps since it was
    declared; likewise."""
    period = {"since": since, "until": until}
    if is_api(url):
        from runtime.store.client.http import segment

        path = f"{VARIANTS}/{segment(client)}"
        return [from_document(VariantRecord, item) for item in call_newer(url, token, timeout, path, **period)]

    def read(run: Run) -> Sequence[VariantRecord]:
        rows, costs = variant_queries(of_this=True)
        of = {"client": client, **period}
        counted = list(run(rows, of))
        return variants_of(counted, run(costs, {**of, "month": since[:7]}) if counted else ())

    return read_tables(url, timeout, read, ())
