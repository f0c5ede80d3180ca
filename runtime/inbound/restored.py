"""Settles a store that was restored from a backup with Twilio, so that no user is answered a second time.

    in the store, unanswered ──► Twilio has sent something to that user since ──► closed
    not in the store         ──► Twilio has sent something to that user since ──► stored as answered
                             └─► otherwise: left to the sweep, which has it answered

Before the store is served, and while nothing serves it. What was said after the backup is missing in the conversations'
memory all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from runtime.errors import OperatorError, ProviderError
from runtime.inbound.missed_messages import LIMIT, Sweep
from runtime.store import catalog as store
from runtime.store.messages import inbox as inbox_store
from runtime.store.messages import restored
from runtime.store.messages.restored import OpenMessage
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Account, AccountError
from runtime.twilio.client import ReceivedMessage
from schemas.addresses import whatsapp_address

MARGIN = timedelta(minutes=2)
"""How far our clock and Twilio's may differ."""

log = structlog.get_logger("runtime.restored")

LastSent = Mapping[tuple[str, str], datetime]
"""(a bot's address, a user's address) → when Twilio was last given a message from one to the other."""


class NotSettled(OperatorError):
    """Twilio could not be asked, so it is not known who was answered."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found."""

    closed: int = 0
    """Messages that the store took for unanswered."""
    stored: int = 0
    """Messages that the store did not have, and that were answered."""
    waiting: int = 0
    """Messages that the store takes for unanswered, rightly: they are answered when it is served."""

    def __add__(self, other: Settled) -> Settled:
        return Settled(self.closed + other.closed, self.stored + other.stored, self.waiting + other.waiting)


@dataclass(frozen=True, slots=True)
class Restored:
    """Settles a restored store."""

    sweep: Sweep
    """How messages that are not in the store are found."""

    async def settle(self) -> Settled:
        """Settles every account; raises NotSettled when Twilio cannot be asked. It may be repeated then, and later."""
        database = self.sweep.database
        bots = await database.read(store.bot_of_each_account)
        waiting = await database.read(restored.open_messages)
        unsent = await database.read(restored.oldest_unsent)
        now = datetime.now(UTC)
        moments = [moment for moment in (*(each.received_at for each in waiting[:1]), unsent) if moment is not None]
        since = min([now - self.sweep.window, *map(datetime.fromisoformat, moments)]) - MARGIN
        done = Settled()
        for bot in bots:
            try:
                done += await self._account(bot, waiting, since)
            except (AccountError, ProviderError) as error:
                raise NotSettled(
                    f"The Twilio account {bot.account_sid or '(shared)'} was not settled: {error} Do not serve this "
                    "store yet; repeat the command."
                ) from error
        return done

    async def _account(self, bot: BotRecord, waiting: list[OpenMessage], since: datetime) -> Settled:
        account = self.sweep.accounts.account_of(bot)
        last = await self.sweep.twilio.last_sent(account, since)
        mine = [each for each in waiting if each.account_sid == account.sid]
        answered = [each.inbox_id for each in mine if _is_answered(each, last)]
        await self.sweep.database.write(restored.settle, answered)
        stored = await self._store(account, last, since)
        log.info("restored_account_settled", account=account.sid, closed=len(answered), stored=stored)
        return Settled(len(answered), stored, len(mine) - len(answered))

    async def _store(self, account: Account, last: LastSent, since: datetime) -> int:
        """Stores messages that were answered and are not in the store; returns how many."""
        calls = await self.sweep.twilio.callback_urls(account)
        stored = 0
        is_all = False
        while not is_all:
            received = await self.sweep.twilio.received(account, since, LIMIT)
            is_all = received.is_all
            answered = [each for each in received.messages if _was_answered(each, last)]
            unseen = await self.sweep.database.read(inbox_store.unseen, account.sid, [each.sid for each in answered])
            found = [
                missed.message
                for each in answered
                if each.sid in unseen and (missed := await self.sweep.found(account, each, calls)) is not None
            ]
            await self.sweep.database.write(inbox_store.store_messages, found, state="answered")
            stored += len(found)
            if not is_all:
                since = max(received.messages[-1].at, since + timedelta(seconds=1))
        return stored


def _was_answered(message: ReceivedMessage, last: LastSent) -> bool:
    sent = last.get((message.recipient, message.sender))
    return sent is not None and sent >= message.at


def _is_answered(message: OpenMessage, last: LastSent) -> bool:
    """As `_was_answered`; Twilio's timestamps are whole seconds."""
    sent = last.get((whatsapp_address(message.number), message.sender))
    return sent is not None and sent >= datetime.fromisoformat(message.received_at).replace(microsecond=0)
