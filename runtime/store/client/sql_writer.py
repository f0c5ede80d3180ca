"""StoreWriter over SQLAlchemy: one transaction for each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from runtime.store import catalog, reconcile_state
from runtime.store.database.engine import store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Lease, NoticeRecord, RunRecord

P = ParamSpec("P")
T = TypeVar("T")


class SqlWriter:
    """Writes into SQLite or PostgreSQL directly. Brings the schema to head when it is opened."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = open_migrated(url)
        # SQLite has one writer at a time; a queue here is fair and cheaper than its busy polling.
        self._turn = threading.Lock() if self._engine.dialect.name == "sqlite" else threading.Semaphore(5)

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """See StoreWriter."""
        return self._run(catalog.put_assistant, record)

    def delete_assistant(self, assistant_id: str) -> None:
        """See StoreWriter."""
        self._run(catalog.delete_assistant, assistant_id)

    def put_bot(self, record: BotRecord, replacing: str | None = None) -> BotRecord:
        """See StoreWriter."""
        return self._run(catalog.put_bot, record, replacing)

    def move_numbers(self, numbers: Mapping[str, str], replacing: str | None = None) -> None:
        """See StoreWriter."""
        self._run(catalog.move_numbers, numbers, replacing)

    def delete_bot(self, bot_id: str) -> None:
        """See StoreWriter."""
        self._run(catalog.delete_bot, bot_id)

    def record_applied(self, record: AppliedRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.record_applied, record)

    def forget_applied(self, client: str, kind: str) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.forget_applied, client, kind)

    def rename_client(self, former: str, client: str, managed_by: str | None) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.rename_client, former, client, managed_by)

    def acquire_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._run(reconcile_state.acquire_lease, owner, ttl_seconds)

    def renew_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._run(reconcile_state.renew_lease, owner, ttl_seconds)

    def release_lease(self, owner: str, *, force: bool = False) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.release_lease, owner, force=force)

    def start_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.start_run, record)

    def finish_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        self._run(reconcile_state.finish_run, record)

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
