"""The reconciler's way to write into the bot store: by SQL, or over the runtime's API (docs/adr/0006-api-for-ci.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from runtime.store.database.url import is_api
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Lease, NoticeRecord, RunRecord


class StoreWriter(Protocol):
    """Writes of one apply. Thread-safe; every call is durable when it returns."""

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """Creates or replaces by id; returns what is stored, with its new version."""

    def delete_assistant(self, assistant_id: str) -> None:
        """Removes by id; an absent one is fine."""

    def put_bot(self, record: BotRecord) -> BotRecord:
        """Creates or replaces by id; raises NumberTaken when another bot has the number."""

    def move_numbers(self, numbers: Mapping[str, str]) -> None:
        """Gives bots, by id, their next numbers at one moment; raises NumberTaken when yet another bot has one."""

    def delete_bot(self, bot_id: str) -> None:
        """Removes by id; an absent one is fine."""

    def record_applied(self, record: AppliedRecord) -> None:
        """Keeps the values last applied to a client's resource."""

    def forget_applied(self, client: str, kind: str) -> None:
        """Drops them; absent ones are fine."""

    def acquire_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """Takes the lease; raises LeaseHeld when someone else's is alive."""

    def renew_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """Moves the end of our lease; raises LeaseHeld or LeaseLost when it is no longer ours."""

    def release_lease(self, owner: str, *, force: bool = False) -> None:
        """Gives the lease back; someone else's only with `force`."""

    def start_run(self, record: RunRecord) -> None:
        """Adds a run to the history."""

    def finish_run(self, record: RunRecord) -> None:
        """Writes how the run ended."""

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """The newest runs, newest first."""

    def put_notice(self, record: NoticeRecord) -> None:
        """Notes that a finding of drift was told on a channel."""

    def forget_notice(self, channel: str, finding: str) -> None:
        """Drops that note; an absent one is fine."""

    def close(self) -> None:
        """Lets go of connections."""


def open_writer(url: str, token: str | None = None) -> StoreWriter:
    """A writer for `sqlite:///…` or `postgresql://…` (migrated to head first), or for the runtime's API at `https://…`.

    Plain `http://` is for this machine only: the token would be readable on the way.
    """
    if is_api(url):
        from runtime.store.client.http_writer import HttpWriter

        return HttpWriter(url, token)
    # A far store needs none of SQLAlchemy, which takes a third of a second to import.
    from runtime.store.client.sql_writer import SqlWriter

    return SqlWriter(url)
