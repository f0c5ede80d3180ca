"""Sends of a template to a list of people. Functions over a connection.

    row: waiting ──its message is written──► sending ──► sent | failed
            └────the person opted out────► skipped

Writing a row's message and taking the row is one transaction, so each person gets one, however often a process crashes.
A campaign is identified by what its sender calls it: putting it again adds the people that it does not have yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.audit import Actor, Entry, client_of_bot, record
from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import NumberNeeded, OptedOut, PersonBlocked, StoreError
from runtime.store.messages import outbox, turns
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendTakenOver
from runtime.store.usage import budgets
from runtime.store.usage.budgets import ListBound

KIND: Final = "campaign"
"""Timers: one for each campaign that runs."""
RELEASE: Final = "campaign_release"
"""Timers: one for each that has ended, after which nothing is reserved for it."""
SETTLE_SECONDS: Final = 60.0
"""For how long the delivery of a message is waited for, which costs something only once it has arrived."""
DAY_SECONDS: Final = 24 * 3600.0

CampaignState = Literal["running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One person of a list."""

    line: int
    """In the file, or the position in the request, from 1."""
    recipient: str
    """Their address, `whatsapp:+…`."""
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A send to a list."""

    id: str
    bot_id: str
    template: str
    basis: str
    """Why these people may be written to, in the sender's words."""
    created_by: str
    created_at: str
    state: CampaignState
    reason: str | None
    """Why it waits or was stopped, in a sentence."""
    unit_cost: int
    """Of one message, in 10⁻⁹ USD; what is not in the ledger yet is reserved in the client's budget."""
    is_quiet_at_night: bool


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """How far a campaign is."""

    campaign: Campaign
    rows: Mapping[str, int]
    """Number of people by state: waiting, sending, sent, skipped, failed."""
    statuses: Mapping[str, int]
    """Of what was sent, by Twilio's status."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """Of what did not arrive, by Twilio's code."""
    client: str = ""
    """The bot's client; the bot's id for a bot that was created through the API."""

    @property
    def total(self) -> int:
        """Number of people."""
        return sum(self.rows.values())

    @property
    def left(self) -> int:
        """Number of people who wait for it."""
        return self.rows.get("waiting", 0) + self.rows.get("sending", 0)


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A person whose message is on disk, or who gets none."""

    line: int
    variables: Mapping[str, str]
    recipient: str
    outbox_row: OutboxRow | None


class OtherCampaign(StoreError):
    """A campaign is put again as another one; nothing was changed."""


_COLUMNS = "id, bot_id, template, basis, created_by, created_at, state, reason, unit_cost, is_quiet_at_night"
GET = Statement(f"SELECT {_COLUMNS} FROM campaigns WHERE id = :id")  # noqa: S608 - our own column names
LISTED = Statement(
    "SELECT campaigns.id FROM campaigns LEFT JOIN bots ON bots.id = campaigns.bot_id"
    " WHERE CAST(:client AS text) = '' OR coalesce(bots.client, campaigns.bot_id) = :client"
    " ORDER BY campaigns.created_at DESC, campaigns.id LIMIT :limit"
)
ADD = Statement(
    "INSERT INTO campaigns (id, bot_id, template, basis, created_by, created_at, state, unit_cost, is_quiet_at_night)"
    " VALUES (:id, :bot_id, :template, :basis, :created_by, :created_at, 'running', :unit_cost, :is_quiet_at_night)"
)
SET_STATE = Statement("UPDATE campaigns SET state = :state, reason = :reason WHERE id = :id")
ADD_ROW = Statement(
    "INSERT INTO campaign_rows (campaign_id, line, recipient, variables, state)"
    " VALUES (:campaign_id, :line, :recipient, :variables, 'waiting') ON CONFLICT (campaign_id, recipient) DO NOTHING"
)
MOST = Statement("SELECT coalesce(max(line), 0) FROM campaign_rows WHERE campaign_id = :id")
KNOWN = Statement("SELECT recipient FROM campaign_rows WHERE campaign_id = :id")
NEXT = Statement(
    "SELECT line, recipient, variables, state, outbox_id FROM campaign_rows WHERE campaign_id = :id"
    " AND (state = 'waiting' OR state = 'sending' AND outbox_id IN (SELECT id FROM outbox))"
    " ORDER BY state, line LIMIT 1"
)
"""What a crashed process had begun comes first: `sending` is before `waiting` in the alphabet."""
TAKE = Statement(
    "UPDATE campaign_rows SET state = :state, reason = :reason, outbox_id = :outbox_id"
    " WHERE campaign_id = :id AND line = :line AND state = 'waiting'"
)
SETTLE = Statement(
    "UPDATE campaign_rows SET state = :state, reason = :reason WHERE campaign_id = :id AND line = :line"
    " AND state = 'sending'"
)
OWN = Statement("UPDATE outbox SET campaign_id = :id WHERE id = :row_id")
ROW = Statement(f"SELECT {outbox.COLUMNS} FROM outbox WHERE id = :id")  # noqa: S608
BY_STATE = Statement("SELECT state, count(*) FROM campaign_rows WHERE campaign_id = :id GROUP BY state")
BY_STATUS = Statement(
    "SELECT coalesce(status, outbox.state), error_code, count(*) FROM campaign_rows"
    " JOIN outbox ON outbox.id = outbox_id"
    " WHERE campaign_rows.campaign_id = :id AND campaign_rows.state = 'sent' GROUP BY 1, 2"
)
WAITING = Statement("SELECT count(*) FROM campaign_rows WHERE campaign_id = :id AND state = 'waiting'")
UNCHARGED = Statement(
    "SELECT count(*) FROM campaign_rows JOIN outbox ON outbox.id = outbox_id WHERE campaign_rows.campaign_id = :id"
    " AND campaign_rows.state IN ('sending', 'sent') AND charged < 2 AND outbox.state IN ('ready', 'sending', 'sent')"
    " AND coalesce(status, '') NOT IN ('failed', 'undelivered') AND created_at > :since"
)
REACHED = Statement(
    "SELECT count(DISTINCT recipient), count(DISTINCT CASE WHEN recipient = :recipient THEN 1 END) FROM outbox"
    " WHERE bot_id = :bot_id AND turn_id IS NULL AND created_at > :since AND state IN ('ready', 'sending', 'sent')"
)


_LEFT_OUT: Final[Mapping[type[Exception], str]] = {
    OptedOut: "opted_out",
    NumberNeeded: "number_needed",
    PersonBlocked: "blocked",
}
"""Why a person gets no message of a campaign, in one word."""


def put(connection: Connection, campaign: Campaign, rows: Sequence[CampaignRow], bound: ListBound) -> int:
    """Begins a campaign, or adds people to it, and reserves what it is yet to cost; returns how many of the rows it did
    not have yet. Its timer is due at once. Raises OtherCampaign and, where the budget has no room for it, NoRoom."""
    known = get(connection, campaign.id)
    if known is None:
        ADD.run(
            connection,
            id=campaign.id,
            bot_id=campaign.bot_id,
            template=campaign.template,
            basis=campaign.basis,
            created_by=campaign.created_by,
            created_at=campaign.created_at,
            unit_cost=campaign.unit_cost,
            is_quiet_at_night=campaign.is_quiet_at_night,
        )
    elif (known.bot_id, known.template) != (campaign.bot_id, campaign.template):
        raise OtherCampaign(f"There is a campaign {campaign.id!r} already, of another client or template.")
    have = {recipient for (recipient,) in KNOWN.rows(connection, id=campaign.id)}
    (most,) = MOST.one(connection, id=campaign.id)
    new = [row for row in rows if row.recipient not in have]
    for number, row in enumerate(new):
        line = row.line if not have else most + 1 + number
        ADD_ROW.run(
            connection,
            campaign_id=campaign.id,
            line=line,
            recipient=row.recipient,
            variables=dump_json(dict(row.variables)),
        )
    running = replace(known or campaign, state="running")
    budgets.reserve_within(connection, bound, campaign.id, _cost_left(connection, running))
    SET_STATE.run(connection, id=campaign.id, state="running", reason=None)
    timers.cancel(connection, RELEASE, campaign.id)
    timers.put(connection, KIND, campaign.id, datetime.now(UTC), {"campaign": campaign.id})
    return len(new)


def get(connection: Connection, campaign_id: str) -> Campaign | None:
    """A campaign; None when there is none of that id."""
    row = GET.first(connection, id=campaign_id)
    if row is None:
        return None
    fields = [*row[:-1], bool(row[-1])]
    return Campaign(*fields)


def known_recipients(connection: Connection, campaign_id: str) -> set[str]:
    """The people that a campaign has."""
    return {recipient for (recipient,) in KNOWN.rows(connection, id=campaign_id)}


def report(connection: Connection, campaign_id: str) -> CampaignReport | None:
    """How far a campaign is; None when there is none of that id."""
    campaign = get(connection, campaign_id)
    if campaign is None:
        return None
    rows = dict(BY_STATE.rows(connection, id=campaign_id))
    statuses: dict[str, int] = {}
    codes: dict[str, int] = {}
    for status, code, count in BY_STATUS.rows(connection, id=campaign_id):
        statuses[status] = statuses.get(status, 0) + count
        if code is not None:
            codes[code] = codes.get(code, 0) + count
    client = client_of_bot(connection, campaign.bot_id) or campaign.bot_id
    return CampaignReport(campaign, rows, statuses, codes, client)


def list_campaigns(connection: Connection, *, client: str | None = None, limit: int = 100) -> list[CampaignReport]:
    """The newest campaigns, of a client or of all, newest first."""
    ids = [row[0] for row in LISTED.rows(connection, client=client or "", limit=limit)]
    return [found for id_ in ids if (found := report(connection, id_)) is not None]


def next_row(connection: Connection, campaign_id: str) -> TakenRow | None:
    """The next person of a campaign: with the message, where a process that crashed had written it. None when every
    person is done."""
    found = NEXT.first(connection, id=campaign_id)
    if found is None:
        return None
    line, recipient, variables, state, outbox_id = found
    row = ROW.first(connection, id=outbox_id) if state == "sending" else None
    values: dict[str, str] = json.loads(variables)
    return TakenRow(line, values, recipient, None if row is None else outbox.row_of(*row))


def take(connection: Connection, campaign_id: str, line: int, message: OutboundMessage) -> OutboxRow | None:
    """Writes the message of a person who waits; None for one who is left out, which is recorded with the reason."""
    try:
        row, _ = outbox.add_proactive(connection, message)
    except (OptedOut, NumberNeeded, PersonBlocked) as error:
        reason = _LEFT_OUT[type(error)]
        TAKE.run(connection, id=campaign_id, line=line, state="skipped", reason=reason, outbox_id=None)
        return None
    OWN.run(connection, id=campaign_id, row_id=row.id)
    if not TAKE.run(connection, id=campaign_id, line=line, state="sending", reason=None, outbox_id=row.id):
        raise SendTakenOver(f"Row {line} of the campaign {campaign_id} was taken by another process.")
    return row


def settle(connection: Connection, campaign_id: str, line: int, state: str, reason: str | None) -> None:
    """Records the outcome of a person's message: `sent` or `failed`."""
    SETTLE.run(connection, id=campaign_id, line=line, state=state, reason=reason)


def settle_sent(
    connection: Connection, campaign_id: str, line: int, conversation_id: int | None, item: tuple[str, int]
) -> None:
    """Records that a person has it, which their conversation remembers."""
    if SETTLE.run(connection, id=campaign_id, line=line, state="sent", reason=None) and conversation_id is not None:
        turns.remember(connection, conversation_id, [item])


def set_state(connection: Connection, campaign_id: str, state: CampaignState, reason: str | None) -> None:
    """Stops a campaign, ends it, or records why it waits."""
    SET_STATE.run(connection, id=campaign_id, state=state, reason=reason)
    reserve_again(connection, campaign_id)
    if state != "running":
        due = datetime.now(UTC) + timedelta(seconds=SETTLE_SECONDS)
        timers.put(connection, RELEASE, campaign_id, due, {})


def reserve_again(connection: Connection, campaign_id: str) -> None:
    """Reserves what a campaign is yet to cost: people who wait while it runs, and messages that may yet arrive."""
    campaign = get(connection, campaign_id)
    if campaign is not None:
        client = client_of_bot(connection, campaign.bot_id) or campaign.bot_id
        budgets.reserve(connection, client, campaign_id, _cost_left(connection, campaign))


def release(connection: Connection, campaign_id: str) -> None:
    """Reserves nothing for a campaign that has ended; what arrives later is in the ledger by then, or never."""
    campaign = get(connection, campaign_id)
    if campaign is not None and campaign.state != "running":
        client = client_of_bot(connection, campaign.bot_id) or campaign.bot_id
        budgets.reserve(connection, client, campaign_id, 0)


def cost_left(connection: Connection, campaign_id: str) -> int:
    """What a campaign is yet to cost where it is continued, in 10⁻⁹ USD; 0 for none of that id."""
    campaign = get(connection, campaign_id)
    return 0 if campaign is None else _cost_left(connection, replace(campaign, state="running"))


def _cost_left(connection: Connection, campaign: Campaign) -> int:
    (waiting,) = WAITING.one(connection, id=campaign.id) if campaign.state == "running" else (0,)
    (sent,) = UNCHARGED.one(connection, id=campaign.id, since=later(timestamp(), -SETTLE_SECONDS))
    return campaign.unit_cost * int(waiting + sent)


def stop(connection: Connection, campaign_id: str, reason: str) -> Campaign | None:
    """Stops a campaign, which the next put of it continues; None when there is none of that id."""
    campaign = get(connection, campaign_id)
    if campaign is not None and campaign.state == "running":
        set_state(connection, campaign_id, "stopped", reason)
        timers.cancel(connection, KIND, campaign_id)
    return get(connection, campaign_id)


def put_by(
    connection: Connection, actor: Actor, campaign: Campaign, rows: Sequence[CampaignRow], bound: ListBound
) -> int:
    """As `put`, recorded in the audit."""
    new = put(connection, campaign, rows, bound)
    client = client_of_bot(connection, campaign.bot_id)
    record(connection, actor, Entry("sent", "campaign", campaign.id, client, fields=[f"{new} people"]))
    return new


def stop_by(connection: Connection, actor: Actor, campaign_id: str) -> None:
    """As `stop`, recorded in the audit."""
    campaign = stop(connection, campaign_id, f"Stopped by {actor.name}.")
    if campaign is not None:
        client = client_of_bot(connection, campaign.bot_id)
        record(connection, actor, Entry("stopped", "campaign", campaign_id, client))


def reached(connection: Connection, bot_id: str | None, recipient: str) -> tuple[int, bool]:
    """How many people a bot has written to of itself within a day, and whether this one is among them."""
    since = later(timestamp(), -DAY_SECONDS)
    people, is_among = REACHED.one(connection, bot_id=bot_id, recipient=recipient, since=since)
    return int(people), bool(is_among)
