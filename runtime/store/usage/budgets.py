"""Budgets in the store: what was spent, what each replica may yet spend, which warnings were sent. Functions over a
connection.

    month's budget
    ├── spent        rows of the ledger
    ├── allotments   of replicas, each its own row: what it may yet add to the ledger
    ├── reserved     for lists of people, each its own row beside them: what is not sent yet, or not in the ledger
    └── the rest     from which a replica takes its next allotment, and a list is begun

An allotment is taken under a lock of its client, so spent and allotments together never exceed the budget, but for one
turn that is begun with the rest when that is less than a turn costs. No clock is compared with another: an allotment
counts until its replica returns it, or until another one has seen for a while that it is not renewed (`dead`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp

SHARE: Final = 2
"""A replica takes at most this part of what is left: a half."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """A replica's row."""

    replica: str
    granted: int
    """10⁻⁹ USD that it may yet add to the ledger."""
    version: int
    """Number of its renewals."""


@dataclass(frozen=True, slots=True)
class AllotmentRequest:
    """What a replica asks for, in 10⁻⁹ USD."""

    client: str
    month: str
    replica: str
    budget: int
    running: int = 0
    """Of its turns that have not ended."""
    sent: Mapping[int, int] = field(default_factory=dict)
    """Of each message of its ended turns, by turn: those whose delivery is in the ledger cost nothing further."""
    least: int = 0
    """What a turn costs at most."""
    wanted: int = 0
    """What it will use soon."""
    spent_before: int = 0
    """The sum of the ledger's rows before `since`."""
    since: str = ""
    dead: Collection[tuple[str, int]] = ()
    """Replicas with the versions of their allotments that have not been renewed for too long."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a request."""

    granted: int
    """For further turns; 0 when nothing is left for them now."""
    is_last: bool
    """Whether `granted` is more than what was left: for one turn, and none beside it."""
    spent: int
    sent: Collection[int]
    """Turns of the request with a message whose delivery is not in the ledger yet."""
    others: Sequence[Allotment]
    reserved: int = 0
    """For lists of people."""
    is_scarce: bool = False
    """Whether `granted` is less than what was wanted: what this replica does not use, others wait for."""


@dataclass(frozen=True, slots=True)
class SpentSum:
    """The ledger's sum of a month."""

    amount: int
    """10⁻⁹ USD."""
    unknown: int
    """Number of rows without a known price, which are not in `amount`."""
    reserved: int = 0
    """For lists of people, whatever the month: 10⁻⁹ USD that are not in `amount`."""


@dataclass(frozen=True, slots=True)
class ListBound:
    """The budget within which a list of people is begun."""

    client: str
    month: str
    budget: int | None
    """10⁻⁹ USD; None: nothing bounds it."""


class NoRoom(Exception):
    """A list costs more than what is left of a month's budget; nothing was changed."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} are left.")
        self.left = left
        """In 10⁻⁹ USD."""


LIST: Final = "list:"
"""Begins the name under which a list of people has its row among the allotments. It is renewed by none, and never taken
for one of a replica that has ended."""
LOCK = Statement("SELECT pg_advisory_xact_lock(hashtext('budget'), hashtext(:client))")
SUM = Statement(
    "SELECT coalesce(sum(amount), 0), count(*) - count(amount), (SELECT coalesce(sum(granted), 0)"
    " FROM budget_allotments WHERE client = :client AND replica LIKE 'list:%') FROM usage"
    " WHERE client = :client AND month = :month AND at >= :since AND at < :until"
)
ALLOTMENTS = Statement(
    "SELECT replica, granted, version FROM budget_allotments WHERE client = :client AND replica <> :replica"
)
PUT = Statement(
    "INSERT INTO budget_allotments (client, replica, granted, version) VALUES (:client, :replica, :granted, 1)"
    " ON CONFLICT (client, replica) DO UPDATE"
    " SET granted = excluded.granted, version = budget_allotments.version + 1"
)
RENEW = Statement("UPDATE budget_allotments SET version = version + 1 WHERE client = :client AND replica = :replica")
RETURN = Statement("DELETE FROM budget_allotments WHERE client = :client AND replica = :replica")
DROP_DEAD = Statement(
    "DELETE FROM budget_allotments WHERE client = :client AND replica = :replica AND version = :version"
)
DROP_ALL = Statement("DELETE FROM budget_allotments WHERE replica NOT LIKE 'list:%'")
_UNCHARGED = (
    "SELECT turn_id, count(*) FROM outbox WHERE turn_id {among} AND charged < 2"
    " AND state IN ('ready', 'postponed', 'sending', 'sent') AND coalesce(status, '') NOT IN ('failed', 'undelivered')"
    " GROUP BY turn_id"
)
UNCHARGED: Final = {
    "sqlite": Statement(_UNCHARGED.format(among="IN (SELECT value FROM json_each(:turns))")),
    "postgresql": Statement(_UNCHARGED.format(among="= ANY(:turns)")),
}
WARN = Statement(
    "INSERT INTO budget_warnings (client, month, percent, channel, at)"
    " VALUES (:client, :month, :percent, :channel, :at) ON CONFLICT (client, month, percent, channel) DO NOTHING"
)
UNWARN = Statement(
    "DELETE FROM budget_warnings"
    " WHERE client = :client AND month = :month AND percent = :percent AND channel = :channel"
)
END_OF_TIME: Final = "9"
"""Later than every timestamp, as text."""


def take(connection: Connection, request: AllotmentRequest) -> Taken:
    """Takes an allotment in place of the replica's former one."""
    _lock(connection, request.client)
    for replica, version in request.dead:
        DROP_DEAD.run(connection, client=request.client, replica=replica, version=version)
    recent = spent(connection, request.client, request.month, since=request.since)
    known = [Allotment(*row) for row in ALLOTMENTS.rows(connection, client=request.client, replica=request.replica)]
    others = [one for one in known if not one.replica.startswith(LIST)]
    uncharged = _uncharged(connection, list(request.sent))
    under_way = request.running + sum(request.sent[turn] * count for turn, count in uncharged.items())
    total = request.spent_before + recent.amount
    left = request.budget - total - sum(one.granted for one in known) - under_way
    is_last = 0 < left < request.least and not request.running
    granted = request.least if is_last else 0
    if left >= request.least:
        granted = max(min(request.wanted, left // SHARE), request.least)
    PUT.run(connection, client=request.client, replica=request.replica, granted=under_way + granted)
    return Taken(granted, is_last, total, set(uncharged), others, recent.reserved, granted < request.wanted)


def check_room(connection: Connection, bound: ListBound, list_id: str, amount: int) -> None:
    """Raises NoRoom where a month's budget has less than `amount` left for a list: not spent, allotted or
    reserved by another one."""
    if bound.budget is None:
        return
    total = spent(connection, bound.client, bound.month).amount
    held = ALLOTMENTS.rows(connection, client=bound.client, replica=LIST + list_id)
    left = bound.budget - total - sum(Allotment(*row).granted for row in held)
    if amount > left:
        raise NoRoom(max(0, left))


def reserve(connection: Connection, client: str, list_id: str, amount: int) -> None:
    """Reserves for a list what it is yet to cost, in place of what it had reserved; nothing with 0."""
    if amount > 0:
        PUT.run(connection, client=client, replica=LIST + list_id, granted=amount)
    else:
        RETURN.run(connection, client=client, replica=LIST + list_id)


def reserve_within(connection: Connection, bound: ListBound, list_id: str, amount: int) -> None:
    """As `reserve`, where the month's budget has room for it. Raises NoRoom."""
    _lock(connection, bound.client)
    check_room(connection, bound, list_id, amount)
    reserve(connection, bound.client, list_id, amount)


def renew(connection: Connection, replica: str, clients: Collection[str]) -> None:
    """Renews a replica's allotments, so that no other one takes it for ended."""
    for client in sorted(clients):
        RENEW.run(connection, client=client, replica=replica)


def return_all(connection: Connection, replica: str, clients: Collection[str]) -> None:
    """Returns a replica's allotments, as it stops."""
    for client in sorted(clients):
        RETURN.run(connection, client=client, replica=replica)


def drop_all(connection: Connection) -> None:
    """Deletes every allotment: of an earlier process, where only one serves the store."""
    DROP_ALL.run(connection)


def spent(connection: Connection, client: str, month: str, *, since: str = "", until: str = END_OF_TIME) -> SpentSum:
    """What the ledger has of a client's month, by when the ledger learnt of it: from `since` on, before `until`."""
    amount, unknown, reserved = SUM.one(connection, client=client, month=month, since=since, until=until)
    return SpentSum(int(amount), int(unknown), int(reserved))


def record_warnings(
    connection: Connection, client: str, month: str, percents: Sequence[int], channel: str
) -> list[int]:
    """Records that warnings are about to be sent; returns those that were not recorded before, by whichever replica."""
    key = {"client": client, "month": month, "channel": channel}
    return [percent for percent in percents if WARN.run(connection, **key, percent=percent, at=timestamp())]


def forget_warnings(connection: Connection, client: str, month: str, percents: Sequence[int], channel: str) -> None:
    """Deletes those records: the channel did not accept the warning, which is sent again later."""
    for percent in percents:
        UNWARN.run(connection, client=client, month=month, percent=percent, channel=channel)


def _lock(connection: Connection, client: str) -> None:
    """One replica at a time takes an allotment of a client. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        LOCK.one(connection, client=client)


def _uncharged(connection: Connection, turns: Sequence[int]) -> dict[int, int]:
    """How many messages of turns are yet to be charged, by turn."""
    if not turns:
        return {}
    dialect = connection.dialect.name
    among = dump_json(turns) if dialect == "sqlite" else turns
    return dict(UNCHARGED[dialect].rows(connection, turns=among))
