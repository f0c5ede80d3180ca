"""What follows from a handoff, by timers: people are notified, again where none has answered, and the assistant
resumes.

    handoff_notice       a turn handed a conversation over: each channel is notified, again while one refuses
    handoff_escalation   the same, once, where no person has written since
    handoff_resume       the assistant has it again; what no person answered is answered in one turn
    reply_file           a file that a person sent is deleted a day later
    conversation_wake    a person wrote, or gave a conversation back: the driver of the inbox looks at it

A notice may come twice where a process crashes while it is sent, never not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from notifications.channels import MAIL_SCHEMES, channel_of, is_understood, mail_channel, send, shown
from runtime.catalog import Catalog, Configuration
from runtime.dispatch.handoff_notice import notice_text
from runtime.dispatch.inbox import Inbox
from runtime.dispatch.timers import RunAgain, Timers
from runtime.settings import Secrets
from runtime.store.database.database import Database
from runtime.store.messages import handoffs, operators, reply_files, threads
from runtime.store.messages.threads import Thread
from runtime.store.timers import Timer
from schemas.handoff import HandoffPolicy
from schemas.secret_refs import SecretRef

ATTEMPTS = 10
"""How often a channel is tried."""
PAUSE_SECONDS = 60.0

log = structlog.get_logger("runtime.handoffs")


@dataclass(frozen=True, slots=True)
class Handoffs:
    """The handlers of these timers."""

    database: Database
    catalog: Catalog
    inbox: Inbox
    secrets: Secrets
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""
    timezone: str
    """The zone of clients for whom neither a manifest nor a number decides."""

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(handoffs.NOTICE, self.notify)
        timers.register(handoffs.ESCALATION, self.escalate)
        timers.register(handoffs.RESUME, self.resume)
        timers.register(operators.WAKE, self.wake)
        timers.register(reply_files.KIND, self.delete_file)

    async def wake(self, timer: Timer) -> None:
        """Has the inbox's driver send what is ready, and answer what waits."""
        await self.inbox.send_rest(int(timer.key))

    async def delete_file(self, timer: Timer) -> None:
        """Deletes a file that a person sent a day ago."""
        await self.database.write(reply_files.expire, timer)

    async def resume(self, timer: Timer) -> None:
        """Gives a conversation back to the assistant."""
        turns = await self.database.write(operators.resume, timer)
        if turns is not None:
            log.info("handoff_ended", conversation=int(timer.key), unanswered_turns=turns)
            await self.inbox.send_rest(int(timer.key))

    async def notify(self, timer: Timer) -> RunAgain | None:
        """Notifies people of a handoff."""
        return await self._notify(timer, is_escalation=False)

    async def escalate(self, timer: Timer) -> RunAgain | None:
        """Notifies them again, unless one has written meanwhile."""
        return await self._notify(timer, is_escalation=True)

    async def _notify(self, timer: Timer, *, is_escalation: bool) -> RunAgain | None:
        thread = await self.database.read(threads.thread_of, int(timer.key))
        if thread is None or thread.conversation.state != "human" or thread.conversation.blocked_at is not None:
            return None
        configuration = await self.catalog.configuration(thread.conversation.bot_id)
        if configuration is None or (is_escalation and not thread.conversation.is_waiting):
            return None
        urls = self._channels_of(configuration)
        left = timer.payload.get("left")
        attempt = int(timer.payload.get("attempt", 1))
        refused = [
            url
            for url in urls
            if (left is None or channel_of(url) in left)
            and not await self._send(url, thread, configuration, is_escalation=is_escalation)
        ]
        if not refused or attempt >= ATTEMPTS:
            return None
        return RunAgain(PAUSE_SECONDS, {"left": [channel_of(url) for url in refused], "attempt": attempt + 1})

    def _channels_of(self, configuration: Configuration) -> list[str]:
        """The channels of the client's addresses; the installation's where it names none."""
        policy = configuration.policy.handoff or HandoffPolicy()
        client = configuration.bot.label
        urls = [url for one in policy.notify or () if (url := self._channel_of(one, client)) is not None]
        found = list(dict.fromkeys(urls or self.channels))
        if not found:
            log.error("handoff_not_notified", client=client, hint="set handoff.notify, or the setting ALERT_NOTIFY")
        return found

    def _channel_of(self, notified: str | SecretRef, client: str) -> str | None:
        if isinstance(notified, SecretRef):
            url = self.secrets.get(notified.env)
            if url is None:
                log.error("secret_missing", client=client, variable=notified.env, effect="no notice of handoffs")
            return url
        mail = mail_channel(self.channels, notified)
        if mail is None:
            log.error("handoff_address_without_mail_server", client=client, setting="ALERT_NOTIFY")
        return mail

    async def _send(self, url: str, thread: Thread, configuration: Configuration, *, is_escalation: bool) -> bool:
        """Whether a channel accepted the notice. One that Apprise does not understand never will."""
        client, conversation = configuration.bot.label, thread.conversation.id
        if not await asyncio.to_thread(is_understood, url):
            log.error("handoff_channel_malformed", client=client, channel=shown(url))
            return True
        is_mail = url.partition("://")[0] in MAIL_SCHEMES
        zone = configuration.timezone or self.timezone
        title, body = notice_text(
            configuration.bot.name, thread, zone, with_thread=is_mail, is_escalation=is_escalation
        )
        refused = await asyncio.to_thread(send, url, title, body, "warning")
        if refused is None:
            log.info("handoff_notified", client=client, conversation=conversation, channel=shown(url))
        else:
            log.warning("handoff_notice_refused", client=client, channel=shown(url), reason=refused.lstrip(": "))
        return refused is None
