"""Settles proactive messages whose process crashed while sending. Answers are settled with their conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from runtime.catalog import Catalog
from runtime.delivery.unknown_sends import GIVE_UP_SECONDS, UnknownSends
from runtime.errors import PermanentError
from runtime.observability.metrics import Metrics, client_label
from runtime.price_list import PriceList
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.messages import outbox
from runtime.store.messages.outbox import OutboxRow, SendTakenOver
from runtime.twilio.accounts import AccountError, Accounts
from runtime.twilio.client import Twilio

INTERRUPTED_SECONDS = 60.0
"""How long after its time limit a proactive message is left to the replica that sends it."""

log = structlog.get_logger("runtime.delivery")


class InterruptedProactive:
    """Proactive messages that were interrupted."""

    def __init__(
        self,
        database: Database,
        twilio: Twilio,
        accounts: Accounts,
        catalog: Catalog,
        prices: PriceList,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._catalog = catalog
        self._outcomes = UnknownSends(database, twilio, prices, metrics)

    async def watch(self, *, alone: bool) -> None:
        """Settles interrupted messages. With replicas only their age shows which are, so they are searched for
        periodically; a process that is `alone` knows them when it starts."""
        before = timestamp()
        while True:
            if not alone:
                before = timestamp(time.time() - GIVE_UP_SECONDS - INTERRUPTED_SECONDS)
            try:
                await self._settle(await self._database.read(outbox.unsent_proactive, before))
            except StoreError as error:
                log.warning("proactive_settling_postponed", error=str(error))
            except Exception:
                log.exception("proactive_settling_failed")
            else:
                if alone:
                    return
            await asyncio.sleep(INTERRUPTED_SECONDS)

    async def _settle(self, rows: Sequence[OutboxRow]) -> None:
        """Finds the outcome of each. The caller who requested one got no answer and may repeat the request, so an
        unsent one is not sent now."""
        for row in rows:
            configuration = await self._catalog.configuration(row.bot_id) if row.bot_id else None
            try:
                bot = configuration.bot if configuration else None
                account, give_up = self._accounts.account_of(bot), time.monotonic() + GIVE_UP_SECONDS
                sent = await self._outcomes.settle(row, account, client_label(bot), give_up)
            except SendTakenOver as error:
                log.warning("taken_over", error=str(error))
            except (AccountError, PermanentError) as error:
                await self._database.write(outbox.mark_failed, row, f"Its outcome is unknown: {error}")
            else:
                if sent is None:
                    await self._database.write(
                        outbox.mark_failed, row, "Interrupted before it was sent; send it again."
                    )
