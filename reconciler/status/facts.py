"""The facts about each client, in one row. Pure: everything was read before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.kinds.assistant.models import model_end
from reconciler.kinds.knowledge.live import searched
from reconciler.kinds.sender.desired import our_webhook
from reconciler.kinds.sender.live import called_by
from reconciler.manifest import Fleet, Manifest
from reconciler.model import Plan
from reconciler.observation.accounts import account_of
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store
from reconciler.planning.event_streams import stream_states
from reconciler.readers.openai import FileCounts, VectorStore
from reconciler.readers.twilio import LiveSender
from reconciler.settings import Settings
from reconciler.status.attention import attention
from reconciler.status.budget import budget_status
from reconciler.status.canary import canary_status
from reconciler.status.row import Answers, ClientStatus
from runtime.store.activity_records import LOOP_PAUSE_SECONDS, ActivityRecord, CanaryRecord, SpentRecord
from runtime.store.database.times import later
from runtime.store.records import BotRecord

_DELIVERIES: Mapping[str, Answers] = {"delivered": "delivered", "sent": "sent", "undelivered": "undelivered"}


def statuses(
    fleet: Fleet,
    live_state: LiveState,
    store: Store,
    plan: Plan,
    activity: Iterable[ActivityRecord],
    spent: Iterable[SpentRecord],
    canaries: Iterable[CanaryRecord],
    missing: Mapping[str, Mapping[str, str]] | None,
    settings: Settings,
) -> list[ClientStatus]:
    """A row for each client, in the order of the fleet. `missing`: the secrets that are not set where the runtime runs,
    by client; None when that is not known."""
    heard = {item.bot_id: item for item in activity}
    amounts = {item.client: item for item in spent}
    noted = {item.bot_id: item for item in canaries}
    streams = dict(stream_states(fleet.clients, live_state, settings))
    found = []
    for manifest in fleet.clients:
        row = _status(manifest, live_state, store, plan, heard, settings)
        row = replace(row, budget=budget_status(fleet, manifest, amounts.get(row.client)))
        bot = bot_of(manifest, store)
        row = replace(row, canary=canary_status(manifest, bot, noted.get(bot.id) if bot else None))
        row = replace(row, template_events=streams.get(account_of(manifest, settings)))
        row = replace(row, missing_secrets=None if missing is None else missing.get(row.client, {}))
        own = [finding for finding in plan.findings if finding.client == row.client]
        found.append(replace(row, attention=tuple(attention(row, own))))
    return found


def answers(used: ActivityRecord | None) -> Answers | None:
    """The outcome of a bot's last answer: what happened to its customer, not what is declared."""
    if used is None or used.last_turn in (None, "unanswered"):
        return "none"
    if used.last_turn in ("running", "retried"):
        return "pending"
    if used.last_turn in ("dead", "dropped"):
        return "failed"
    if used.last_undelivered is not None:
        return "undelivered"
    return _DELIVERIES.get(used.last_delivery or "")


def sender_of(manifest: Manifest, live_state: LiveState, settings: Settings) -> LiveSender | Failed | None:
    """The sender of a client's number; None when it is not registered."""
    senders = live_state.senders[account_of(manifest, settings)]
    return senders.by_number.get(manifest.client.number) if isinstance(senders, AccountSenders) else senders


def bot_of(manifest: Manifest, store: Store) -> BotRecord | None:
    """The client's own bot, or the one created by hand for its number; never another client's."""
    own = store.bots_by_client.get(manifest.client.id)
    holder = store.bots_by_number.get(manifest.client.number)
    return own or (holder if holder is not None and holder.client is None else None)


def days_left(model: str, live_state: LiveState) -> int | None:
    """Days until a model is shut down; None when no date is known."""
    end = model_end(model, live_state)
    return None if end is None else end.days


def _status(
    manifest: Manifest,
    live_state: LiveState,
    store: Store,
    plan: Plan,
    heard: Mapping[str, ActivityRecord],
    settings: Settings,
) -> ClientStatus:
    client = manifest.client
    live = sender_of(manifest, live_state, settings)
    sender = live if isinstance(live, LiveSender) else None
    bot = bot_of(manifest, store)
    used = heard.get(bot.id) if bot else None
    counts = documents_of(manifest, live_state, store)
    applied = [record.applied_at for (owner, _), record in store.applied.items() if owner == client.id]
    return ClientStatus(
        client=client.id,
        name=client.name,
        state=client.state,
        number=client.number,
        sender_status=sender.status if sender else None,
        is_sender_read=not isinstance(live, Failed),
        quality_rating=sender.quality_rating if sender else None,
        messaging_limit=sender.messaging_limit if sender else None,
        webhook=_webhook(sender, settings) if sender else None,
        assistant_id=bot.assistant_id if bot else None,
        engine=client.assistant.engine,
        model=client.assistant.model,
        model_days_left=days_left(client.assistant.model, live_state),
        knowledge_files=counts.completed if counts else None,
        knowledge_in_progress=counts.in_progress if counts else None,
        knowledge_failed=counts.failed if counts else None,
        bot_id=bot.id if bot else None,
        bot_state=bot.state if bot else None,
        answers=answers(used),
        last_message_at=used.last_message_at if used else None,
        last_turn=used.last_turn if used else None,
        last_error=used.last_error if used else None,
        last_undelivered=used.last_undelivered if used else None,
        undelivered=used.undelivered if used else {},
        missing_secrets=None,
        budget=None,
        loops=used.loops if used else 0,
        loops_until=later(used.loops_since, LOOP_PAUSE_SECONDS) if used and used.loops_since else None,
        last_applied_at=max(applied, default=None),
        requests=used.requests if used else 0,
        request_due_at=used.request_due_at if used else None,
        blocked=used.blocked if used else 0,
        erasures=used.erasures if used else 0,
        sync=sync_of(client.id, plan),
        problems=[finding.message for finding in plan.findings if finding.client == client.id],
    )


def documents_of(manifest: Manifest, live_state: LiveState, store: Store) -> FileCounts | None:
    """How many documents are searched; None when the vector store does not exist or could not be read."""
    if manifest.search is None:
        return FileCounts(0, 0, 0, 0)
    live = searched(manifest, live_state, store)
    return live.counts if isinstance(live, VectorStore) else None


def _webhook(sender: LiveSender, settings: Settings) -> str:
    calls = called_by(sender)
    return "ours" if calls == our_webhook(settings) else calls


def sync_of(client: str, plan: Plan) -> str:
    """How a client stands, as `ClientStatus.sync` names it."""
    if client in plan.unresolved:
        return "unresolved"
    if any(finding.severity == "error" and finding.client == client for finding in plan.findings):
        return "error"
    if any(change.client == client for change in plan.changes):
        return "differs"
    if client in plan.withheld:
        return "withheld"
    return "made by hand" if any(change.client == client for change in plan.adoptions) else "in sync"
