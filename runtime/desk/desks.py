"""The desks of this installation: which clients have one, what there is to do there, and who does it.

    store ──look, each second──► conversations with news ──► a timer each ──► Sync, in any process, one at a time
    webhook ──hint──────────────────────────────────────────►┘ ▲
    every minute: what changed at the desk, for webhooks that were lost ─┘

Messages do not wait for any of it: nothing is written or read on their way. What a process has begun and not finished
is continued by the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import aiohttp
import structlog

from runtime.catalog import Catalog, Configuration
from runtime.desk.chatwoot import Chatwoot, DeskCalls, DeskInbox, Json, NotYet
from runtime.desk.sync import Sync, SyncParts
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import ProviderError, TemporaryError
from runtime.media.viewing import MediaViews
from runtime.settings import Secrets
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import desk
from runtime.store.timers import Timer
from runtime.twilio.accounts import Accounts
from schemas.desk import DeskPolicy

LOOK_SECONDS: Final = 1.0
"""Interval of looking for news in the store."""
LAG_SECONDS: Final = 60.0
"""For this time rows are looked at again: PostgreSQL commits them in another order than it numbers them."""
FIRST_ROWS: Final = 200
"""Number of the newest rows that are looked at when a process starts. What else was said in a conversation is written
with the next thing in it."""
AT_ONCE: Final = 3
"""Conversations of one desk that a process works on concurrently: a slow one leaves room for other timers."""
REST_SECONDS: Final = 5.0
"""How long a desk that does not answer is left alone."""
LONGEST_REST: Final = 60.0
REPAIR, REPAIR_SECONDS = "desk_repair", 60.0
WITHIN_SECONDS: Final = 900
"""Of the changes that a repair asks for."""
MOST_CHANGED: Final = 10_000
WARN_SECONDS: Final = 60.0
"""Between two warnings of the same."""

log = structlog.get_logger("runtime.desk")


@dataclass(frozen=True, slots=True)
class ClientDesk:
    """A client's desk."""

    bot_id: str
    configuration: Configuration
    policy: DeskPolicy
    inbox: DeskInbox
    calls: DeskCalls
    webhook_secret: str | None = field(repr=False)

    @property
    def is_for_all(self) -> bool:
        """Whether conversations are mirrored that no people have."""
        return self.policy.mirror == "always"


class Desks:
    """Looks for news, and does what there is to do."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        secrets: Secrets,
        accounts: Accounts,
        views: MediaViews,
        timers: Timers,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._secrets = secrets
        self._timers = timers
        self._chatwoot = Chatwoot()
        self._parts = SyncParts(database, accounts, views, timers, catalog.salt, {})
        self._bots: tuple[int, tuple[str, ...]] = (-1, ())
        """The catalog's version, and the bots with a desk then."""
        self._seen: deque[tuple[float, int, int]] = deque()
        self._warned: dict[str, float] = {}
        """When each warning was last given."""
        self._busy: Counter[str] = Counter()
        self._rests: dict[str, float] = {}
        """Place → until when it is left alone."""
        self._changed: dict[tuple[str, int], float] = {}
        """When conversations last changed at the desk, as the last repair found it."""

    async def close(self) -> None:
        """Closes the connections."""
        await self._chatwoot.close()

    async def begin(self) -> None:
        """Runs the timers in this process."""
        self._timers.register(desk.KIND, self.run)
        self._timers.register(REPAIR, self.repair)
        await self._timers.put(REPAIR, "all", datetime.now(UTC))

    async def watch(self) -> None:
        """Looks for news, until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                log.warning("desk_unavailable", error=str(error))
            except Exception:
                log.exception("desk_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Looks for news once."""
        desks = await self.all()
        if not desks:
            self._seen.clear()
            return
        if not self._seen:
            inbox_id, outbox_id = await self._database.read(desk.newest)
            await self._offer(await self._database.read(desk.with_people, [one.bot_id for one in desks]))
            self._seen.append((time.monotonic(), max(0, inbox_id - FIRST_ROWS), max(0, outbox_id - FIRST_ROWS)))
        bots = [one.bot_id for one in desks]
        always = [one.bot_id for one in desks if one.is_for_all]
        news = await self._database.read(desk.news, bots, always, *self._seen[0][1:])
        now = time.monotonic()
        self._seen.append((now, news.inbox_id, news.outbox_id))
        while len(self._seen) > 1 and self._seen[1][0] < now - LAG_SECONDS:
            self._seen.popleft()
        await self._offer(news.conversations)

    async def _offer(self, conversations: Sequence[int]) -> None:
        if conversations and await self._database.write(desk.offer, list(conversations)) > 0:
            self._timers.wake()

    async def run(self, timer: Timer) -> RunAgain | None:
        """Brings one conversation and the desk together."""
        shown = await self._database.read(desk.shown, int(timer.key))
        found = await self.of_bot(shown.bot_id) if shown is not None else None
        if shown is None or found is None:
            return None
        place = found.inbox.place
        rest = self._rests.get(place, 0.0) - time.monotonic()
        if rest > 0 or self._busy[place] >= AT_ONCE:
            return RunAgain(max(rest, LOOK_SECONDS))
        self._busy[place] += 1
        try:
            pause = await Sync(self._parts, found.configuration, found.policy, found.calls, shown).run()
        except ProviderError as error:
            if seconds := _rest_seconds(error):
                self._rests[place] = time.monotonic() + seconds
            log.warning("desk_refused", client=found.configuration.bot.label, conversation=shown.id, error=str(error))
            raise
        finally:
            self._busy[place] -= 1
        return None if pause is None else RunAgain(pause)

    async def repair(self, _timer: Timer) -> RunAgain:
        """Asks each desk what changed lately: a webhook is tried once, and may be lost."""
        for one in await self.all():
            known = await self._database.read(desk.conversations_at, one.bot_id, one.inbox.place)
            if not known:
                continue
            try:
                changed = await one.calls.changed_within(WITHIN_SECONDS)
            except ProviderError as error:
                log.warning("desk_not_read", client=one.configuration.bot.label, error=str(error))
                continue
            new = [row for row in changed if row["id"] in known and self._is_new(one.bot_id, row)]
            await self._offer([known[row["id"]] for row in new])
        await self._database.write(desk.close_old)
        return RunAgain(REPAIR_SECONDS)

    def _is_new(self, bot_id: str, row: Json) -> bool:
        """Whether a conversation changed since the last repair of this process."""
        key, at = (bot_id, int(row["id"])), float(row["updated_at"])
        if len(self._changed) > MOST_CHANGED:
            self._changed.clear()
        former = self._changed.get(key)
        self._changed[key] = at
        return former != at

    async def all(self) -> list[ClientDesk]:
        """All clients' desks."""
        version = self._catalog.version
        if self._bots[0] != version:
            bots = await self._database.read(store.bots_with, "desk")
            self._bots = (version, tuple(bot.id for bot in bots))
        found = [await self.of_bot(bot_id) for bot_id in self._bots[1]]
        return [one for one in found if one is not None]

    async def of_client(self, client: str) -> ClientDesk | None:
        """The desk of a client, also of one that was applied just now."""
        found = await self._of_known_client(client)
        if found is None:
            self._catalog.notice(await self._database.read(store.catalog_version))
            found = await self._of_known_client(client)
        return found

    async def _of_known_client(self, client: str) -> ClientDesk | None:
        return next((one for one in await self.all() if one.configuration.bot.label == client), None)

    async def of_bot(self, bot_id: str) -> ClientDesk | None:
        """The desk of a bot; None without one, or where its token is not set here."""
        configuration = await self._catalog.configuration(bot_id)
        handoff = configuration.policy.handoff if configuration is not None else None
        if configuration is None or handoff is None or handoff.desk is None:
            return None
        policy = handoff.desk
        declared = policy.chatwoot
        token = self._secrets.get(declared.token.env)
        if token is None:
            if self._is_due(declared.token.env):
                hint = "set it in the environment or in .env; the desk is not used until then"
                log.error("secret_missing", client=configuration.bot.label, variable=declared.token.env, hint=hint)
            return None
        inbox = DeskInbox(declared.url, declared.account, declared.inbox, token)
        calls = self._chatwoot.at(inbox, allow_private=bool(policy.allow_private))
        secret = self._secrets.get(declared.webhook_secret.env)
        return ClientDesk(bot_id, configuration, policy, inbox, calls, secret)

    def warn_of_refusal(self, client: str, reason: str) -> None:
        """Notes that a client's webhook was refused, once a minute."""
        if self._is_due(client):
            hint = "compare handoff.desk.chatwoot.webhook_secret with the inbox's secret, and both clocks"
            log.error("desk_event_refused", client=client, reason=reason, hint=hint)

    def _is_due(self, warning: str) -> bool:
        """Whether a warning was not given within WARN_SECONDS."""
        now = time.monotonic()
        if now - self._warned.get(warning, -WARN_SECONDS) < WARN_SECONDS:
            return False
        self._warned[warning] = now
        return True


def _rest_seconds(error: ProviderError) -> float:
    """How long a desk is left alone after an error: where it did not answer, or asked for it."""
    if isinstance(error.__cause__, TimeoutError | aiohttp.ClientConnectorError):
        return REST_SECONDS
    asked = error.delay if isinstance(error, TemporaryError) and not isinstance(error, NotYet) else None
    return min(asked, LONGEST_REST) if asked is not None else 0.0
