"""Brings one conversation and the desk together: what was said goes there, what operators write goes out, and who has
the conversation is the same on both sides.

    1 open it there ─ 2 read what is there ─ 3 operators' messages into the outbox ─ 4 their change of its status
                                                    ─ 5 what was said since ─ 6 our change of its state ─ 7 deliveries

At the desk `pending` is the assistant's, `open` and `snoozed` are people's, `resolved` gives it back. A change on our
side that the desk does not know goes before one there. Each step may be repeated: what was done is recorded, and what
may have been done is looked up. One process at a time does this for a conversation (the timer `desk`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from runtime.catalog import Configuration
from runtime.desk.chatwoot import PAGE, DeskCalls, NotAtDesk
from runtime.desk.chatwoot import Status as DeskStatus
from runtime.desk.contacts import DeskPerson, at_desk
from runtime.desk.incoming import Incoming
from runtime.desk.mirror import Mirror, PersonWithdrawn
from runtime.desk.operator_messages import operator_messages, seen_up_to
from runtime.desk.words import failure_of
from runtime.dispatch.timers import Timers
from runtime.media.viewing import MediaViews
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import NoConversation
from runtime.store.messages import desk
from runtime.store.messages.desk import OURS, DeskConversation, Unsure
from runtime.twilio.accounts import Accounts
from schemas.desk import DeskPolicy
from schemas.handoff import HandoffPolicy

ABANDONED_SECONDS: Final = 15.0
"""For how long a write may yet be made whose process crashed: Chatwoot ends a request after 15 seconds."""
OVERLAP_SECONDS: Final = 30.0
ASK_AGAIN_SECONDS: Final = 5.0
BOT_SECONDS: Final = 600.0
"""How long it is known who is the inbox's bot."""
_STATUS_OF: Final[dict[str, DeskStatus]] = {"human": "open", "assistant": "pending", "closed": "resolved"}
OPENING: Final = "opening"
"""The status of a pending conversation that is about to be opened from here."""
PLACE_NAME: Final = "Chatwoot"

log = structlog.get_logger("runtime.desk")


@dataclass(slots=True)
class SyncParts:
    """What all of them share."""

    database: Database
    accounts: Accounts
    views: MediaViews
    timers: Timers
    salt: str
    """The store's secret, from which keys of conversations at the desk are derived."""
    bots: dict[str, tuple[float, int | None, int]]
    """Place → when it was asked, the inbox's bot, and our user."""


class Sync:
    """One conversation."""

    def __init__(
        self,
        parts: SyncParts,
        configuration: Configuration,
        policy: DeskPolicy,
        calls: DeskCalls,
        shown: DeskConversation,
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._configuration = configuration
        self._policy = policy
        self._calls = calls
        self._shown = shown
        self._handoff = configuration.policy.handoff or HandoffPolicy()

    async def run(self) -> float | None:
        """Does what there is to do; returns the seconds after which it is to be done again. Raises ProviderError."""
        try:
            return await self._run()
        except (PersonWithdrawn, NoConversation):
            log.info("desk_person_withdrawn", conversation=self._shown.id)
            return None

    async def _run(self) -> float | None:
        place = self._calls.inbox.place
        if self._shown.place != place or self._shown.desk_id is None:
            if not self._is_wanted:
                return None
            await self._open(place)
        number = self._shown.desk_id
        if number is None:
            return None
        try:
            return await self._together(number)
        except NotAtDesk:
            # Deleted there; it is opened again with the next thing to show.
            await self._database.write(desk.wipe, self._shown.id)
            log.warning("desk_conversation_missing", conversation=self._shown.id, number=number)
            return ASK_AGAIN_SECONDS if self._is_wanted else None

    @property
    def _is_wanted(self) -> bool:
        """Whether what is said here goes to the desk."""
        is_erased = not self._shown.user_key
        return not is_erased and (self._shown.state == "human" or self._policy.mirror == "always")

    async def _together(self, number: int) -> float | None:
        bot, me = await self._bot_and_me()
        # In this order: what was written before its status changed is among what is listed after that was read.
        row = await self._calls.conversation(number)
        listed = await self._listed(number)
        is_settled = await self._settle(listed)
        await self._take_in(number, listed)
        await self._follow(row, bot)
        pause: float | None = ASK_AGAIN_SECONDS
        if is_settled:
            pause = None
            if self._is_wanted:
                mirror = Mirror(
                    self._database, self._parts.accounts, self._parts.views, self._configuration, self._calls
                )
                await mirror.write(self._shown, number, bot)
            await self._tell(number, me)
        await self._report(number)
        await self._database.write(desk.see, self._shown.id, seen_up_to(listed, OVERLAP_SECONDS))
        return pause

    async def _open(self, place: str) -> None:
        """Finds the conversation at the desk, or makes it there."""
        person = DeskPerson.of(self._shown, self._parts.salt)
        row, is_new = await at_desk(self._calls, person, self._configuration.bot.label)
        newest = [] if is_new else await self._calls.messages(int(row["id"]), None)
        seen = max((int(message["id"]) for message in newest), default=0)
        status, state = str(row["status"]), self._shown.state
        known_state = state if status == _STATUS_OF[state] else None
        await self._database.write(desk.open_at, self._shown, place, int(row["id"]), status, known_state, seen)
        log.info("desk_conversation_opened", conversation=self._shown.id, number=row["id"], is_new=is_new)
        await self._reload()

    async def _listed(self, number: int) -> list[dict[str, Any]]:
        """The messages there that are not known to be known."""
        found: list[dict[str, Any]] = []
        after = self._shown.seen_id
        while True:
            page = await self._calls.messages(number, after)
            found += page
            if len(page) < PAGE:
                return found
            after = max(int(row["id"]) for row in page)

    async def _settle(self, listed: Sequence[dict[str, Any]]) -> bool:
        """Finds out the outcome of writes whose answer was lost; False where that is not known yet."""
        unsure: list[Unsure] = await self._database.read(desk.unsure, self._shown.id)
        if not unsure:
            return True
        there = {str(row["source_id"]): int(row["id"]) for row in listed if row.get("source_id")}
        found = {one.key: there[OURS + one.key] for one in unsure if OURS + one.key in there}
        lost = [one for one in unsure if one.key not in found]
        unmade = [one.key for one in lost if one.until is not None and one.until <= timestamp()]
        doubted = {one.key: ABANDONED_SECONDS for one in lost if one.until is None}
        await self._database.write(desk.written, self._shown.id, found, doubted=doubted, unwritten=unmade)
        await self._reload()
        return len(unmade) == len(lost)

    async def _take_in(self, number: int, listed: Sequence[dict[str, Any]]) -> None:
        """Puts operators' messages into the outbox, in their order."""
        known = await self._database.read(desk.taken_in, self._shown.id, self._shown.seen_id)
        new = operator_messages(listed, known)
        if not new:
            return
        incoming = Incoming(self._database, self._configuration, self._calls)
        for message in new:
            sent = await incoming.take_in(self._shown, message, self._handoff.resume_seconds)
            self._parts.timers.wake()
            log.info("desk_message_taken_in", conversation=self._shown.id, number=number, messages=sent)
        await self._reload()

    async def _follow(self, row: dict[str, Any], bot: int | None) -> None:
        """Follows a change of the conversation's status at the desk, unless ours is newer."""
        status, shown = str(row["status"]), self._shown
        # One that was being opened and is resolved was opened, though the answer was lost, and a person resolved it.
        is_newer = shown.status == OPENING and status == "resolved"
        if status == shown.status or (shown.known_state != shown.state and not is_newer):
            return
        by = str((row.get("meta", {}).get("assignee") or {}).get("name") or PLACE_NAME)
        if status in desk.OF_PEOPLE and bot is None:
            # Without a bot Chatwoot itself opens a conversation whose customer writes.
            await self._database.write(desk.set_status, shown.id, status, shown.state)
        else:
            resume = self._handoff.resume_seconds
            state = await self._database.write(desk.follow, shown, status, by, resume)
            self._parts.timers.wake()
            log.info("desk_status_followed", conversation=shown.id, status=status, state=state)
        await self._reload()

    async def _tell(self, number: int, me: int) -> None:
        """Sets the conversation's status at the desk after a change on our side."""
        shown = self._shown
        if shown.known_state == shown.state or (shown.known_state is None and not self._is_wanted):
            return
        status = _STATUS_OF[shown.state]
        row = await self._calls.conversation(number)
        if row["status"] != status:
            if row["status"] == "pending" and status == "open":
                await self._database.write(desk.set_status, shown.id, OPENING, shown.known_state)
            await self._calls.set_status(number, status)
        await self._database.write(desk.set_status, shown.id, status, shown.state)
        await self._reload()
        if status == "open":
            await self._leave_to_others(number, me)

    async def _leave_to_others(self, number: int, me: int) -> None:
        """Chatwoot assigns a conversation to the agent who opens it: ours, who answers no one."""
        row = await self._calls.conversation(number)
        if (row.get("meta", {}).get("assignee") or {}).get("id") == me:
            await self._calls.unassign(number)

    async def _report(self, number: int) -> None:
        """Reports the outcome of messages to the desk."""
        done = []
        for report in await self._database.read(desk.reports, self._shown.id):
            error = failure_of(report) if report.status == "failed" else None
            await self._calls.set_message_status(number, report.desk_id, report.status, error)
            done.append(report)
        if done:
            await self._database.write(desk.reported, self._shown.id, done)

    async def _bot_and_me(self) -> tuple[int | None, int]:
        """The inbox's bot, and the token's user."""
        place, now = self._calls.inbox.place, time.monotonic()
        known = self._parts.bots.get(place)
        if known is None or known[0] < now - BOT_SECONDS:
            known = self._parts.bots[place] = (now, await self._calls.bot(), await self._calls.me())
        return known[1:]

    async def _reload(self) -> None:
        shown = await self._database.read(desk.shown, self._shown.id)
        if shown is None:
            raise PersonWithdrawn
        self._shown = shown
