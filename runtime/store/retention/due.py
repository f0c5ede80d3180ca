"""From when on what a client has of people is over, by the block `data.retention` of its policy. Pure.

messages of a month that is over      are deleted, once the month is rolled up
messages of a month that is not       are emptied: who wrote, and what, is deleted; the rest is for the month's report
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from runtime.store.usage.traffic import month_span, zone_of
from schemas.data_policy import MESSAGES_SECONDS, USAGE_SECONDS, Retention, seconds_of
from schemas.policy_document import read_document

NEVER = ""
"""Before every timestamp: nothing is over."""
SETTLING = timedelta(days=1)
"""How long after a month its report is not settled yet: a message's delivery is reported late."""


class Due(NamedTuple):
    """What of a bot's rows is over. Texts of `timestamp`, NEVER where that is not declared."""

    bot_id: str
    client: str
    """The label under which its ledger is kept."""
    zone: str
    retention: Retention
    before: str
    """Messages until then."""
    dropped_before: str
    """Dead letters that were dropped, until then."""
    transcripts_before: str
    usage_before: str
    """Months of the ledger before this one, as `2026-11`."""
    closed_before: str
    """Months until then are over, so that their messages can be deleted."""

    @property
    def deleted_before(self) -> str:
        """Messages until then are deleted; later ones that are over are emptied."""
        return min(self.before, self.closed_before)

    @property
    def dropped_deleted_before(self) -> str:
        """Of dropped dead letters, likewise."""
        return min(self.dropped_before, self.closed_before)

    @property
    def has_messages(self) -> bool:
        """Whether messages or dead letters are ever over."""
        return self.before != NEVER or self.dropped_before != NEVER


def due_of(bot: BotRecord, now: datetime, default_zone: str) -> Due | None:
    """What is over of a bot; None where nothing is declared that this is about."""
    data = read_document(bot.policy).policy.data
    retention = data.retention if data is not None else None
    if retention is None or retention == Retention(media=retention.media):
        return None
    zone = zone_of([bot]) or default_zone
    before = _before(retention.messages, now, MESSAGES_SECONDS)
    return Due(
        bot.id,
        bot.label,
        zone,
        retention,
        before,
        _before(retention.dead_letters, now, MESSAGES_SECONDS) if retention.dead_letters else before,
        _before(retention.transcripts, now),
        _before(retention.usage, now, USAGE_SECONDS)[:7],
        timestamp((closed_until(now, ZoneInfo(zone)) - timedelta(milliseconds=1)).timestamp()),
    )


def closed_until(now: datetime, zone: ZoneInfo) -> datetime:
    """When the oldest month began that is not over for SETTLING, in the zone or in UTC."""
    settled = now - SETTLING
    local, utc = settled.astimezone(zone), settled.astimezone(UTC)
    spans = [month_span(one.year, one.month, zone) for one in (local, utc)]
    return min(min(span.begins, span.utc_begins) for span in spans)


def _before(declared: str | None, now: datetime, shortest: int = 0) -> str:
    if declared is None:
        return NEVER
    return timestamp((now - timedelta(seconds=max(seconds_of(declared), shortest))).timestamp())
