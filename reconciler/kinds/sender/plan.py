"""The changes that make a client's sender as declared, and detach the one that it had before."""

from __future__ import annotations

from reconciler.kinds.changes import adoption, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan, joined
from reconciler.kinds.context import ClientContext
from reconciler.kinds.diff import field_changes
from reconciler.kinds.sender.detaching import detach
from reconciler.kinds.sender.display_name import name_findings
from reconciler.kinds.sender.live import declared_part, online, senders_of, whole
from reconciler.kinds.sender.services import service_findings
from reconciler.model import Change, FieldChange, Values
from reconciler.readers.twilio import LiveSender
from schemas.overrides import without_overrides


def plan(context: ClientContext) -> ClientPlan:
    """The changes of one client's sender. Raises `Withheld`."""
    live = online(context)
    return joined([_plan_own(context, live), _detach_former(context, live.sid), _known(context, live)])


def plan_absent(context: ClientContext) -> ClientPlan:
    """Detaches the sender of a client with `state: absent`, or deletes it with --delete-senders."""
    applied = context.applied("sender")
    if applied is not None:
        return detach(context, applied.live_id)
    if context.bot is None:
        return NOTHING
    # An interrupted run may have attached it without recording that.
    live = senders_of(context).by_number.get(context.bot.twilio_phone_number)
    return detach(context, live.sid) if isinstance(live, LiveSender) else NOTHING


def has_every_url(change: Change) -> bool:
    """Whether a live sender has all of our URLs: by hand, usually only one is set."""
    if change.live_id is None:
        return False
    live, ours = ((values or {}).get("webhook", {}) for values in (change.before, change.after))
    return bool(ours) and all(live.get(name) == url for name, url in ours.items() if name.endswith("_url"))


def _plan_own(context: ClientContext, live: LiveSender) -> ClientPlan:
    number, after = context.manifest.client.number, context.desired("sender")
    applied = context.applied("sender")
    seen = declared_part(live, after, applied.values if applied else None)
    if context.is_adopted and applied is None and _lacks_only_later_urls(seen, after):
        return ClientPlan(adoptions=(adoption(context, "sender", number, live.sid, seen, after, whole(live, after)),))
    return update(context, "sender", number, live.sid, seen, after, whole(live, after))


def _known(context: ClientContext, live: LiveSender) -> ClientPlan:
    """What is to be known of the sender and is not changed: its declared display name, and who takes its messages."""
    found = [*service_findings(context, live)]
    declared = context.desired("sender").get("profile", {}).get("name")
    if declared is not None:
        applied = context.applied("sender")
        found += name_findings(context.id, live.profile or {}, declared, applied.values if applied else None)
    return ClientPlan(findings=found) if found else NOTHING


def _detach_former(context: ClientContext, sid: str) -> ClientPlan:
    """After a client has moved to another number or account, its former sender must no longer call the runtime."""
    applied = context.applied("sender")
    return NOTHING if applied is None or applied.live_id == sid else detach(context, applied.live_id)


def _lacks_only_later_urls(seen: Values, declared: Values) -> bool:
    """Whether a sender set up by hand calls the runtime and lacks only what a console's form leaves empty: the other
    URLs, and connection overrides."""
    return all(_is_later(change) for change in field_changes(seen, declared))


def _is_later(change: FieldChange) -> bool:
    if change.path not in ("webhook.callback_url", "webhook.fallback_url", "webhook.status_callback_url"):
        return False
    if not change.old:
        return change.path != "webhook.callback_url"
    return without_overrides(change.old) == without_overrides(change.new)
