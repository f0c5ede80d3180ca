"""Compares our ledger of usage with the sandbox's price ledger: the law that what is counted is what was charged.

Of messages everything is known in the end: what a lost callback would have said is read from Twilio's list. Of a
model's call that a kill cut off only the provider knows, so models are compared where no process was killed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

import psycopg

from tests.sandbox_process import Sandbox

MESSAGES = ("twilio_in", "twilio_out", "meta_service", "meta_utility", "meta_marketing", "meta_authentication")
SUMS = (
    "SELECT usage.number, usage.kind, country, sum(quantity), sum(amount), count(*) - count(amount) FROM usage"
    " JOIN usage_prices ON usage_prices.id = price_id WHERE usage.number IS NOT NULL"
    " GROUP BY usage.number, usage.kind, country"
)
LONG_AGO = {
    "sqlite": "UPDATE outbox SET claimed_at = strftime('%Y-%m-%dT%H:%M:%fZ', claimed_at, '-900 seconds')"
    " WHERE claimed_at IS NOT NULL",
    "postgresql": "UPDATE outbox SET claimed_at = to_char((claimed_at::timestamptz - interval '900 seconds')"
    " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') WHERE claimed_at IS NOT NULL",
}
"""Callbacks of what was sent are not waited for any longer, and a proactive message whose outcome no replica knows,
since the store was away when Twilio answered, counts as interrupted (`runtime.delivery.interrupted_proactive`)."""

Key = tuple[str, str, str]
"""The business number, the kind and the user's country."""
Sums = dict[Key, tuple[int, int | None]]
"""Quantity, and 10⁻⁹ USD: None where one of them has no price."""


def run_on(database_url: str, statement: str, *, reads: bool = True) -> list[tuple[Any, ...]]:
    """The rows of a statement on a store."""
    if database_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as store, store:
            return store.execute(statement).fetchall()
    with psycopg.connect(database_url) as server:
        cursor = server.execute(statement)
        return cursor.fetchall() if reads else []


def let_time_pass(database_url: str) -> None:
    """Makes everything that was sent a quarter of an hour older."""
    kind = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    run_on(database_url, LONG_AGO[kind], reads=False)


def ours(database_url: str) -> Sums:
    """The sums of the messages in our ledger."""
    return {
        (number, kind, country): (int(quantity), None if unknown else int(amount))
        for number, kind, country, quantity, amount, unknown in run_on(database_url, SUMS)
    }


def theirs(sandbox: Sandbox, numbers: set[str]) -> Sums:
    """The sums of what the sandbox charged for messages of these numbers."""
    quantities: Counter[Key] = Counter()
    amounts: dict[Key, int | None] = {}
    for entry in sandbox.prices():
        kind = "twilio_out" if entry["kind"] == "twilio_failed" else entry["kind"]
        if entry["number"] not in numbers or kind not in MESSAGES:
            continue
        key = entry["number"], kind, entry["country"]
        quantities[key] += int(entry["quantity"])
        known = amounts.get(key, 0)
        amounts[key] = None if known is None or entry["amount"] is None else known + entry["amount"]
    return {key: (quantity, amounts[key]) for key, quantity in quantities.items()}


def differences(one: Sums, other: Sums) -> list[str]:
    """A line for each sum that differs."""
    different = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return [f"{key}: {one.get(key)} in our ledger, {other.get(key)} charged" for key in different]
