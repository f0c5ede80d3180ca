"""Sends what is new to every channel, by Apprise: e-mail, Slack, Telegram and its other services.

A channel's address holds its secret, so no sentence here shows more of it than its scheme.
"""

from __future__ import annotations

import re
import uuid
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.drift.alarm import News, body, channel_of, fingerprint_of, news, title
from reconciler.errors import InvalidSetting, ReconcileError
from reconciler.model import Plan
from reconciler.settings import Settings
from runtime.store.client.history import read_notices
from runtime.store.client.writer import StoreWriter, open_writer
from runtime.store.errors import StoreError
from runtime.store.records import NoticeRecord

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT_SECONDS = 30
"""Time limit of one message on one channel."""
CLAIM_SECONDS = 300
"""How long a finding that is being sent is left to its run; after a crash the next run sends it then."""
SECRET_CHARACTERS = 8
"""A word of an address with this length may be its secret; a message of Apprise that contains one is not repeated."""


def check_channels(urls: Sequence[str]) -> None:
    """Raises `InvalidSetting` for an address that Apprise does not understand, before anything else is done."""
    for number, url in enumerate(urls, start=1):
        if not _channel(url):
            raise InvalidSetting(
                f"Notification address {number} ({_shown(url)}) is not one that Apprise understands; its list "
                "of services shows how each is written: https://github.com/caronc/apprise/wiki."
            )


def notify(plan: Plan, urls: Sequence[str], only: Collection[str], settings: Settings) -> list[str]:
    """Notify each channel of what is new to it, and record it. Returns the errors, in sentences.

    A message that was not accepted is not recorded, so the next run sends it again.
    """
    try:
        sent = read_notices(settings.bot_store_url, settings.api_token)
        pending = [(url, news(plan, [note for note in sent if note.channel == channel_of(url)], only)) for url in urls]
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
            for name in (*fresh.new, *fresh.resolved):
                store.release_claim(channel_of(url), name, owner)
            yield f"{_shown(url)} did not accept the notification{refused}; the next `reconcile drift` sends it again."
            continue
        now = datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for name, change in fresh.new.items():
            store.put_notice(NoticeRecord(channel_of(url), name, fingerprint_of(change), now))
        for name in fresh.resolved:
            store.forget_notice(channel_of(url), name)


def _claimed(found: News, channel: str, owner: str, store: StoreWriter) -> News:
    """What no other run sends to the channel meanwhile, nor has sent."""

    def claimed(name: str, fingerprint: str | None) -> bool:
        return store.claim_notice(channel, name, fingerprint, owner, CLAIM_SECONDS)

    return News(
        new={name: change for name, change in found.new.items() if claimed(name, fingerprint_of(change))},
        resolved=[name for name in found.resolved if claimed(name, None)],
    )


def _send(url: str, fresh: News, plan: Plan) -> str | None:
    """None when the message was accepted; otherwise the reason, as far as it may be shown."""
    from apprise import NotifyFormat, NotifyType

    kind = NotifyType.WARNING if fresh.new else NotifyType.SUCCESS
    result = _channel(url).notify(
        title=title(fresh),
        body=body(fresh, plan),
        notify_type=kind,
        body_format=NotifyFormat.TEXT,
        timeout=TIMEOUT_SECONDS,
    )
    if result:
        return None
    said = [str(entry.message) for entry in result.logs()]
    secrets = [part for part in re.split(r"\W+", url.partition("://")[2]) if len(part) >= SECRET_CHARACTERS]
    harmless = [sentence.rstrip(".") for sentence in said if not any(secret in sentence for secret in secrets)]
    return f": {'; '.join(harmless)}" if harmless else ""


def _channel(url: str) -> Apprise:
    """The channel at an address; empty, and so false, when Apprise does not understand it."""
    with warnings.catch_warnings():
        # Apprise loads every service it knows, and one of them still imports the module imghdr.
        warnings.filterwarnings("ignore", message=".*imghdr.*", category=DeprecationWarning)
        from apprise import Apprise

        channel = Apprise()
        channel.add(url)
    return channel


def _shown(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://…" if separator else "without a scheme"
