"""Turns as jobs of procrastinate, PostgreSQL only: whichever replica fetches one runs it. Functions over a connection.

A message and the job that answers it are made in one transaction, so there is never one without the other. The lock of
a job is its conversation: procrastinate runs the jobs of a lock one at a time, in order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.messages import inbox
from runtime.store.messages.inbox import InboundMessage, Taken

QUEUE = "turns"
TASK = "answer"
STALL_SECONDS = 6.0
"""A replica that gave no sign of life for so long is taken for dead."""
MAX_ATTEMPTS = 20
"""A job that ends every process it runs in is not begun for ever; its turn is given up long before, at MAX_ENDS."""
CARE_LOCK = 7_402_217
"""Key of the advisory lock under which stalled jobs are handed on: two replicas that both found one must not both."""

DEFER = Statement(
    f"SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('{QUEUE}', '{TASK}', 0, CAST(:conversation_id AS text), NULL,"
    " jsonb_build_object('conversation_id', CAST(:conversation_id AS bigint), 'resume', CAST(:resume AS boolean)),"
    " NULL)::procrastinate_job_to_defer_v1])"
)
FORGOTTEN = Statement(
    "SELECT conversation_id FROM (SELECT conversation_id FROM inbox WHERE state = 'open' UNION"
    " SELECT conversation_id FROM outbox WHERE state IN ('ready', 'sending') AND turn_id IS NOT NULL) AS unfinished"
    " WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = CAST(conversation_id AS text)"
    " AND status IN ('todo', 'doing'))"
)
TAKE_CARE_LOCK = Statement("SELECT pg_try_advisory_xact_lock(:key)")
STALLED = Statement(
    "SELECT job.id, job.lock, job.attempts FROM procrastinate_jobs AS job"
    " LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id"
    " WHERE job.status = 'doing' AND (worker.id IS NULL"
    " OR worker.last_heartbeat < now() - make_interval(secs => :stall_seconds)) ORDER BY job.id"
)
DOING = Statement("SELECT id, lock, attempts FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker_id")
ELSEWHERE = Statement(
    "SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND lock = ANY(:locks) AND worker_id <> :worker_id"
)
AGAIN = Statement("SELECT procrastinate_retry_job_v2(:id, NULL, NULL, NULL, NULL)")
GIVE_UP = Statement("SELECT procrastinate_finish_job_v1(:id, 'failed', true)")
PRUNE = Statement("SELECT procrastinate_prune_stalled_workers_v1(CAST(:stall_seconds AS float))")
BEAT = Statement("SELECT procrastinate_update_heartbeat_v1(:worker_id)")


@dataclass(frozen=True, slots=True)
class StrayJob:
    """A job that somebody began and nobody runs."""

    id: int
    conversation_id: str
    attempts: int

    @property
    def is_given_up(self) -> bool:
        """Whether it was begun too often to be begun once more."""
        return self.attempts >= MAX_ATTEMPTS


def take_in(connection: Connection, message: InboundMessage) -> Taken | None:
    """Stores a message together with its job; None when it is here already."""
    taken = inbox.take_in(connection, message)
    if taken is not None:
        DEFER.run(connection, conversation_id=taken.conversation_id, resume=False)
    return taken


def take_in_all(connection: Connection, messages: Sequence[InboundMessage]) -> list[Taken | None]:
    """Stores messages in their order, as `take_in` does each."""
    return [take_in(connection, message) for message in messages]


def defer_forgotten(connection: Connection) -> int:
    """Makes a job for each conversation that has something unanswered or unsent and no job; returns how many.

    These come from another driver, or were opened again by hand.
    """
    forgotten = FORGOTTEN.rows(connection)
    for (conversation_id,) in forgotten:
        DEFER.run(connection, conversation_id=conversation_id, resume=True)
    return len(forgotten)


def hand_on_stalled(connection: Connection) -> Sequence[StrayJob]:
    """Gives jobs of dead replicas to the living, then forgets the dead; returns those jobs.

    In this order: procrastinate finds a forgotten replica's jobs no longer by its heart-beat.
    """
    (mine,) = TAKE_CARE_LOCK.one(connection, key=CARE_LOCK)
    if not mine:
        return ()
    found = [StrayJob(*row) for row in STALLED.rows(connection, stall_seconds=STALL_SECONDS)]
    _hand_on(connection, found)
    PRUNE.run(connection, stall_seconds=STALL_SECONDS)
    return found


def hand_on_lost(connection: Connection, worker_id: int, lost: Collection[int]) -> Sequence[StrayJob]:
    """Gives back those jobs that a living replica has lost track of: it ran them, and could not say so."""
    found = [StrayJob(*row) for row in DOING.rows(connection, worker_id=worker_id) if row[0] in lost]
    _hand_on(connection, found)
    return found


def doing(connection: Connection, worker_id: int) -> set[int]:
    """Jobs that a replica is said to run."""
    return {row[0] for row in DOING.rows(connection, worker_id=worker_id)}


def running_elsewhere(connection: Connection, worker_id: int, conversations: Collection[int]) -> set[int]:
    """Which of these conversations have a job that another replica has begun."""
    locks = [str(conversation_id) for conversation_id in conversations]
    return {int(lock) for (lock,) in ELSEWHERE.rows(connection, locks=locks, worker_id=worker_id)}


def beat(connection: Connection, worker_id: int) -> None:
    """A sign of life."""
    BEAT.run(connection, worker_id=worker_id)


def _hand_on(connection: Connection, found: Sequence[StrayJob]) -> None:
    for job in found:
        (GIVE_UP if job.is_given_up else AGAIN).run(connection, id=job.id)
