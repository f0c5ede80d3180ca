"""StoreWriter over SQLAlchemy: one transaction for each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from runtime.store import catalog_changes, files, reconcile_reports, reconcile_state
from runtime.store.audit import Actor, Entry, audited
from runtime.store.catalog_changes import Author
from runtime.store.database.engine import store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.errors import FileDiffers, FileTooLarge, ObjectNotFound
from runtime.store.history_records import Lease, NoticeRecord, RunRecord
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from schemas.reconcile_reports import RecordedReport
from terminal.person import session_address, user_at_host

P = ParamSpec("P")
T = TypeVar("T")


class SqlWriter:
    """Writes into SQLite or PostgreSQL directly. Brings the schema to head when it is opened."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = open_migrated(url, reads_texts=False)
        self._author = Author(Actor(user_at_host(), "reconcile", session_address()))
        # SQLite has one writer at a time; a queue here is fair and cheaper than its busy polling.
        self._turn = threading.Lock() if self._engine.dialect.name == "sqlite" else threading.Semaphore(5)

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """See StoreWriter."""
        return self._run(catalog_changes.declare, record, self._author)[0]

    def delete_assistant(self, assistant_id: str) -> None:
        """See StoreWriter."""
        with suppress(ObjectNotFound):
            self._run(catalog_changes.withdraw, AssistantRecord, assistant_id, self._author)

    def put_bot(self, record: BotRecord, replacing: str | None = None) -> BotRecord:
        """See StoreWriter."""
        return self._run(catalog_changes.declare, record, self._author, replacing)[0]

    def move_numbers(self, numbers: Mapping[str, str], replacing: str | None = None) -> None:
        """See StoreWriter."""
        self._run(catalog_changes.move_numbers, numbers, replacing, self._author)

    def delete_bot(self, bot_id: str) -> None:
        """See StoreWriter."""
        with suppress(ObjectNotFound):
            self._run(catalog_changes.withdraw, BotRecord, bot_id, self._author)

    def has_file(self, sha256: str) -> bool:
        """See StoreWriter."""
        return self._run(files.size_of, sha256) is not None

    def put_file(self, sha256: str, content: Iterable[bytes]) -> None:
        """See StoreWriter."""
        receiving = files.Receiving(sha256)
        try:
            for part in content:
                for number, piece in receiving.pieces(part):
                    self._run(files.add_piece, receiving.upload, number, piece)
            for number, piece in receiving.last():
                self._run(files.add_piece, receiving.upload, number, piece)
        except (FileDiffers, FileTooLarge):
            self._run(files.discard, receiving.upload)
            raise
        self._run(audited, self._author.actor, Entry("stored", "file", sha256), files.finish, receiving)

    def delete_unnamed_files(self) -> int:
        """See StoreWriter."""
        return self._run(audited, self._author.actor, Entry("deleted", "file", "unnamed"), files.delete_unnamed)

    def record_applied(self, record: AppliedRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.record_applied, record, self._author.actor)

    def forget_applied(self, client: str, kind: str) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.forget_applied, client, kind)

    def rename_client(self, former: str, client: str, managed_by: str | None) -> None:
        """See StoreWriter."""
        entry = Entry("renamed", "client", client, client, fields=[f"formerly {former}"])
        rename = reconcile_state.rename_client
        self._run(audited, self._author.actor, entry, rename, former, client, managed_by)

    def acquire_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._run(reconcile_state.acquire_lease, owner, ttl_seconds)

    def renew_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._run(reconcile_state.renew_lease, owner, ttl_seconds)

    def release_lease(self, owner: str, *, force: bool = False) -> None:
        """See StoreWriter."""
        if not force:
            self._run(reconcile_state.release_lease, owner)
            return
        entry = Entry("released", "lease", "apply")
        self._run(audited, self._author.actor, entry, reconcile_state.release_lease, owner, force=True)

    def start_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.start_run, record)

    def finish_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.finish_run, record)

    def record_report(self, report: RecordedReport) -> None:
        """See StoreWriter."""
        self._run(reconcile_reports.record, report)

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """See StoreWriter."""
        return self._run(reconcile_state.list_runs, limit)

    def claim_notice(self, channel: str, finding: str, fingerprint: str | None, owner: str, ttl_seconds: float) -> bool:
        """See StoreWriter."""
        return self._run(reconcile_state.claim_notice, channel, finding, fingerprint, owner, ttl_seconds)

    def release_claim(self, channel: str, finding: str, owner: str) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.release_claim, channel, finding, owner)

    def put_notice(self, record: NoticeRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.put_notice, record)

    def forget_notice(self, channel: str, finding: str) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.forget_notice, channel, finding)

    def close(self) -> None:
        """See StoreWriter."""
        self._engine.dispose()

    def _run(self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with store_errors(self._url), self._turn, self._engine.begin() as connection:
            return operation(connection, *args, **kwargs)
