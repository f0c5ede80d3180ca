"""The reconciler's writes to the bot store: by SQL, or over the runtime's API (docs/adr/0006-api-for-ci.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from runtime.store.database.url import is_api
from runtime.store.history_records import Lease, NoticeRecord, RunRecord
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord

if TYPE_CHECKING:  # pydantic's models of it are needed with --report only
    from schemas.reconcile_reports import RecordedReport


class StoreWriter(Protocol):
    """Writes of one apply. Thread-safe; every call is durable when it returns."""

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """Creates or replaces by id; returns the stored record, with its new version."""

    def delete_assistant(self, assistant_id: str) -> None:
        """Removes by id; one that does not exist is ignored."""

    def put_bot(self, record: BotRecord, replacing: str | None = None) -> BotRecord:
        """Creates or replaces by id; raises NumberTaken when another bot has the number, other than the one that it is
        `replacing`, which is deleted in the same transaction."""

    def move_numbers(self, numbers: Mapping[str, str], replacing: str | None = None) -> None:
        """Gives bots, by id, their next numbers in one transaction; raises NumberTaken when yet another bot has one,
        other than the one that they are `replacing`, which is deleted."""

    def delete_bot(self, bot_id: str) -> None:
        """Removes by id; one that does not exist is ignored."""

    def has_file(self, sha256: str) -> bool:
        """Whether the bytes with this hash are stored."""

    def put_file(self, sha256: str, content: Iterable[bytes]) -> None:
        """Stores the bytes of a file; raises FileDiffers when they are not those of the hash, FileTooLarge."""

    def delete_unnamed_files(self) -> int:
        """Deletes files that no bot has named for a week; returns their number."""

    def record_applied(self, record: AppliedRecord) -> None:
        """Stores the values last applied to a client's resource."""

    def forget_applied(self, client: str, kind: str) -> None:
        """Deletes them; records that do not exist are ignored."""

    def rename_client(self, former: str, client: str, managed_by: str | None) -> None:
        """Gives all that the store has of a client its new id, in one transaction; again it has no effect."""

    def acquire_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """Acquires the lease; raises LeaseHeld when another owner's has not expired."""

    def renew_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """Renews our lease; raises LeaseHeld or LeaseLost when it is no longer ours."""

    def release_lease(self, owner: str, *, force: bool = False) -> None:
        """Releases the lease; another owner's only with `force`."""

    def start_run(self, record: RunRecord) -> None:
        """Adds a run to the history, once; raises RunDiffers when another run has its id."""

    def finish_run(self, record: RunRecord) -> None:
        """Records the result of the run."""

    def record_report(self, report: RecordedReport) -> None:
        """Records what a run found, for the console; an older result than the recorded one is ignored."""

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """The newest runs, newest first."""

    def claim_notice(self, channel: str, finding: str, fingerprint: str | None, owner: str, ttl_seconds: float) -> bool:
        """Whether this owner, and no other until then, sends a finding of drift, or without a fingerprint its
        resolution, to a channel; False when another one does, or has."""

    def release_claim(self, channel: str, finding: str, owner: str) -> None:
        """Releases that claim; one that does not exist is ignored."""

    def put_notice(self, record: NoticeRecord) -> None:
        """Records that a finding of drift was sent to a channel."""

    def forget_notice(self, channel: str, finding: str) -> None:
        """Deletes that record; one that does not exist is ignored."""

    def close(self) -> None:
        """Closes the connections."""


def open_writer(url: str, token: str | None = None) -> StoreWriter:
    """A writer for `sqlite:///…` or `postgresql://…` (migrated to head first), or for the runtime's API at `https://…`.

    Plain `http://` is for this machine only: the token would be readable on the way.
    """
    if is_api(url):
        from runtime.store.client.http_writer import HttpWriter

        return HttpWriter(url, token)
    # A remote store does not need SQLAlchemy, which takes a third of a second to import.
    from runtime.store.client.sql_writer import SqlWriter

    return SqlWriter(url)
