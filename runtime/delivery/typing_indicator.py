"""Shows a user that an answer is being written, and marks their message as read: for WhatsApp that is one call.

Only for an answer that takes a while, and only while it is being made: WhatsApp hides the indicator with the answer, or
after 25 seconds. It is a courtesy. Nothing waits for it, and no failure of it is anything but a line in the log.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from runtime.errors import OperatorError, ProviderError
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Account, Accounts
from runtime.twilio.client import Twilio

AFTER_SECONDS: Final = 1.0
"""An answer that is there sooner needs none."""
REPEAT_SECONDS: Final = 20.0
TIMES: Final = 3
QUIET_SECONDS: Final = 600.0
"""How long an account is left alone where Twilio refuses it: the API is a beta, and not for every account."""

log = structlog.get_logger("runtime.delivery")


class TypingIndicator:
    """The indicator of all conversations."""

    def __init__(self, twilio: Twilio, accounts: Accounts) -> None:
        self._twilio = twilio
        self._accounts = accounts
        self._quiet_until: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def while_answering(self, bot: BotRecord, message_sid: str) -> _WhileAnswering:
        """Context manager around the making of an answer to a message."""
        return _WhileAnswering(self, bot, message_sid)

    def _begin(self, bot: BotRecord, message_sid: str) -> asyncio.Task[None] | None:
        """None where it cannot be shown."""
        try:
            account = self._accounts.account_of(bot)
        except OperatorError:
            return None  # whose answer is not sent either, which is reported there
        if self._is_quiet(account):
            return None
        task = asyncio.create_task(self._shown(account, message_sid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Ends what is being shown."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shown(self, account: Account, message_sid: str) -> None:
        for _ in range(TIMES):
            if not await self._once(account, message_sid):
                return
            await asyncio.sleep(REPEAT_SECONDS)

    async def _once(self, account: Account, message_sid: str) -> bool:
        """Whether it was shown."""
        if self._is_quiet(account):
            return False
        try:
            await self._twilio.show_typing(account, message_sid)
        except ProviderError as error:
            self._quiet_until[account.sid] = time.monotonic() + QUIET_SECONDS
            log.warning("typing_not_shown", account=account.sid, error=str(error), next_try_in=QUIET_SECONDS)
            return False
        return True

    def _is_quiet(self, account: Account) -> bool:
        return self._quiet_until.get(account.sid, 0.0) > time.monotonic()


class _WhileAnswering:
    """Begins to show the indicator once an answer has taken AFTER_SECONDS, and ends with it."""

    __slots__ = ("_bot", "_indicator", "_message_sid", "_task", "_timer")

    def __init__(self, indicator: TypingIndicator, bot: BotRecord, message_sid: str) -> None:
        self._indicator = indicator
        self._bot = bot
        self._message_sid = message_sid
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(AFTER_SECONDS, self._begin)

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = self._indicator._begin(self._bot, self._message_sid)
