"""Turns as jobs of procrastinate, PostgreSQL only: the replica that fetches one runs it. Functions over a connection.

A message and the job that answers it are created in one transaction, so there is never one without the other. The lock
of a job is its conversation: procrastinate runs the jobs of a lock one at a time, in order of their ids.

    stored ──► todo ──fetched by any replica──► doing ──► deleted
       └───────────────claimed with it────────────┘

Where its conversation has no job, the replica that stores a message claims the job in the same transaction, and runs
it. procrastinate's fetch, which is not needed then, costs more than all that the turn itself does in the database. The
job insures the turn: when its replica crashes, another one fetches it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from runtime.store.database.statement import Statement, pipelined
from runtime.store.messages import inbox
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.turn_start import begin_stored, surroundings_later
from runtime.store.messages.turns import Turn

QUEUE = "turns"
TASK = "answer"
STALL_SECONDS = 6.0
"""A replica without a heartbeat for this many seconds counts as crashed."""
MAX_ATTEMPTS = 20
"""A job that crashes every process is begun this often at most; its turn is given up long before, at MAX_CRASHES."""
MAINTENANCE_LOCK = 7_402_217
"""Key of the advisory lock under which stalled jobs are requeued, so that only one of two replicas requeues a job."""

WAKE = f"""pg_notify('procrastinate_queue_v1#{QUEUE}', '{{"type": "job_inserted", "job_id": 0}}')"""
"""Has every replica look for a job, as procrastinate does for one that is inserted. It does not for one that waited for
its conversation, nor for one that is requeued."""

DEFER = Statement(
    f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('{QUEUE}', '{TASK}', 0, CAST(:conversation_id AS text), NULL,"
    " jsonb_build_object('conversation_id', CAST(:conversation_id AS bigint), 'resume', CAST(:resume AS boolean)),"
    " NULL)::procrastinate_job_to_defer_v1])"
)
CLAIM = Statement(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)"  # noqa: S608
    f" SELECT '{QUEUE}', '{TASK}', CAST(:conversation_id AS text),"
    " jsonb_build_object('conversation_id', CAST(:conversation_id AS bigint), 'resume', false), 'doing', id"
    " FROM procrastinate_workers WHERE id = :worker_id AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs"
    " WHERE lock = CAST(:conversation_id AS text) AND status IN ('todo', 'doing'))"
    " ON CONFLICT DO NOTHING RETURNING id"
)
"""A job that its creator runs; none where the conversation has one, nor for a worker that was pruned."""
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
    "SELECT id, lock, attempts FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(:workers)"
)
ELSEWHERE = Statement(
    "SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND lock = ANY(:locks) AND worker_id <> ALL(:workers)"
    " UNION SELECT CAST(conversation_id AS text) FROM inbox WHERE id = ANY(:messages) AND state <> 'open'"
)
AGAIN = Statement(f"SELECT procrastinate_retry_job_v2(:id, NULL, NULL, NULL, NULL), {WAKE}")
GIVE_UP = Statement("SELECT procrastinate_finish_job_v1(:id, 'failed', true)")
FINISH = Statement(
    "WITH ended AS (DELETE FROM procrastinate_jobs"  # noqa: S608
    " WHERE id = ANY(:ids) AND status = 'doing' AND attempts = 0 RETURNING lock)"
    f" SELECT {WAKE} FROM ended WHERE EXISTS"
    " (SELECT 1 FROM procrastinate_jobs WHERE lock = ended.lock AND status = 'todo')"
)
RETRY = Statement(
    f"SELECT procrastinate_retry_job_v2(id, now() + make_interval(secs => :seconds), NULL, NULL, NULL), {WAKE}"  # noqa: S608
    " FROM (SELECT id FROM procrastinate_jobs WHERE id = :id AND status = 'doing' AND attempts = 0 FOR UPDATE) AS job"
)
PRUNE = Statement("SELECT procrastinate_prune_stalled_workers_v1(CAST(:stall_seconds AS float))")
REGISTER = Statement("SELECT worker_id FROM procrastinate_register_worker_v1()")
UNREGISTER = Statement("SELECT procrastinate_unregister_worker_v1(:worker_id)")
HEARTBEAT = Statement("UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = :worker_id")


class ClaimedJob(NamedTuple):
    """A job that this replica created for itself."""

    id: int
    conversation_id: int


class StoredAndClaimed(NamedTuple):
    """A message that was stored; all None for a duplicate."""

    message: StoredMessage | None
    job: ClaimedJob | None
    """None: any replica runs its job."""
    turn: Turn | None
    """Of the job, where it is begun already."""


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


@pipelined
def store_message(connection: Connection, message: InboundMessage) -> StoredMessage | None:
    """Stores a message together with its job; None for a duplicate."""
    taken = inbox.store_message(connection, message)
    if taken is not None:
        _defer(connection, taken.conversation_id)
    return taken


@pipelined
def store_and_claim(
    connection: Connection, message: InboundMessage, worker_id: int, memory_items: int | None
) -> StoredAndClaimed:
    """Stores a message together with its job, and claims that for a worker of this process where the conversation has
    no other. `memory_items`: the turn is begun too, as by `store_and_begin`; None where messages are waited for."""
    taken = inbox.store_message(connection, message)
    if taken is None:
        return StoredAndClaimed(None, None, None)
    claimed = CLAIM.rows_later(connection, conversation_id=taken.conversation_id, worker_id=worker_id)
    surroundings = None if memory_items is None else surroundings_later(connection, taken, memory_items)
    found = claimed()
    if not found:
        _defer(connection, taken.conversation_id)
        return StoredAndClaimed(taken, None, None)
    job = ClaimedJob(found[0][0], taken.conversation_id)
    turn = None if surroundings is None else begin_stored(connection, message, taken, surroundings)
    return StoredAndClaimed(taken, job, turn)


def store_messages(connection: Connection, messages: Sequence[InboundMessage]) -> list[StoredMessage | None]:
    """Stores messages in their order, as `store_message` does each."""
    return [store_message(connection, message) for message in messages]


def defer_rest(connection: Connection, conversation_id: int) -> None:
    """Creates a job that sends what is ready in the outbox for a conversation."""
    _defer(connection, conversation_id, resume=True)


def defer_missing(connection: Connection) -> int:
    """Creates a job for each conversation with unanswered or unsent messages and no job; returns how many.

    These come from another driver, or were reopened by hand.
    """
    forgotten = MISSING.rows(connection)
    for (conversation_id,) in forgotten:
        _defer(connection, conversation_id, resume=True)
    return len(forgotten)


@pipelined
def finish(connection: Connection, ended: Collection[int]) -> None:
    """Deletes claimed jobs that this process has ended, unless they were requeued since, and has the next ones of their
    conversations fetched."""
    FINISH.do(connection, ids=list(ended))


@pipelined
def retry(connection: Connection, job_id: int, seconds: float) -> None:
    """Requeues a claimed job, for any replica to begin after a pause, unless it was requeued since."""
    RETRY.do(connection, id=job_id, seconds=seconds)


def register(connection: Connection) -> int:
    """A new worker, which claims jobs for this process; returns its id."""
    return int(REGISTER.one(connection)[0])


def unregister(connection: Connection, worker_id: int) -> None:
    """Deletes a worker. Jobs that it has not ended are requeued by any replica."""
    UNREGISTER.do(connection, worker_id=worker_id)


def requeue_stalled(connection: Connection) -> Sequence[RequeuedJob]:
    """Requeues the jobs of crashed replicas, then deletes those replicas; returns the jobs.

    In this order: procrastinate no longer finds a deleted replica's jobs by its heartbeat.
    """
    (mine,) = TAKE_MAINTENANCE_LOCK.one(connection, key=MAINTENANCE_LOCK)
    if not mine:
        return ()
    found = [RequeuedJob(*row) for row in STALLED.rows(connection, stall_seconds=STALL_SECONDS)]
    _requeue(connection, found)
    PRUNE.do(connection, stall_seconds=STALL_SECONDS)
    return found


def requeue_lost(connection: Connection, workers: Collection[int], lost: Collection[int]) -> Sequence[RequeuedJob]:
    """Requeues jobs that a running replica has lost: it ended them, and could not record that."""
    found = [RequeuedJob(*row) for row in CLAIMED.rows(connection, workers=list(workers)) if row[0] in lost]
    _requeue(connection, found)
    return found


def claimed_by(connection: Connection, workers: Collection[int]) -> set[int]:
    """Jobs that are recorded as running on a replica's workers."""
    return {row[0] for row in CLAIMED.rows(connection, workers=list(workers))}


def answered_elsewhere(
    connection: Connection, workers: Collection[int], conversations: Collection[int], messages: Collection[int]
) -> set[int]:
    """Which of these conversations have a job that another replica has begun, or had one that is over: a turn without
    an answer takes a few milliseconds. `messages`: theirs, by inbox id."""
    locks = [str(conversation_id) for conversation_id in conversations]
    found = ELSEWHERE.rows(connection, locks=locks, workers=list(workers), messages=list(messages))
    return {int(lock) for (lock,) in found}


def heartbeat(connection: Connection, worker_id: int) -> bool:
    """Records a heartbeat; False when the worker was pruned, since it was silent for too long."""
    return HEARTBEAT.run(connection, worker_id=worker_id) == 1


def _defer(connection: Connection, conversation_id: int, *, resume: bool = False) -> None:
    DEFER.do(connection, conversation_id=conversation_id, resume=resume)


def _requeue(connection: Connection, found: Sequence[RequeuedJob]) -> None:
    for job in found:
        (GIVE_UP if job.is_given_up else AGAIN).do(connection, id=job.id)
