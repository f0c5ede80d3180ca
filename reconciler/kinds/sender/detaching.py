"""Detaching a formerly managed sender: its webhook is cleared, unless it was changed to another address meanwhile."""

from __future__ import annotations

from dataclasses import replace

from reconciler.kinds.changes import removal
from reconciler.kinds.client_plan import ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.sender.desired import our_webhook
from reconciler.kinds.sender.live import called_by, whole
from reconciler.model import Change, Finding
from reconciler.observation.accounts import account_of_bot
from reconciler.observation.live_state import Failed
from reconciler.readers.twilio import LiveSender
from schemas.overrides import without_overrides


def detach(context: ClientContext, sid: str) -> ClientPlan:
    """Detaches it in the declared account or in the one that the client's bot is still in."""
    findings: list[Finding] = []
    for account in dict.fromkeys((context.account, account_of_bot(context.bot, context.settings))):
        senders = context.live_state.senders.get(account)
        if isinstance(senders, Failed):
            message = f"its former sender {sid} may still call the runtime, and cannot be detached: {senders.message}"
            findings.append(Finding("warning", message, context.id, "sender"))
        elif senders is not None and sid in senders.by_sid:
            changes = [replace(change, account=account) for change in _removal(context, senders.by_sid[sid])]
            return ClientPlan(changes=changes, findings=findings)
    return ClientPlan(findings=findings)


def _removal(context: ClientContext, live: LiveSender) -> list[Change]:
    """The change; None where the sender serves another bot now, or calls another address."""
    if _serves_another(live, context):
        return []
    if context.delete_sender and context.client.is_leaving and context.applied("sender") is not None:
        return [removal(context, "sender", live.number, live.sid, "delete", whole(live, {}))]
    if _is_ours(called_by(live), context):
        return [removal(context, "sender", live.number, live.sid, "detach", whole(live, {}))]
    return []


def _serves_another(live: LiveSender, context: ClientContext) -> bool:
    """Whether the sender's number routes to another client's bot, now or after this plan: its webhook is then that
    client's, with the same URL."""
    holder = context.store.bots_by_number.get(live.number)
    if holder is not None and holder.client != context.id:
        return True
    return any(number == live.number and client != context.id for client, number in context.numbers.items())


def _is_ours(url: str, context: ClientContext) -> bool:
    """Whether a callback URL is one of ours: by the current settings, or by the last apply."""
    applied = context.applied("sender")
    ours = {our_webhook(context.settings)} if context.settings.public_url else set()
    if applied is not None:
        ours.add(without_overrides(applied.values.get("webhook", {}).get("callback_url", "")))
    return bool(url) and url in ours
