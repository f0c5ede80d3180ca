"""What a turn got and said, what it called, how long it took and what it cost. Functions over a connection; a read is
recorded in the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.messages import threads
from runtime.store.messages.threads import ThreadCall, ThreadMessage

REMEMBERED: Final = 20
"""Items of the memory before a turn that are shown: the newest ones."""
LAST: Final = 2**62


@dataclass(frozen=True, slots=True)
class TurnCost:
    """What was used of one kind, and what it cost."""

    kind: str
    model: str | None
    quantity: int
    nano_usd: int | None
    """10⁻⁹ USD; None where a price is not known."""


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """When what happened: texts of `timestamp`; None for what did not."""

    received: str | None
    """The turn's first message came in."""
    last_received: str | None
    started: str
    finished: str | None
    sent: str | None
    """The last message of the answer was handed to Twilio."""


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn."""

    id: int
    state: str
    model: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    error: str | None
    variant: str | None
    """`canary` or `stable`, while there was a canary."""
    reason: str | None
    """Why it was not answered, in one word."""
    assistant_version: int | None
    starts: int
    """How often it was begun."""
    documents: Sequence[str]
    """Cited by the answer."""
    times: TurnTimes
    received: Sequence[ThreadMessage]
    sent: Sequence[ThreadMessage]
    calls: Sequence[ThreadCall]
    remembered: Sequence[tuple[str, str]]
    """What the model knew from before, oldest first: who said it (`user`, `assistant`, …), and the text."""
    costs: Sequence[TurnCost]
    before: int | None
    """The turn before it in the conversation."""
    after: int | None

    @property
    def nano_usd(self) -> int:
        """What all of it cost, as far as prices are known."""
        return sum(cost.nano_usd or 0 for cost in self.costs)


TURN = Statement(
    "SELECT state, model, input_tokens, cached_tokens, output_tokens, error, variant, reason, assistant_version,"
    " starts, used, started_at, finished_at FROM turns WHERE id = :turn AND conversation_id = :id"
    " AND state <> 'operator'"
)
RECEIVED = Statement(
    "SELECT inbox.id, received_at, content, body, params, inbox.state, turns.reason, inbox.turn_id FROM inbox"
    " LEFT JOIN turns ON turns.id = inbox.turn_id WHERE inbox.conversation_id = :id AND inbox.turn_id = :turn"
    " AND sender <> '' ORDER BY inbox.id"
)
SENT = Statement(
    "SELECT outbox.id, created_at, body, outbox.state, status, outbox.error, error_code, author, turn_id"
    " FROM outbox WHERE turn_id = :turn ORDER BY id"
)
SETTLED = Statement("SELECT max(settled_at) FROM outbox WHERE turn_id = :turn")
ITEMS = Statement(
    "SELECT item, turn_id, created_at, id FROM items WHERE conversation_id = :id AND turn_id = :turn ORDER BY id"
)
BEFORE = Statement("SELECT item FROM items WHERE conversation_id = :id AND id < :first ORDER BY id DESC LIMIT :limit")
OLDER_ITEMS = Statement(
    "SELECT item FROM items WHERE conversation_id = :id AND created_at <= :at ORDER BY id DESC LIMIT :limit"
)
COSTS = Statement(
    "SELECT usage.kind, usage_prices.model, sum(quantity), sum(amount), count(*) - count(amount) FROM usage"
    " LEFT JOIN usage_prices ON usage_prices.id = usage.price_id WHERE client = :client"
    " AND (month, at) >= (:since, :from_at) AND month <= :until AND (turn_id = :turn OR inbox_id IN"
    " (SELECT id FROM inbox WHERE conversation_id = :id AND turn_id = :turn)"
    " OR outbox_id IN (SELECT id FROM outbox WHERE turn_id = :turn))"
    " GROUP BY usage.kind, usage_prices.model ORDER BY 4 DESC"
)
NEIGHBOURS = Statement(
    "SELECT (SELECT max(id) FROM turns WHERE conversation_id = :id AND id < :turn AND state <> 'operator'),"
    " (SELECT min(id) FROM turns WHERE conversation_id = :id AND id > :turn AND state <> 'operator')"
)


def read_by(connection: Connection, actor: Actor, client: str, conversation_id: int, turn: int) -> TurnView | None:
    """A turn of a conversation, for a person; None where it has none of that id."""
    row = TURN.first(connection, id=conversation_id, turn=turn)
    if row is None:
        return None
    *facts, used, started_at, finished_at = row
    received = [*map(threads.received_message, RECEIVED.rows(connection, id=conversation_id, turn=turn))]
    items = ITEMS.rows(connection, id=conversation_id, turn=turn)
    calls = [row[:3] for row in items if '"function_call' in row[0]]
    times = TurnTimes(
        received[0].at if received else None,
        received[-1].at if received else None,
        started_at or (finished_at or ""),
        finished_at,
        SETTLED.one(connection, turn=turn)[0],
    )
    record(connection, actor, Entry("read", threads.KIND, client, client, [conversation_id], [f"turn {turn}"]))
    first = items[0][3] if items else None
    before, after = NEIGHBOURS.one(connection, id=conversation_id, turn=turn)
    state, model, input_tokens, cached_tokens, output_tokens, error, variant, reason, version, starts = facts
    return TurnView(
        id=turn,
        state=state,
        model=model,
        input_tokens=input_tokens,
        cached_tokens=cached_tokens,
        output_tokens=output_tokens,
        error=error,
        variant=variant,
        reason=reason,
        assistant_version=version,
        starts=starts,
        documents=tuple(json.loads(used).get("documents", ())) if used else (),
        times=times,
        received=received,
        sent=[*map(threads.sent_message, SENT.rows(connection, turn=turn))],
        calls=list(threads.calls_of(calls)),
        remembered=_remembered(connection, conversation_id, first, times),
        costs=_costs(connection, client, conversation_id, turn, times),
        before=before,
        after=after,
    )


def _remembered(
    connection: Connection, conversation_id: int, first: int | None, times: TurnTimes
) -> list[tuple[str, str]]:
    """What was remembered before a turn: before its first item, or where it left none, until it began."""
    rows = (
        BEFORE.rows(connection, id=conversation_id, first=first, limit=REMEMBERED)
        if first is not None
        else OLDER_ITEMS.rows(connection, id=conversation_id, at=times.started, limit=REMEMBERED)
    )
    return [_said(json.loads(item)) for (item,) in reversed(rows)]


def _said(item: Mapping[str, Any]) -> tuple[str, str]:
    if item.get("type") == "function_call":
        return "function", f"{item.get('name')}({item.get('arguments')})"
    if item.get("type") == "function_call_output":
        return "function", str(item.get("output"))
    content = item.get("content")
    return str(item.get("role") or "assistant"), content if isinstance(content, str) else json.dumps(content)


def _costs(connection: Connection, client: str, conversation_id: int, turn: int, times: TurnTimes) -> list[TurnCost]:
    from_at = threads.ledger_begins(times.received or times.started)
    until = max(times.finished or "", times.sent or "", times.started)[:7]
    rows = COSTS.rows(
        connection, client=client, since=from_at[:7], from_at=from_at, until=until, id=conversation_id, turn=turn
    )
    return [
        TurnCost(kind, model, int(quantity), None if unknown or amount is None else int(amount))
        for kind, model, quantity, amount, unknown in rows
    ]
