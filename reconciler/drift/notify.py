"""Sends what is new to every channel, and records it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from notifications.channels import channel_of, is_understood, send, shown
from reconciler.drift.alarm import News, body, fingerprint_of, news, title
from reconciler.drift.model_ends import ClientModelEnd
from reconciler.errors import InvalidSetting, ReconcileError
from reconciler.model import Plan
from reconciler.settings import Settings
from runtime.store.client.history import read_notices
from runtime.store.client.writer import StoreWriter, open_writer
from runtime.store.errors import StoreError
from runtime.store.history_records import NoticeRecord

CLAIM_SECONDS = 300
"""How long a finding that is being sent is left to its run; after a crash the next run sends it then."""


def check_channels(urls: Sequence[str]) -> None:
    """Raises `InvalidSetting` for an address that Apprise does not understand, before anything else is done."""
    for number, url in enumerate(urls, start=1):
        if not is_understood(url):
            raise InvalidSetting(
                f"Notification address {number} ({shown(url)}) is not one that Apprise understands; its list "
                "of services shows how each is written: https://github.com/caronc/apprise/wiki."
            )


def notify(
    plan: Plan,
    ends: Sequence[ClientModelEnd],
    urls: Sequence[str],
    only: Collection[str],
    settings: Settings,
) -> list[str]:
    """Notify each channel of what is new to it, and record it. Returns the errors, in sentences.

    A message that was not accepted is not recorded, so the next run sends it again.
    """
    try:
        sent = read_notices(settings.bot_store_url, settings.api_token)
        by_channel = [(url, [note for note in sent if note.channel == channel_of(url)]) for url in urls]
        pending = [(url, news(plan, notices, only, ends)) for url, notices in by_channel]
        if not any(fresh for _, fresh in pending):
            return []
        with closing(open_writer(settings.bot_store_url, settings.api_token)) as store:
            return list(_deliver([(url, fresh) for url, fresh in pending if fresh], plan, store))
    except StoreError as error:
        raise ReconcileError(f"The notifications cannot be recorded, so they may be sent again. {error}") from error


def _deliver(pending: Sequence[tuple[str, News]], plan: Plan, store: StoreWriter) -> Iterator[str]:
    owner = uuid.uuid4().hex
    for url, found in pending:
        fresh = _claimed(found, channel_of(url), owner, store)
        if not fresh:
            continue
        refused = _send(url, fresh, plan)
        if refused is not None:
            for name in (*fresh.new, *fresh.resolved, *(one.finding for one in fresh.ends)):
                store.release_claim(channel_of(url), name, owner)
            yield f"{shown(url)} did not accept the notification{refused}; the next `reconcile drift` sends it again."
            continue
        now = datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for name, change in fresh.new.items():
            store.put_notice(NoticeRecord(channel_of(url), name, fingerprint_of(change), now))
        for one in fresh.ends:
            store.put_notice(NoticeRecord(channel_of(url), one.finding, one.fingerprint, now))
        for name in fresh.resolved:
            store.forget_notice(channel_of(url), name)


def _claimed(found: News, channel: str, owner: str, store: StoreWriter) -> News:
    """What no other run sends to the channel meanwhile, nor has sent."""

    def claimed(name: str, fingerprint: str | None) -> bool:
        return store.claim_notice(channel, name, fingerprint, owner, CLAIM_SECONDS)

    return News(
        new={name: change for name, change in found.new.items() if claimed(name, fingerprint_of(change))},
        resolved=[name for name in found.resolved if claimed(name, None)],
        ends=[one for one in found.ends if claimed(one.finding, one.fingerprint)],
    )


def _send(url: str, fresh: News, plan: Plan) -> str | None:
    """None when the message was accepted; otherwise the reason, as far as it may be shown."""
    return send(url, title(fresh), body(fresh, plan), "warning" if fresh.new or fresh.ends else "success")
