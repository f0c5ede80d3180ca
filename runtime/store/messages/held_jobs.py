"""procrastinate's job manager, PostgreSQL only: a replica that was silent ends no job that was requeued since, and no
job that can be fetched waits for polling.

By procrastinate's own statements a job is ended by its id, regardless of its worker: another replica would lose the
conversation's lock in the middle of a turn (docs/adr/0004). There is a NOTIFY for a job that is inserted, none for one
that can be fetched because another one has ended; and one that comes while a worker is fetching is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import JobManager, NotificationCallback

from runtime.store.messages.jobs import WAKE

NEXT_WAITS = "EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = job.lock AND status = 'todo')"


class HeldJobs(JobManager):
    """See above. Why this is needed, and the issue to offer upstream: docs/adr/0004-procrastinate-pinned.md."""

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self._notifications = 0
        """How many have come."""

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """See JobManager."""

        async def counted(*, channel: str, notification: Notification) -> None:
            self._notifications += 1
            await on_notification(channel=channel, notification=notification)

        await super().listen_for_jobs(on_notification=counted, queues=queues)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """See JobManager. What a notification is about that comes meanwhile may not have been seen, and the worker
        forgets it afterwards."""
        while True:
            before = self._notifications
            job = await super().fetch_job(queues, worker_id)
            if job is not None or self._notifications == before:
                return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """See JobManager."""
        ended = f"procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s), CASE WHEN {NEXT_WAITS} THEN {WAKE} END"
        await self._end(ended, job, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """See JobManager."""
        ended = f"procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s), {WAKE}"
        await self._end(ended, job, retry_at=retry_at, priority=priority, queue=queue, lock=lock)

    async def _end(self, ended: str, job: Job, **values: object) -> None:
        """Calls functions, unless the job was begun again since."""
        mine = "id = %(id)s AND status = 'doing' AND attempts = %(attempts)s"
        query = f"SELECT {ended} FROM (SELECT id, lock FROM procrastinate_jobs WHERE {mine} FOR UPDATE) AS job"  # noqa: S608
        await self.connector.execute_query_async(query, id=job.id, attempts=job.attempts, **values)
