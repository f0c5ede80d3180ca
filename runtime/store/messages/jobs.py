"""Turns as jobs of procrastinate, PostgreSQL only: the replica that fetches one runs it. Functions over a connection.

A message and the job that answers it are created in one transaction, so there is never one without the other. The lock
of a job is its conversation: procrastinate runs the jobs of a lock one at a time, in order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.messages import inbox
from runtime.store.messages.inbox import InboundMessage, StoredMessage

QUEUE = "turns"
TASK = "answer"
STALL_SECONDS = 6.0
"""A replica without a heartbeat for this many seconds counts as crashed."""
MAX_ATTEMPTS = 20
"""A job that crashes every process is begun this often at most; its turn is given up long before, at MAX_CRASHES."""
MAINTENANCE_LOCK = 7_402_217
"""Key of the advisory lock under which stalled jobs are requeued, so that only one of two replicas requeues a job."""

DEFER = Statement(
    f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('{QUEUE}', '{TASK}', 0, CAST(:conversation_id AS text), NULL,"
    " jsonb_build_object('conversation_id', CAST(:conversation_id AS bigint), 'resume', CAST(:resume AS boolean)),"
    " NULL)::procrastinate_job_to_defer_v1])"
)
MISSING = Statement(
    "SELECT conversation_id FROM (SELECT conversation_id FROM inbox WHERE state = 'open' UNION"
    " SELECT conversation_id FROM outbox WHERE state IN ('ready', 'sending') AND turn_id IS NOT NULL) AS unfinished"
    " WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = CAST(conversation_id AS text)"
    " AND status IN ('todo', 'doing'))"
)
TAKE_MAINTENANCE_LOCK = Statement("SELECT pg_try_advisory_xact_lock(:key)")
STALLED = Statement(
    "SELECT job.id, job.lock, job.attempts FROM procrastinate_jobs AS job"
    " LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id"
    " WHERE job.status = 'doing' AND (worker.id IS NULL"
    " OR worker.last_heartbeat < now() - make_interval(secs => :stall_seconds)) ORDER BY job.id"
)
CLAIMED = Statement(
    "SELECT id, lock, attempts FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker_id"
)
ELSEWHERE = Statement(
    "SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND lock = ANY(:locks) AND worker_id <> :worker_id"
)
AGAIN = Statement("SELECT procrastinate_retry_job_v2(:id, NULL, NULL, NULL, NULL)")
GIVE_UP = Statement("SELECT procrastinate_finish_job_v1(:id, 'failed', true)")
PRUNE = Statement("SELECT procrastinate_prune_stalled_workers_v1(CAST(:stall_seconds AS float))")
HEARTBEAT = Statement("SELECT procrastinate_update_heartbeat_v1(:worker_id)")


@dataclass(frozen=True, slots=True)
class RequeuedJob:
    """A job that was begun and that no process runs."""

    id: int
    conversation_id: str
    attempts: int

    @property
    def is_given_up(self) -> bool:
        """Whether it was begun too often to be begun again."""
        return self.attempts >= MAX_ATTEMPTS


def store_message(connection: Connection, message: InboundMessage) -> StoredMessage | None:
    """Stores a message together with its job; None for a duplicate."""
    taken = inbox.store_message(connection, message)
    if taken is not None:
        DEFER.run(connection, conversation_id=taken.conversation_id, resume=False)
    return taken


def store_messages(connection: Connection, messages: Sequence[InboundMessage]) -> list[StoredMessage | None]:
    """Stores messages in their order, as `store_message` does each."""
    return [store_message(connection, message) for message in messages]


def defer_rest(connection: Connection, conversation_id: int) -> None:
    """Creates a job that sends what is ready in the outbox for a conversation."""
    DEFER.run(connection, conversation_id=conversation_id, resume=True)


def defer_missing(connection: Connection) -> int:
    """Creates a job for each conversation with unanswered or unsent messages and no job; returns how many.

    These come from another driver, or were reopened by hand.
    """
    forgotten = MISSING.rows(connection)
    for (conversation_id,) in forgotten:
        DEFER.run(connection, conversation_id=conversation_id, resume=True)
    return len(forgotten)


def requeue_stalled(connection: Connection) -> Sequence[RequeuedJob]:
    """Requeues the jobs of crashed replicas, then deletes those replicas; returns the jobs.

    In this order: procrastinate no longer finds a deleted replica's jobs by its heartbeat.
    """
    (mine,) = TAKE_MAINTENANCE_LOCK.one(connection, key=MAINTENANCE_LOCK)
    if not mine:
        return ()
    found = [RequeuedJob(*row) for row in STALLED.rows(connection, stall_seconds=STALL_SECONDS)]
    _requeue(connection, found)
    PRUNE.run(connection, stall_seconds=STALL_SECONDS)
    return found


def requeue_lost(connection: Connection, worker_id: int, lost: Collection[int]) -> Sequence[RequeuedJob]:
    """Requeues jobs that a running replica has lost: it ended them, and could not record that."""
    found = [RequeuedJob(*row) for row in CLAIMED.rows(connection, worker_id=worker_id) if row[0] in lost]
    _requeue(connection, found)
    return found


def claimed_by(connection: Connection, worker_id: int) -> set[int]:
    """Jobs that are recorded as running on a replica."""
    return {row[0] for row in CLAIMED.rows(connection, worker_id=worker_id)}


def running_elsewhere(connection: Connection, worker_id: int, conversations: Collection[int]) -> set[int]:
    """Which of these conversations have a job that another replica has begun."""
    locks = [str(conversation_id) for conversation_id in conversations]
    return {int(lock) for (lock,) in ELSEWHERE.rows(connection, locks=locks, worker_id=worker_id)}


def heartbeat(connection: Connection, worker_id: int) -> None:
    """Records a heartbeat."""
    HEARTBEAT.run(connection, worker_id=worker_id)


def _requeue(connection: Connection, found: Sequence[RequeuedJob]) -> None:
    for job in found:
        (GIVE_UP if job.is_given_up else AGAIN).run(connection, id=job.id)
