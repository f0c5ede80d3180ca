"""Twilio's own copies of a user's messages and answers: found by the user's addresses in every account, and deleted
with their files.

Twilio refuses to delete a message that is still on its way; it is left, and the next erasure finds it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from runtime.errors import PermanentError, ProviderError, TemporaryError
from runtime.observability.metrics import Metrics
from runtime.resilience.backoff import pause_seconds
from runtime.resilience.breakers import Breakers
from runtime.settings import Settings
from runtime.store import catalog, former_bots
from runtime.store.database.database import Database
from runtime.twilio.accounts import Account, AccountError, Accounts
from runtime.twilio.client import PAGE_SIZE, Twilio
from schemas.addresses import whatsapp_address

AT_ONCE = 4
"""Maximum number of concurrent deletions."""
ATTEMPTS = 3
"""Attempts at a deletion that fails temporarily."""
Numbers = Collection[str] | None
"""Addresses of ours (`whatsapp:+…`) whose messages are meant; None: all."""
NO_ACCOUNT = "No Twilio account is configured here."
LONGEST_PAUSE = 10.0
"""Longest pause before the next attempt that Twilio may ask for, in seconds."""


@dataclass(frozen=True, slots=True)
class AtTwilio:
    """The result of deleting Twilio's own copies."""

    deleted: int
    left: int
    """Number of messages that are known to be left; in an account that could not be asked the number is unknown."""
    reasons: Sequence[str]
    """Why something is left; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class TwilioCopies:
    """Deletes Twilio's copies."""

    settings: Settings
    database: Database
    accounts: Accounts
    metrics: Metrics
    breakers: Breakers

    async def count(self, addresses: Collection[str], numbers: Numbers = None) -> AtTwilio:
        """How many messages from and to addresses there are, as `left`; `reasons`: where that is not known."""
        tally = _Tally()
        accounts = await self._known_accounts(tally, numbers)
        async with self._opened() as twilio:
            for account in accounts:
                for address in sorted(addresses):
                    try:
                        tally.left += len(await twilio.copies_of(account, address, numbers))
                    except ProviderError as error:
                        tally.leave(str(error))
        return AtTwilio(0, tally.left, tally.reasons)

    async def delete(
        self,
        addresses: Collection[str],
        account_sids: Collection[str],
        numbers: Numbers = None,
        until: datetime | None = None,
    ) -> AtTwilio:
        """Deletes all messages from and to addresses (`whatsapp:+…`) in all known accounts; those with some of our
        numbers only, where these are given, and those until a time.

        `account_sids` are those that messages are known to have come from.
        """
        tally = _Tally()
        accounts = await self._known_accounts(tally, numbers)
        for sid in sorted(set(account_sids) - {account.sid for account in accounts}):
            tally.leave(f"Messages came from the Twilio account {sid}, whose auth token is no longer configured here.")
        async with self._opened() as twilio:
            for account in accounts:
                for address in sorted(addresses):
                    await _delete_all(twilio, account, address, numbers, tally, until)
        return AtTwilio(tally.deleted, tally.left, tally.reasons)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_Twilio]:
        twilio = _Twilio(
            self.settings.twilio_base_url, self.metrics, self.breakers, self.settings.turn_deadline_seconds
        )
        try:
            yield twilio
        finally:
            await twilio.close()

    async def _known_accounts(self, tally: _Tally, numbers: Numbers) -> list[Account]:
        """The accounts of all bots, deleted ones as far as their tokens are still set, and the shared one, from which
        proactive messages may have been sent without a bot; with `numbers` those of the bots that have them."""
        bots = await self.database.read(catalog.bot_of_each_account)
        former = await self.database.read(former_bots.former_bots)
        if numbers is not None:
            former = [bot for bot in former if whatsapp_address(bot.twilio_phone_number) in numbers]
        accounts: dict[str, Account] = {}
        for bot in [*bots, *former, *([None] if numbers is None else ())]:
            try:
                account = self.accounts.account_of(bot)
            except AccountError as error:
                if bot is not None and (numbers is not None or bot not in former):
                    tally.leave(str(error))
            else:
                accounts[account.sid] = account
        if not accounts:
            tally.leave(NO_ACCOUNT)
        return list(accounts.values())


class _Copy(NamedTuple):
    sid: str
    files: int


class _Twilio(Twilio):
    """Messages of a user, in any account. Raises PermanentError or TemporaryError when Twilio could not be asked."""

    async def copies_of(
        self, account: Account, address: str, numbers: Numbers, until: datetime | None = None
    ) -> list[_Copy]:
        messages = self._client(account).messages
        async with self._asking(account):
            listed = [
                *await messages.list_async(from_=address, page_size=PAGE_SIZE),
                *await messages.list_async(to=address, page_size=PAGE_SIZE),
            ]
        # A server that does not filter must not lose messages of other users.
        theirs = [message for message in listed if address in (message.from_, message.to)]
        if numbers is not None:
            theirs = [message for message in theirs if {message.from_, message.to} & set(numbers)]
        if until is not None:
            theirs = [one for one in theirs if one.date_created is None or one.date_created <= until]
        return [_Copy(str(message.sid), int(message.num_media or 0)) for message in theirs]

    async def delete(self, account: Account, copy: _Copy) -> None:
        message = self._client(account).messages(copy.sid)
        try:
            async with self._asking(account):
                # The files first: without their message they could not be found again.
                for file in await message.media.list_async() if copy.files else ():
                    await file.delete_async()
                await message.delete_async()
        except PermanentError as error:
            if getattr(error.__cause__, "status", None) != 404:
                raise


@dataclass(slots=True)
class _Tally:
    deleted: int = 0
    left: int = 0
    reasons: list[str] = field(default_factory=list)

    def leave(self, reason: str, messages: int = 0) -> None:
        self.left += messages
        if reason not in self.reasons:
            self.reasons.append(reason)


async def _delete_all(
    twilio: _Twilio, account: Account, address: str, numbers: Numbers, tally: _Tally, until: datetime | None
) -> None:
    """Deletes an account's messages of an address. A message that Twilio refuses to delete delays none of the others;
    when Twilio is unavailable, the rest is left."""
    places = asyncio.Semaphore(AT_ONCE)
    broken: list[str] = []

    async def delete(copy: _Copy) -> None:
        async with places:
            if broken:
                tally.leave(broken[0], 1)
                return
            try:
                await _delete_patiently(twilio, account, copy)
            except PermanentError as error:
                tally.leave(str(error), 1)
            except ProviderError as error:
                broken.append(str(error))
                tally.leave(broken[0], 1)
            else:
                tally.deleted += 1

    try:
        found = await twilio.copies_of(account, address, numbers, until)
    except ProviderError as error:
        tally.leave(str(error))
        return
    async with asyncio.TaskGroup() as group:
        for copy in found:
            group.create_task(delete(copy))


async def _delete_patiently(twilio: _Twilio, account: Account, copy: _Copy) -> None:
    """Deletes a message, again when that fails temporarily: deletion is idempotent."""
    for failures in range(1, ATTEMPTS):
        try:
            return await twilio.delete(account, copy)
        except TemporaryError as error:
            asked = None if error.delay is None else min(error.delay, LONGEST_PAUSE)
            await asyncio.sleep(pause_seconds(failures, longest=LONGEST_PAUSE, asked=asked))
    return await twilio.delete(account, copy)
