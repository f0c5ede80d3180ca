"""What Twilio and Meta said of each number over time: functions over a connection, and the query for those who read the
store without SQLAlchemy (`runtime.store.client.ratings`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from runtime.store.activity_records import RatingRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHOWN: Final = 10
"""The newest changes of a number that are shown."""
_COLUMNS: Final = "number, since, status, quality, messaging_limit"
OF_CLIENT: Final = f"""
    SELECT {_COLUMNS} FROM sender_ratings
    WHERE number IN (SELECT twilio_phone_number FROM bots WHERE COALESCE(client, id) = :client)
    ORDER BY id DESC LIMIT {SHOWN}
"""  # noqa: S608
_NEWEST: Final = f"""
    SELECT {_COLUMNS} FROM sender_ratings WHERE number = :number ORDER BY id DESC LIMIT 1
"""  # noqa: S608
_NEWEST_OF_CLIENTS: Final = f"""
    SELECT COALESCE(bots.client, bots.id), {", ".join(f"rated.{name}" for name in _COLUMNS.split(", "))}
    FROM bots JOIN sender_ratings AS rated ON rated.id = (
        SELECT MAX(id) FROM sender_ratings WHERE number = bots.twilio_phone_number
    )
"""  # noqa: S608
_ADD: Final = f"""
    INSERT INTO sender_ratings ({_COLUMNS}) VALUES (:number, :since, :status, :quality, :messaging_limit)
"""  # noqa: S608
_LIMIT: Final = re.compile(r"([0-9]+)(K?) ", re.ASCII)


def note(connection: Connection, seen: Iterable[RatingRecord]) -> list[RatingRecord]:
    """Adds those that are not as the newest of their number; returns them."""
    from runtime.store.database.statement import Statement  # it imports SQLAlchemy

    added = []
    for rating in seen:
        known = newest(connection, rating.number)
        if known is None or _said(known) != _said(rating):
            Statement(_ADD).run(
                connection,
                number=rating.number,
                since=rating.since,
                status=rating.status,
                quality=rating.quality,
                messaging_limit=rating.messaging_limit,
            )
            added.append(rating)
    return added


def newest(connection: Connection, number: str) -> RatingRecord | None:
    """What was said of a number last."""
    from runtime.store.database.statement import Statement

    row = Statement(_NEWEST).first(connection, number=number)
    return None if row is None else RatingRecord(*row)


def newest_of_clients(connection: Connection) -> Mapping[str, RatingRecord]:
    """By client, what was said of its number last."""
    from runtime.store.database.statement import Statement

    return {client: RatingRecord(*row) for client, *row in Statement(_NEWEST_OF_CLIENTS).rows(connection)}


def of_client(connection: Connection, client: str) -> list[RatingRecord]:
    """The newest SHOWN changes of a client's number, the newest first."""
    from runtime.store.database.statement import Statement

    return [RatingRecord(*row) for row in Statement(OF_CLIENT).rows(connection, client=client)]


def people_a_day(rating: RatingRecord | None) -> int | None:
    """How many people Meta lets a number write to first within 24 hours; None where that is not known, or unlimited."""
    found = _LIMIT.match(f"{rating.messaging_limit} ") if rating is not None and rating.messaging_limit else None
    return None if found is None else int(found[1]) * (1000 if found[2] else 1)


def _said(rating: RatingRecord) -> tuple[str | None, ...]:
    return rating.status, rating.quality, rating.messaging_limit
