"""The inbox on PostgreSQL: any replica runs any conversation's turn, as a job of procrastinate.

    accept ── message + claimed job, one commit ──────────────────► turns ──► the job is deleted
       │                                                              │ crashes
       │ its conversation has a job, or this replica is full          └─► no heartbeat for STALL_SECONDS: requeued
       └─ message + job, one commit ──► NOTIFY ──► a replica fetches it ──► resume, turns ──► the job is deleted

procrastinate assigns jobs, keeps the order of a conversation (its lock) and retries failed jobs. What it leaves to the
application is the maintenance here, once a second on every replica: the jobs of crashed replicas are requeued. Claimed
jobs belong to a worker of their own, which has no loop that fetches jobs.
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
from runtime.store.encryption.keyring import connection_name
from runtime.store.errors import StoreError
from runtime.store.messages import jobs
from runtime.store.messages.held_jobs import HeldJobs
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.outbox import SendTakenOver
from runtime.store.messages.turns import Turn, TurnTakenOver
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns

CONVERSATIONS_AT_ONCE = 2_000
"""Maximum number of conversations that a replica works on; the rest waits in the store, for any replica."""
CONNECTIONS = 4
POLL_SECONDS = 1.0
"""Interval of polling for jobs: those whose pause is over, and those whose NOTIFY was lost. At 0.2 seconds it took half
of the CPU of a replica without messages."""
FINISH_SECONDS = 0.05
"""How long the job of a turn that has ended waits to be deleted together with others: alone, that would be one of four
transactions of a message. What its user wrote meanwhile waits for that."""
HEARTBEAT_SECONDS = 2.0
MAINTENANCE_SECONDS = 1.0
RELEASE_WEBHOOKS_SECONDS = 0.3
"""Interval of checking whether another replica answers a message whose webhook is held open here."""
LOST_JOBS_SECONDS = 5.0
"""Interval of searching for lost jobs, and for conversations without a job."""
STORE_PAUSE_SECONDS = 2.0
"""Pause before a failed job is retried."""

log = structlog.get_logger("runtime.inbox")


class Interrupted(Exception):
    """A conversation is not finished and this process is stopping."""


class Again(procrastinate.BaseRetryStrategy):
    """An interrupted job is retried at once, a failed one after a pause."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        """See BaseRetryStrategy; None gives the job up."""
        if isinstance(exception, Interrupted | asyncio.CancelledError):
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
                kwargs={"application_name": connection_name()},
            )
        )
        self._app.task(name=jobs.TASK, queue=jobs.QUEUE, pass_context=True, retry=Again())(self._answer)
        self._app.job_manager = HeldJobs(self._app.connector)
        self._worker: Worker | None = None
        self._claimer: int | None = None
        """The worker that claims jobs as messages are stored."""
        self._claimed: set[asyncio.Task[None]] = set()
        self._ended: list[int] = []
        """Claimed jobs that are to be deleted."""
        self._tasks: list[asyncio.Task[None]] = []

    async def accept(self, message: InboundMessage) -> StoredMessage | None:
        """See Inbox."""
        if self._claimer is None or self._stopping or self.busy >= CONVERSATIONS_AT_ONCE:
            return await self._database.write(jobs.store_message, message)
        memory_items = self._turns.memory_items if self._turns.begins_at_once else None
        stored = await self._database.write(jobs.store_and_claim, message, self._claimer, memory_items)
        if stored.job is not None:
            if stored.turn is not None:
                self._owned.adopt(stored.turn)
            task = asyncio.create_task(self._run_claimed(stored.job, stored.turn))
            self._running[stored.job.id] = stored.job.conversation_id
            self._claimed.add(task)
            task.add_done_callback(self._claimed.discard)
        return stored.message

    async def accept_all(self, messages: Sequence[InboundMessage]) -> list[StoredMessage | None]:
        """See Inbox."""
        return await self._database.write(jobs.store_messages, messages)

    async def send_rest(self, conversation_id: int) -> None:
        """See Inbox. Where this crashes, any replica finds a conversation with ready messages and no job."""
        await self._database.write(jobs.defer_rest, conversation_id)

    async def start(self) -> None:
        """See Inbox."""
        await self._app.open_async()
        forgotten = await self._database.write(jobs.defer_missing)
        if forgotten:
            log.info("resumed_after_restart", conversations=forgotten)
        self._claimer = await self._database.write(jobs.register)
        self._tasks = [asyncio.create_task(run()) for run in (self._work, self._maintain, self._release_webhooks)]

    async def stop(self, grace_seconds: float) -> None:
        """See Inbox."""
        self._stopping = True
        self._windows.close()
        if not self._tasks:
            return
        work, *others = self._tasks
        began = time.monotonic()
        if self._claimed:
            _, late = await asyncio.wait(self._claimed, timeout=grace_seconds)
            for claimed in late:
                claimed.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        grace_seconds = max(grace_seconds - (time.monotonic() - began), 0.0)
        if self._worker is not None:
            self._worker.shutdown_graceful_timeout = grace_seconds
            self._worker.stop()
        await asyncio.gather(work, return_exceptions=True)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._ended:
            await self._finish(self._ended)
        if self._claimer is not None:
            await self._database.write(jobs.unregister, self._claimer)
        await self._app.close_async()
        self._windows.release_all()

    @property
    def busy(self) -> int:
        """See Inbox."""
        return len(self._running)

    async def _answer(self, context: procrastinate.JobContext, conversation_id: int, resume: bool) -> None:
        """The job that procrastinate runs."""
        await self._run(context.job.id or 0, conversation_id, resume or context.job.attempts > 0)

    async def _run_claimed(self, job: jobs.ClaimedJob, begun: Turn | None) -> None:
        """Runs a job that was stored with its message, and records its end."""
        try:
            await self._run(job.id, job.conversation_id, False, begun)
        except (Interrupted, asyncio.CancelledError):
            await self._requeue(job, 0.0)
        except Exception:  # noqa: BLE001 - logged where it failed; any replica runs it again
            await self._requeue(job, STORE_PAUSE_SECONDS)
        else:
            if not self._ended:
                asyncio.get_running_loop().call_later(FINISH_SECONDS, self._finish_ended)
            self._ended.append(job.id)

    async def _run(self, job_id: int, conversation_id: int, resume: bool, begun: Turn | None = None) -> None:
        self._running[job_id] = conversation_id
        try:
            await self._converse(conversation_id, resume, begun)
        except (TurnTakenOver, SendTakenOver) as error:
            log.warning("taken_over", error=str(error))
        except StoreError as error:
            log.error("store_unavailable", error=str(error))
            raise
        except (Interrupted, asyncio.CancelledError):
            await self._owned.release(conversation_id)
            raise
        except Exception:
            log.exception("conversation_failed", conversation=conversation_id)
            raise
        finally:
            self._running.pop(job_id, None)

    async def _converse(self, conversation_id: int, resume: bool, begun: Turn | None) -> None:
        if resume:
            await self._delivery.resume(conversation_id)
        while await self._turns.run(conversation_id, begun):
            begun = None
            if self._stopping:
                raise Interrupted

    async def _requeue(self, job: jobs.ClaimedJob, seconds: float) -> None:
        try:
            await self._database.write(jobs.retry, job.id, seconds)
        except StoreError as error:
            # It counts as lost, or as a crashed replica's, and is requeued as such.
            log.warning("job_not_requeued", conversation=job.conversation_id, error=str(error))

    def _finish_ended(self) -> None:
        """Deletes the claimed jobs that ended in the last FINISH_SECONDS."""
        if self._stopping:
            return
        ended, self._ended = self._ended, []
        task = asyncio.create_task(self._finish(ended))
        self._claimed.add(task)
        task.add_done_callback(self._claimed.discard)

    async def _finish(self, ended: Sequence[int]) -> None:
        try:
            await self._database.write(jobs.finish, ended)
        except StoreError as error:
            log.warning("jobs_not_deleted", jobs=len(ended), error=str(error))

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
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=jobs.STALL_SECONDS,
            )
            try:
                await self._worker.run()
            except ConnectorException as error:
                log.error("jobs_unavailable", error=str(error.__cause__ or error))
            except Exception:
                # A replica that stores messages and runs no turn would seem healthy.
                log.exception("job_worker_failed")
            if not self._stopping:
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _maintain(self) -> None:
        """Requeues the jobs of crashed replicas, and lost jobs, until cancelled."""
        trusted_from = next_search = time.monotonic()
        lost: set[int] = set()
        while True:
            await asyncio.sleep(MAINTENANCE_SECONDS)
            try:
                if self._stopping and self._worker is not None and self._worker.worker_id is not None:
                    # A worker that finishes its last jobs sends no more heartbeats, and they would be requeued.
                    await self._database.write(jobs.heartbeat, self._worker.worker_id)
                if self._claimer is not None and not await self._database.write(jobs.heartbeat, self._claimer):
                    # It was silent for more than STALL_SECONDS, and its jobs were requeued.
                    self._claimer = await self._database.write(jobs.register)
                if time.monotonic() >= trusted_from:
                    _report("resumed_from_crashed_replica", await self._database.write(jobs.requeue_stalled))
                if time.monotonic() >= next_search:
                    lost = await self._requeue_lost(lost)
                    next_search = time.monotonic() + LOST_JOBS_SECONDS
            except StoreError as error:
                log.warning("maintenance_postponed", error=str(error))
                # When the store is available again, every replica has been silent; each may first send a heartbeat.
                trusted_from = time.monotonic() + jobs.STALL_SECONDS
            except Exception:
                log.exception("maintenance_failed")

    async def _release_webhooks(self) -> None:
        """Releases webhooks whose messages another replica answers, or has found to need no answer, until cancelled:
        those answers are sent over REST."""
        while True:
            await asyncio.sleep(RELEASE_WEBHOOKS_SECONDS)
            conversations = self._windows.conversations - set(self._running.values())
            if not conversations:
                continue
            messages = self._windows.messages_of(conversations)
            try:
                elsewhere = await self._database.read(jobs.answered_elsewhere, self._workers, conversations, messages)
            except StoreError as error:
                log.warning("webhook_release_failed", error=str(error))
                continue
            for conversation_id in elsewhere - set(self._running.values()):
                self._windows.release(conversation_id)

    async def _requeue_lost(self, suspects: set[int]) -> set[int]:
        """Requeues jobs that are recorded as running here and do not, the second time they are found; returns the
        others."""
        await self._database.write(jobs.defer_missing)
        missing = await self._database.read(jobs.claimed_by, self._workers) - self._running.keys()
        if lost := missing & suspects:
            _report("lost_job_resumed", await self._database.write(jobs.requeue_lost, self._workers, lost))
        return missing - suspects

    @property
    def _workers(self) -> list[int]:
        """This replica's workers in the store."""
        fetching = self._worker.worker_id if self._worker is not None else None
        return [worker_id for worker_id in (fetching, self._claimer) if worker_id is not None]


def _pool(**settings: Any) -> AsyncConnectionPool:
    """procrastinate's pool, without its check of a recently used connection before every statement."""
    used_at: MutableMapping[AsyncConnection, float] = WeakKeyDictionary()

    async def check(connection: AsyncConnection) -> None:
        now = time.monotonic()
        if now - used_at.get(connection, 0.0) > TRUSTED_SECONDS:
            await AsyncConnectionPool.check_connection(connection)
        used_at[connection] = now

    return AsyncConnectionPool(**{**settings, "check": check})


def _report(event: str, found: Sequence[jobs.RequeuedJob]) -> None:
    for job in found:
        if job.is_given_up:
            log.error("conversation_given_up", conversation=job.conversation_id)
        else:
            log.warning(event, conversation=job.conversation_id, attempt=job.attempts)
