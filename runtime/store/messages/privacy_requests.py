"""The register of what people ask for under the law: received, due, acknowledged, answered, with proof. Functions over
a connection.

    received ──► acknowledged ──► (extended once) ──► answered
        └── due: 30 calendar days; 2 working days for a block ──► reminders by timers

Source: Ley 19.628 as reformed by Ley 21.719, art. 11 (30 calendar days, once 30 more; block: 2 working days), in force
from 2026-12-01 unless postponed. Nothing here depends on that date. GDPR art. 12(3) gives a month.

A request leads to a person by keyed hashes of their addresses, and so outlives their erasure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, get_args

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Insert, Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import StoreError

RequestKind = Literal["access", "rectification", "erasure", "objection", "blocking", "portability", "review"]
KINDS: Final[tuple[RequestKind, ...]] = get_args(RequestKind)
Outcome = Literal["granted", "granted_in_part", "refused", "withdrawn"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
ANSWER_DAYS: Final = 30
"""Calendar days to answer, and by how many that is extended, once."""
DAY_SECONDS: Final = 86_400.0
SOON_SECONDS: Final = 7 * DAY_SECONDS
"""How long before it is due a request counts as due soon, and its first reminder comes."""
REMINDER: Final = "privacy_request"
"""Timers, whose keys are ids of requests."""
KIND: Final = "privacy_request"
"""Of the audit's rows."""

HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")
PERSONAL: Final = re.compile(r"\d(?:[ .-]?\d){7}")
NO_CONTENT: Final = (
    "write a reference, such as a ticket or the hash of the letter; it is kept after an erasure, so it must not have "
    "an address, a number of a person or what they wrote"
)


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """What a person asked a client for."""

    id: int
    client: str
    kind: RequestKind
    received_at: str
    due_at: str
    """By law; a block: within 2 working days."""
    registered_by: str
    acknowledged_at: str | None
    extended_at: str | None
    extended_because: str | None
    answered_at: str | None
    outcome: Outcome | None
    proof: str | None
    """A reference to what was sent: a hash of it, a ticket's number. Never its content."""
    receipt: int | None
    """The number of the receipt of what was done."""

    def state(self, now: str) -> Literal["answered", "overdue", "due_soon", "open"]:
        """Where it stands at a time, text of `timestamp`."""
        if self.answered_at is not None:
            return "answered"
        if now >= self.due_at:
            return "overdue"
        return "due_soon" if later(now, SOON_SECONDS) >= self.due_at else "open"


class NoRequest(StoreError):
    """There is no such request, or it is closed already."""


_COLUMNS = (
    "id, client, kind, received_at, due_at, registered_by, acknowledged_at, extended_at, extended_because,"
    " answered_at, outcome, proof, receipt"
)
ADD = Insert(
    "INSERT INTO privacy_requests (client, people, kind, received_at, due_at, registered_by)"
    " VALUES (:client, :people, :kind, :received_at, :due_at, :by)"
)
GET = Statement(f"SELECT {_COLUMNS} FROM privacy_requests WHERE id = :id")  # noqa: S608 - our own column names
ALL = Statement(f"SELECT {_COLUMNS}, people FROM privacy_requests ORDER BY id")  # noqa: S608
OPEN = Statement(
    f"SELECT {_COLUMNS} FROM privacy_requests WHERE answered_at IS NULL ORDER BY due_at, id"  # noqa: S608
)
ACKNOWLEDGE = Statement(
    "UPDATE privacy_requests SET acknowledged_at = :now WHERE id = :id AND acknowledged_at IS NULL"
    " AND answered_at IS NULL"
)
EXTEND = Statement(
    "UPDATE privacy_requests SET extended_at = :now, extended_because = :because, due_at = :due_at WHERE id = :id"
    " AND extended_at IS NULL AND answered_at IS NULL"
)
ANSWER = Statement(
    "UPDATE privacy_requests SET answered_at = :now, outcome = :outcome, proof = :proof, receipt = :receipt"
    " WHERE id = :id AND answered_at IS NULL"
)
RENAME = Statement("UPDATE privacy_requests SET client = :client WHERE client = :former")


def is_content(text: str) -> bool:
    """Whether a reference may be about a person: it has an address, a number of 8 digits or more, or an `@`."""
    return "@" in text or PERSONAL.search(HASH.sub("", text)) is not None


def register(
    connection: Connection,
    *,
    client: str,
    hashes: Collection[str],
    kind: RequestKind,
    received_at: str,
    due_at: str,
    by: Actor,
) -> PrivacyRequest:
    """Registers a request, with its reminder. `received_at`, `due_at`: texts of `timestamp`."""
    people = " ".join(sorted(hashes))
    id_ = ADD.one(
        connection, client=client, people=people, kind=kind, received_at=received_at, due_at=due_at, by=by.name
    )
    _remind(connection, id_, due_at)
    _audit(connection, by, "registered", client, id_)
    return get(connection, id_)


def get(connection: Connection, request_id: int) -> PrivacyRequest:
    """A request; raises NoRequest."""
    row = GET.first(connection, id=request_id)
    if row is None:
        raise NoRequest(f"There is no request {request_id}; see `horizonai-whatsapp-bot person requests`.")
    return PrivacyRequest(*row)


def acknowledge(connection: Connection, request_id: int, by: Actor) -> PrivacyRequest:
    """Records that its receipt was confirmed to the person; again without effect. Raises NoRequest."""
    request = get(connection, request_id)
    if ACKNOWLEDGE.run(connection, id=request_id, now=timestamp()):
        _audit(connection, by, "acknowledged", request.client, request_id)
    return get(connection, request_id)


def extend(connection: Connection, request_id: int, because: str, by: Actor) -> PrivacyRequest:
    """Gives a request 30 days more, which the law allows once. Raises NoRequest."""
    request = get(connection, request_id)
    due_at = later(request.due_at, ANSWER_DAYS * DAY_SECONDS)
    if request.kind == "blocking" or not EXTEND.run(
        connection, id=request_id, now=timestamp(), because=because, due_at=due_at
    ):
        raise NoRequest(
            f"Request {request_id} cannot be extended: it is answered, was extended already, or asks for a block."
        )
    _remind(connection, request_id, due_at)
    _audit(connection, by, "extended", request.client, request_id)
    return get(connection, request_id)


def answer(
    connection: Connection, request_id: int, outcome: Outcome, proof: str, by: Actor, receipt: int | None = None
) -> PrivacyRequest:
    """Records how a request was answered, and the proof; its reminders end. Raises NoRequest."""
    request = get(connection, request_id)
    if not ANSWER.run(connection, id=request_id, now=timestamp(), outcome=outcome, proof=proof, receipt=receipt):
        raise NoRequest(f"Request {request_id} was answered already, at {request.answered_at}; nothing was changed.")
    timers.cancel(connection, REMINDER, str(request_id))
    _audit(connection, by, "answered", request.client, request_id)
    return get(connection, request_id)


def requests_of(connection: Connection, hashes: Collection[str]) -> list[PrivacyRequest]:
    """A person's requests, oldest first."""
    wanted = set(hashes)
    return [PrivacyRequest(*row[:-1]) for row in ALL.rows(connection) if wanted & set(row[-1].split())]


def list_requests(connection: Connection, clients: Collection[str] | None = None) -> list[PrivacyRequest]:
    """All requests of these clients, or of all, oldest first."""
    found = [PrivacyRequest(*row[:-1]) for row in ALL.rows(connection)]
    return [one for one in found if clients is None or one.client in clients]


def open_requests(connection: Connection) -> list[PrivacyRequest]:
    """Requests that wait for an answer, by when they are due."""
    return [PrivacyRequest(*row) for row in OPEN.rows(connection)]


def rename_client(connection: Connection, former: str, client: str) -> None:
    """Keeps the requests of a client under its new id."""
    RENAME.run(connection, former=former, client=client)


def due_of(kind: RequestKind, received: datetime, holidays: Collection[date]) -> datetime:
    """When a request is to be answered by, at the end of that day in the zone of `received`: 30 calendar days later, or
    2 working days for a block. `holidays`: days that are not working days, besides Saturdays and Sundays."""
    day, left = received.date(), 2
    if kind != "blocking":
        return _end_of(received, date.fromordinal(day.toordinal() + ANSWER_DAYS))
    while left:
        day = date.fromordinal(day.toordinal() + 1)
        if day.weekday() < 5 and day not in holidays:
            left -= 1
    return _end_of(received, day)


def _end_of(received: datetime, day: date) -> datetime:
    return received.replace(year=day.year, month=day.month, day=day.day, hour=23, minute=59, second=59, microsecond=0)


def _remind(connection: Connection, request_id: int, due_at: str) -> None:
    first = datetime.fromisoformat(later(due_at, -SOON_SECONDS))
    timers.put(connection, REMINDER, str(request_id), first, {})


def _audit(connection: Connection, by: Actor, action: str, client: str, request_id: int) -> None:
    record(connection, by, Entry(action, KIND, str(request_id), client))
