"""Counts what a status of a message has shown, wherever it was read: in a callback, or in Twilio's list."""

from __future__ import annotations

from runtime.catalog import Catalog
from runtime.dispatch.timers import Timers
from runtime.observability.metrics import Metrics
from runtime.store.delivery_errors import NO_CODE, OUTSIDE
from runtime.store.messages.postponed_sends import StatusNote
from runtime.store.records import BotRecord


def count_status(note: StatusNote, client: str, code: str, metrics: Metrics, timers: Timers) -> None:
    """Counts what it cost and that the message failed, and wakes the timer of one that is sent again. `code`: Twilio's,
    empty without an error."""
    metrics.charged(client, note.charged)
    if note.failure == "for good":
        metrics.undelivered(client, code or NO_CODE)
    elif note.failure is not None:
        metrics.sent_again(client, code)
        timers.wake()


async def waits_seconds(catalog: Catalog, bot: BotRecord | None, code: str) -> float | None:
    """How long a message that failed with this code waits for its person, where WhatsApp found that it came too late;
    None where it does not wait."""
    if bot is None or code not in OUTSIDE:
        return None
    configuration = await catalog.configuration(bot.id)
    return configuration.waits_seconds if configuration is not None else None
