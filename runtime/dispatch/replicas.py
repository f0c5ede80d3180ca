"""The inbox on PostgreSQL: any replica runs any conversation's turn, as a job of procrastinate.

    accept ── message + job, one commit ──► NOTIFY ──► a replica fetches it ──► resume, turns ──► the job is deleted
                                                            │ dies
                                                            └─► no sign of life for STALL_SECONDS ──► another fetches it

procrastinate hands out jobs, keeps the order of a conversation (its lock) and tries again what failed. What it leaves
to its user is done here, once a second and on every replica: jobs of the dead are handed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job
from procrastinate.worker import Worker
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from runtime.delivery.delivery import Delivery
from runtime.delivery.reply_window import ReplyWindows
from runtime.store.database.database import Database
from runtime.store.database.postgresql import TRUSTED_SECONDS
from runtime.store.errors import StoreError
from runtime.store.messages import jobs
from runtime.store.messages.held_jobs import HeldJobs
from runtime.store.messages.inbox import InboundMessage, Taken
from runtime.store.messages.outbox import SendTakenOver
from runtime.store.messages.turns import TurnTakenOver
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns

CONVERSATIONS_AT_ONCE = 2_000
"""Conversations that a replica is busy with at the most; the rest waits in the store, for any replica."""
CONNECTIONS = 4
POLL_SECONDS = 0.2
"""How soon the next message of a conversation follows the one before, which no NOTIFY tells."""
BEAT_SECONDS = 2.0
CARE_SECONDS = 1.0
LET_GO_SECONDS = 0.3
"""How often it is looked whether another replica has begun what a webhook is held open for."""
LOOK_BACK_SECONDS = 5.0
"""How often a replica looks for jobs that it has lost, and for conversations that have none."""
STORE_PAUSE_SECONDS = 2.0
"""How long a job rests after a failure."""

log = structlog.get_logger("runtime.inbox")


class HandedBack(Exception):
    """A conversation is not finished and this process is about to stop."""


class Again(procrastinate.BaseRetryStrategy):
    """A job that was cut off is tried again at once, one that failed after a pause."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        """None gives the job up."""
        if isinstance(exception, HandedBack | asyncio.CancelledError):
            return procrastinate.RetryDecision()
        if job.attempts >= jobs.MAX_ATTEMPTS:
            return None
        return procrastinate.RetryDecision(retry_in={"seconds": round(STORE_PAUSE_SECONDS)})


class ReplicatedInbox:
    """See `runtime.dispatch.inbox.Inbox`."""

    def __init__(
        self,
        database_url: str,
        database: Database,
        turns: Turns,
        owned: OwnedTurns,
        delivery: Delivery,
        windows: ReplyWindows,
    ) -> None:
        self._database = database
        self._turns = turns
        self._owned = owned
        self._delivery = delivery
        self._windows = windows
        self._running: dict[int, int] = {}
        """Job → its conversation."""
        self._stopping = False
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                pool_factory=_pool,
                conninfo=database_url,
                min_size=1,
                max_size=CONNECTIONS,
                kwargs={"application_name": "horizonai"},
            )
        )
        self._app.task(name=jobs.TASK, queue=jobs.QUEUE, pass_context=True, retry=Again())(self._answer)
        self._app.job_manager = HeldJobs(self._app.connector)
        self._worker: Worker | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def accept(self, message: InboundMessage) -> Taken | None:
        """See Inbox."""
        return await self._database.write(jobs.take_in, message)

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[Taken | None]:
        """See Inbox."""
        return await self._database.write(jobs.take_in_all, messages)

    async def start(self) -> None:
        """See Inbox."""
        await self._app.open_async()
        forgotten = await self._database.write(jobs.defer_forgotten)
        if forgotten:
            log.info("resumed_after_restart", conversations=forgotten)
        self._tasks = [asyncio.create_task(run()) for run in (self._work, self._take_care, self._let_go)]

    async def stop(self, grace_seconds: float) -> None:
        """See Inbox."""
        self._stopping = True
        self._windows.close()
        if not self._tasks:
            return
        work, *others = self._tasks
        if self._worker is not None:
            self._worker.shutdown_graceful_timeout = grace_seconds
            self._worker.stop()
        await asyncio.gather(work, return_exceptions=True)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._app.close_async()
        self._windows.release_all()

    @property
    def busy(self) -> int:
        """See Inbox."""
        return len(self._running)

    async def _answer(self, context: procrastinate.JobContext, conversation_id: int, resume: bool) -> None:
        """The job."""
        job_id = context.job.id or 0
        self._running[job_id] = conversation_id
        try:
            await self._converse(conversation_id, resume or context.job.attempts > 0)
        except (TurnTakenOver, SendTakenOver) as error:
            log.warning("taken_over", error=str(error))
        except StoreError as error:
            log.error("store_unavailable", error=str(error))
            raise
        except (HandedBack, asyncio.CancelledError):
            await self._owned.hand_back(conversation_id)
            raise
        except Exception:
            log.exception("conversation_failed", conversation=conversation_id)
            raise
        finally:
            self._running.pop(job_id, None)

    async def _converse(self, conversation_id: int, resume: bool) -> None:
        if resume:
            await self._delivery.resume(conversation_id)
        while await self._turns.run(conversation_id):
            if self._stopping:
                raise HandedBack

    async def _work(self) -> None:
        """Runs jobs until the stop, also across failures of the store."""
        while not self._stopping:
            self._worker = Worker(
                self._app,
                queues=[jobs.QUEUE],
                concurrency=CONVERSATIONS_AT_ONCE,
                fetch_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=STORE_PAUSE_SECONDS,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                update_heartbeat_interval=BEAT_SECONDS,
                stalled_worker_timeout=jobs.STALL_SECONDS,
            )
            try:
                await self._worker.run()
            except ConnectorException as error:
                log.error("jobs_unavailable", error=str(error.__cause__ or error))
            except Exception:
                # A replica that takes messages in and runs no turn would look well.
                log.exception("job_worker_failed")
            if not self._stopping:
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _take_care(self) -> None:
        """Hands on the jobs of dead replicas, and finds what was lost, until cancelled."""
        trusted_from = next_look = time.monotonic()
        lost: set[int] = set()
        while True:
            await asyncio.sleep(CARE_SECONDS)
            try:
                if self._stopping and self._worker is not None and self._worker.worker_id is not None:
                    # A worker that finishes its last jobs beats no more, and they would be taken from it.
                    await self._database.write(jobs.beat, self._worker.worker_id)
                if time.monotonic() >= trusted_from:
                    _report("resumed_from_crashed_replica", await self._database.write(jobs.hand_on_stalled))
                if time.monotonic() >= next_look:
                    lost = await self._look_back(lost)
                    next_look = time.monotonic() + LOOK_BACK_SECONDS
            except StoreError as error:
                log.warning("maintenance_postponed", error=str(error))
                # When the store comes back, every replica has been silent; each may first give its sign of life.
                trusted_from = time.monotonic() + jobs.STALL_SECONDS
            except Exception:
                log.exception("maintenance_failed")

    async def _let_go(self) -> None:
        """Ends the webhooks whose answers another replica makes, until cancelled: those go out by themselves."""
        while True:
            await asyncio.sleep(LET_GO_SECONDS)
            conversations = self._windows.conversations - set(self._running.values())
            worker_id = self._worker.worker_id if self._worker is not None else None
            if not conversations or worker_id is None:
                continue
            try:
                elsewhere = await self._database.read(jobs.running_elsewhere, worker_id, conversations)
            except StoreError as error:
                log.warning("webhook_release_failed", error=str(error))
                continue
            for conversation_id in elsewhere - set(self._running.values()):
                self._windows.release(conversation_id)

    async def _look_back(self, suspects: set[int]) -> set[int]:
        """Hands on jobs that are said to run here and do not, the second time they are found; returns the others."""
        await self._database.write(jobs.defer_forgotten)
        worker_id = self._worker.worker_id if self._worker is not None else None
        if worker_id is None:
            return set()
        missing = await self._database.read(jobs.doing, worker_id) - self._running.keys()
        if lost := missing & suspects:
            _report("lost_job_resumed", await self._database.write(jobs.hand_on_lost, worker_id, lost))
        return missing - suspects


def _pool(**settings: Any) -> AsyncConnectionPool:
    """procrastinate's pool, which would ask the server whether a connection is alive before every statement."""
    used_at: MutableMapping[AsyncConnection, float] = WeakKeyDictionary()

    async def check(connection: AsyncConnection) -> None:
        now = time.monotonic()
        if now - used_at.get(connection, 0.0) > TRUSTED_SECONDS:
            await AsyncConnectionPool.check_connection(connection)
        used_at[connection] = now

    return AsyncConnectionPool(**{**settings, "check": check})


def _report(event: str, found: Sequence[jobs.StrayJob]) -> None:
    for job in found:
        if job.is_given_up:
            log.error("conversation_given_up", conversation=job.conversation_id)
        else:
            log.warning(event, conversation=job.conversation_id, attempt=job.attempts)
