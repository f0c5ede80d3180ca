"""Puts one row for each price of a month in place of the ledger's rows, once their retention is over: every sum stays
as it was. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.retention import runs
from runtime.store.retention.due import Due

MONTHS = Statement(
    "WITH RECURSIVE months (month) AS (SELECT min(month) FROM usage WHERE client = :client UNION ALL"
    " SELECT (SELECT min(usage.month) FROM usage WHERE usage.client = :client AND usage.month > months.month)"
    " FROM months WHERE months.month IS NOT NULL) SELECT month FROM months WHERE month < :before ORDER BY 1"
)
_SINGLE = "(turn_id IS NOT NULL OR inbox_id IS NOT NULL OR outbox_id IS NOT NULL)"
"""A row of one message or turn; a sum is of none."""
SINGLES = Statement(
    "SELECT id, at, kind, price_id, quantity, amount FROM usage WHERE client = :client AND month = :month"  # noqa: S608
    f" AND {_SINGLE} ORDER BY id LIMIT :rows"
)
DELETE = Statement("DELETE FROM usage WHERE id = :id")
SUMMED = Statement(
    "SELECT id FROM usage WHERE client = :client AND month = :month AND price_id = :price_id"  # noqa: S608
    f" AND NOT {_SINGLE} ORDER BY id LIMIT 1"
)
ADD = Statement(
    "UPDATE usage SET quantity = quantity + :quantity, amount = amount + :amount,"
    " at = CASE WHEN at < :at THEN at ELSE :at END WHERE id = :id"
)
INSERT = Statement(
    "INSERT INTO usage (at, month, client, kind, price_id, quantity, amount)"
    " VALUES (:at, :month, :client, :kind, :price_id, :quantity, :amount)"
)


class _Sum(NamedTuple):
    at: str
    kind: str
    quantity: int
    amount: int | None


def months(connection: Connection, due: Due) -> list[str]:
    """The months of a client's ledger whose retention is over."""
    return [str(month) for (month,) in MONTHS.rows(connection, client=due.client, before=due.usage_before)]


def bite(connection: Connection, due: Due, month: str, began_at: str, rows: int) -> bool:
    """Sums up `rows` rows of a month; True when there may be more."""
    found = SINGLES.rows(connection, client=due.client, month=month, rows=rows)
    for price_id, one in _sums(found).items():
        row = SUMMED.first(connection, client=due.client, month=month, price_id=price_id)
        values = {"at": one.at, "quantity": one.quantity, "amount": one.amount}
        if row is not None:
            ADD.run(connection, id=row[0], **values)
        else:
            INSERT.run(connection, month=month, client=due.client, kind=one.kind, price_id=price_id, **values)
    DELETE.each(connection, [{"id": row[0]} for row in found])
    runs.add(connection, due.client, began_at, {"usage": len(found)})
    return len(found) == rows


def _sums(rows: Sequence[tuple[Any, ...]]) -> dict[int, _Sum]:
    sums = dict[int, _Sum]()
    for _, at, kind, price_id, quantity, amount in rows:
        before = sums.get(price_id)
        if before is None:
            sums[price_id] = _Sum(at, kind, quantity, amount)
        else:
            total = None if before.amount is None or amount is None else before.amount + amount
            sums[price_id] = _Sum(min(before.at, at), kind, before.quantity + quantity, total)
    return sums
