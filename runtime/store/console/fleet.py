"""What the fleet page reads: a row for each bot, by indexes only, whatever the number of messages. Functions over a
connection.

bots           ──► one row each: who, state, model, when last applied, whether changed by hand since
inbox          ──► its newest message; messages that no turn has ended (index of open ones)
turns          ──► dead letters (index of dead ones)
conversations  ──► people who wait for people (index of those that the assistant does not have)
usage          ──► the month's cost, of the rows that are shown
timers         ──► when models end, as the last look found it
reconcile_reports ──► what the newest apply or `drift` found of each client
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from runtime.store.activity_records import RatingRecord
from runtime.store.database.statement import Statement
from runtime.store.model_ends import dates_of
from runtime.store.sender_ratings import newest
from runtime.store.tariffs import stored_tariffs
from runtime.store.usage.ledger import FREE_SERVICE_MESSAGES
from schemas.budgets import nanos_of
from schemas.policy_document import read_document
from schemas.tariffs import Agency


@dataclass(frozen=True, slots=True)
class FleetRow:
    """A bot as the fleet shows it."""

    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was made by hand."""
    name: str
    number: str
    state: str
    model: str | None
    is_declared: bool
    """Whether a manifest declares it."""
    applied_at: str | None
    is_changed_by_hand: bool
    """Whether it was changed over the API since it was last applied."""
    last_inbound: str | None
    open_since: str | None = None
    """When the oldest message came in that no turn has ended."""
    dead_letters: int = 0
    dead_at: str | None = None
    """When the newest of them failed."""
    waiting_people: int = 0
    waiting_since: str | None = None
    model_ends: date | None = None
    """When the model is shut down; None: nothing is announced."""
    found: str | None = None
    """What the newest recorded apply or `drift` found, such as `in_sync` or `unresolved`; None where none was recorded,
    or it was applied since."""


@dataclass(frozen=True, slots=True)
class MonthOfClient:
    """What a client's current month (in UTC) has cost so far, and may cost."""

    nano_usd: int
    free_left: int
    """Service messages of its number that Meta still charges nothing for."""
    rating: RatingRecord | None
    """What Twilio and Meta said of the number last."""
    limit_nano_usd: int | None
    """What its budget is in dollars; None without one, or without a rate for its currency."""


_BOTS = (
    "SELECT bots.id, coalesce(bots.client, bots.id), bots.name, bots.twilio_phone_number, bots.state,"
    " coalesce(assistants.model, bots.model), bots.managed_by IS NOT NULL,"
    " (SELECT max(applied_at) FROM applied WHERE applied.client = bots.client),"
    " EXISTS (SELECT 1 FROM audit WHERE audit.kind = 'bot' AND audit.object_id = bots.id"
    " AND audit.overridden IS NOT NULL AND audit.at > coalesce((SELECT max(applied_at) FROM applied"
    " WHERE applied.client = bots.client), '')),"
    " (SELECT received_at FROM inbox WHERE inbox.bot_id = bots.id ORDER BY received_at DESC LIMIT 1)"
    " FROM bots LEFT JOIN assistants ON assistants.id = bots.assistant_id"
)
BOTS = Statement(f"{_BOTS} ORDER BY 2")
BOTS_OF = Statement(f"{_BOTS} WHERE coalesce(bots.client, bots.id) = :client ORDER BY 2")
OPEN = Statement("SELECT bot_id, received_at FROM inbox WHERE state = 'open' ORDER BY id DESC")
"""The newest first. Grouped by bot, SQLite would read the whole index of bots instead of the one of open messages."""
DEAD = Statement("SELECT bot_id, count(*), max(id) FROM turns WHERE state = 'dead' GROUP BY bot_id")
FAILED_AT = Statement("SELECT finished_at FROM turns WHERE id = :id")
_NEWEST = "(SELECT max(id) FROM inbox WHERE inbox.conversation_id = conversations.id AND sender <> '')"
WAITING = Statement(
    "SELECT conversations.bot_id, count(*), min(CASE WHEN coalesce(state_since, '') > inbox.received_at"  # noqa: S608
    " THEN state_since ELSE inbox.received_at END) FROM conversations"
    f" JOIN inbox ON inbox.id = {_NEWEST}"
    " WHERE conversations.state <> 'assistant' AND conversations.state = 'human' AND coalesce(operator_at, '')"
    " < CASE WHEN coalesce(state_since, '') > inbox.received_at THEN state_since ELSE inbox.received_at END"
    " GROUP BY conversations.bot_id"
)
FOUND = Statement(
    "SELECT client, kind, state, at FROM reconcile_reports WHERE kind IN ('apply', 'drift') AND client > '' ORDER BY at"
)
SPENT = Statement("SELECT coalesce(sum(amount), 0) FROM usage WHERE client = :client AND month = :month")
FREE_USED = Statement("SELECT used FROM free_service_messages WHERE number = :number AND month = :month")
POLICY = Statement("SELECT policy FROM bots WHERE id = :id")


def rows(connection: Connection, clients: Sequence[str] | None) -> list[FleetRow]:
    """All bots by client, of these clients or of all."""
    is_open = dict(OPEN.rows(connection))
    dead = {bot_id: (int(count), turn_id) for bot_id, count, turn_id in DEAD.rows(connection)}
    waiting = {bot_id: (int(count), since) for bot_id, count, since in WAITING.rows(connection)}
    ends = dates_of(connection)
    seen = {client: (kind, state, at) for client, kind, state, at in FOUND.rows(connection)}
    found = []
    if clients is not None and len(clients) == 1:
        bots = BOTS_OF.rows(connection, client=clients[0])
    else:
        bots = BOTS.rows(connection)
    for bot_id, client, name, number, state, model, declared, applied, changed, last in bots:
        if clients is not None and client not in clients:
            continue
        count, turn_id = dead.get(bot_id, (0, None))
        failed = None if turn_id is None else FAILED_AT.first(connection, id=turn_id)
        found.append(
            FleetRow(
                bot_id=bot_id,
                client=client,
                name=name,
                number=number,
                state=state,
                model=model,
                is_declared=bool(declared),
                applied_at=applied,
                is_changed_by_hand=bool(changed),
                found=_found(seen.get(client), applied),
                last_inbound=last,
                open_since=is_open.get(bot_id),
                dead_letters=count,
                dead_at=None if failed is None else failed[0],
                waiting_people=waiting.get(bot_id, (0, None))[0],
                waiting_since=waiting.get(bot_id, (0, None))[1],
                model_ends=ends.get((client, model)),
            )
        )
    return found


def _found(newest: tuple[str, str, str] | None, applied_at: str | None) -> str | None:
    """What the newest report says, unless it is of a drift before the last apply."""
    if newest is None:
        return None
    kind, state, at = newest
    return None if kind == "drift" and applied_at is not None and applied_at > at else state


def months(connection: Connection, bots: Sequence[FleetRow], today: date) -> dict[str, MonthOfClient]:
    """The month of each of these bots' clients, by the bot's id. `today`: in UTC."""
    agency = stored_tariffs(connection).agency
    return {bot.bot_id: _month(connection, bot, agency, today) for bot in bots}


def _month(connection: Connection, bot: FleetRow, agency: Agency, today: date) -> MonthOfClient:
    month = f"{today:%Y-%m}"
    used = FREE_USED.first(connection, number=bot.number, month=month)
    policy = POLICY.first(connection, id=bot.bot_id)
    budget = None if policy is None else read_document(json.loads(policy[0])).policy.budget
    return MonthOfClient(
        nano_usd=int(SPENT.one(connection, client=bot.client, month=month)[0]),
        free_left=FREE_SERVICE_MESSAGES - (0 if used is None else int(used[0])),
        rating=newest(connection, bot.number),
        limit_nano_usd=None if budget is None else nanos_of(budget, agency, today),
    )
