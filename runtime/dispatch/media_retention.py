"""Deletes Twilio's copies of users' files when `data.retention.media` of their client says so. There are no others.

    timer, every minute ──► each bot that declares it ──► messages that are due ──► a timer each
                                                                                        │
                        the message says when ◄── deleted at Twilio ◄───────────────────┤
                                                                                        ▼
                                                  not deletable yet (20009), or no answer: again after a pause

What is declared when a timer runs is what counts: a longer retention, or none, keeps a file that is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from runtime.catalog import Catalog
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import PermanentError, ProviderError
from runtime.resilience.backoff import spread
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import media_retention
from runtime.store.messages.media_retention import KeptFiles
from runtime.store.timers import Timer
from runtime.twilio.accounts import AccountError, Accounts
from runtime.twilio.client import Twilio
from schemas.data_policy import MediaRetention, seconds_of
from schemas.policy_document import read_document

KIND: Final = "media_retention"
KEY: Final = "all"
RUN_SECONDS: Final = 60.0
"""Interval of looking for messages that are due."""
AT_ONCE: Final = 200
"""Messages of a bot for which one run puts timers."""
USED_SECONDS: Final = 60.0
"""Age of a message whose files are deleted once they were used: before that Twilio refuses to (20009)."""
PAUSES: Final = (60.0, 300.0, 1800.0, 7200.0, 21_600.0, 86_400.0)
"""Seconds until the next attempt, the last one again and again. Twilio on 20009: wait a minute; rarely 14 days."""
NOT_YET: Final = "20009"
"""Twilio's code for a resource that cannot be deleted yet."""
LATE_SECONDS: Final = 15 * 86_400.0
"""How long after its first attempt a file that is still there is reported as an error."""

log = structlog.get_logger("runtime.retention")


@dataclass(frozen=True, slots=True)
class MediaRetentions:
    """The handler of both timers."""

    database: Database
    catalog: Catalog
    accounts: Accounts
    twilio: Twilio
    timers: Timers

    async def begin(self) -> None:
        """Looks for what is due now and every RUN_SECONDS, in any process."""
        self.timers.register(KIND, self.look)
        self.timers.register(media_retention.KIND, self.delete)
        await self.timers.put(KIND, KEY, datetime.now(UTC))

    async def look(self, _timer: Timer) -> RunAgain:
        """Puts timers for messages that are due."""
        for bot in await self.database.read(store.bots_with, "retention"):
            data = read_document(bot.policy).policy.data
            if data is None or data.retention is None or data.retention.media is None:
                continue
            kept, now = data.retention.media, time.time()
            put = await self.database.write(
                media_retention.put_due_timers,
                bot.id,
                timestamp(now - _seconds(kept)),
                also_open=kept != 0,
                limit=AT_ONCE,
            )
            if put:
                log.info("media_due", client=bot.label, messages=put, retention=kept)
                self.timers.wake()
        return RunAgain(RUN_SECONDS)

    async def delete(self, timer: Timer) -> RunAgain | None:
        """Deletes the files of one message, where that is still declared."""
        inbox_id = int(timer.key)
        files = await self.database.read(media_retention.kept_files, inbox_id)
        configuration = await self.catalog.configuration(files.bot_id) if files is not None else None
        data = configuration.policy.data if configuration is not None else None
        kept = data.retention.media if data is not None and data.retention is not None else None
        if files is None or configuration is None or kept is None or not _is_due(files, kept):
            return None
        try:
            account = self.accounts.account_with(files.account_sid, configuration.bot)
            await self.twilio.delete_media(account, files.message_sid)
        except (AccountError, ProviderError) as error:
            tell, later = report_of(timer, error), again(timer)
            facts = {"client": configuration.bot.label, "message": inbox_id, "seconds": round(later.seconds)}
            tell("media_not_deleted", error=str(error), **facts)
            return later
        await self.database.write(media_retention.mark_deleted, inbox_id)
        log.info("media_deleted", client=configuration.bot.label, message=inbox_id, retention=kept)
        return None


def _seconds(kept: MediaRetention) -> float:
    return USED_SECONDS if kept == 0 else seconds_of(kept)


def _is_due(files: KeptFiles, kept: MediaRetention) -> bool:
    if kept == 0 and files.is_open:
        return False
    return files.received_at <= timestamp(time.time() - _seconds(kept))


def again(timer: Timer) -> RunAgain:
    """The next attempt at a deletion at Twilio."""
    attempts = int(timer.payload.get("attempts", 0))
    pause = PAUSES[min(attempts, len(PAUSES) - 1)] * spread()
    return RunAgain(pause, {"attempts": attempts + 1, "began": _began(timer)})


def report_of(timer: Timer, error: AccountError | ProviderError) -> Callable[..., object]:
    """How a failed deletion is logged. What does not depend on time alone, or takes too long, is an error."""
    is_late = time.time() - _began(timer) > LATE_SECONDS
    is_wrong = isinstance(error, (AccountError, PermanentError)) and getattr(error, "code", None) != NOT_YET
    method: Callable[..., object] = log.error if is_late or is_wrong else log.warning
    return method


def _began(timer: Timer) -> float:
    return float(timer.payload.get("began", time.time()))
