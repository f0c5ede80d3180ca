"""procrastinate's job manager, PostgreSQL only: a replica that was silent ends no job that was requeued since.

By procrastinate's own statements a job is ended by its id, regardless of its worker: another replica would lose the
conversation's lock in the middle of a turn (docs/adr/0004).
"""

from __future__ import annotations

from datetime import datetime

from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager


class HeldJobs(JobManager):
    """procrastinate's job manager; a replica that was silent ends no job that was requeued since.

    Why this is needed, and the issue to offer upstream: docs/adr/0004-procrastinate-pinned.md.
    """

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """See JobManager."""
        ended = "procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s)"
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
        ended = "procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s)"
        await self._end(ended, job, retry_at=retry_at, priority=priority, queue=queue, lock=lock)

    async def _end(self, ended: str, job: Job, **values: object) -> None:
        """Calls a function of procrastinate, unless the job was begun again since."""
        mine = "id = %(id)s AND status = 'doing' AND attempts = %(attempts)s"
        query = f"SELECT {ended} FROM (SELECT id FROM procrastinate_jobs WHERE {mine} FOR UPDATE) AS job"  # noqa: S608
        await self.connector.execute_query_async(query, id=job.id, attempts=job.attempts, **values)
