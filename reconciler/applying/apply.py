"""Makes a plan real. The only module that builds writers.

A client's changes run one after the other, clients side by side, and one failing does not stop the others. What was
applied is put on record before the next change begins, so a run that is cut off is continued by the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from reconciler.applying.unexpected_errors import fault_text, fault_trace
from reconciler.errors import KeyRefused, ProviderError, Stopped
from reconciler.kinds.knowledge.knowledge import EXPIRED
from reconciler.model import TAKING_AWAY, UNKNOWN_ID, AccountKey, Binding, Change, Kind, Outcome, Plan, Values
from reconciler.settings import Settings
from reconciler.writers.rate_limit import RateLimit
from reconciler.writers.retry import Patience
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import StoreError
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from schemas.policy import document_of

if TYPE_CHECKING:
    from reconciler.writers.documents import DocumentsWriter
    from reconciler.writers.openai import OpenAIWriter
    from reconciler.writers.twilio import TwilioWriter

WORKERS = 32
"""Clients in work at once; the rate limits of the providers are narrower."""

OPTIONAL: Final[tuple[Kind, ...]] = ("knowledge",)
"""Kinds that a client may have nothing of: once the last of it is taken away, the record of it goes too."""


def apply_plan(plan: Plan, settings: Settings, store: StoreWriter, *, stop: threading.Event) -> Iterator[Outcome]:
    """Apply every change, yielding each outcome as it is known.

    When `stop` is set, calls in flight are finished and recorded and the rest is skipped.
    """
    columns: dict[str, list[Change]] = {}
    for change in plan.work:
        columns.setdefault(change.client, []).append(change)
    held: dict[str, dict[Kind, AppliedRecord]] = {}
    for binding in plan.unrecorded:
        if binding.kind in _last_take_away(columns.get(binding.client, ())):
            held.setdefault(binding.client, {})[binding.kind] = _record_of(binding)
        else:
            store.record_applied(_record_of(binding))
    for client, kind in plan.forgotten:
        store.forget_applied(client, kind)
    with ExitStack() as cleanup:
        writers = Writers(settings, store, stop, cleanup)
        pool = cleanup.enter_context(ThreadPoolExecutor(WORKERS, thread_name_prefix="apply"))
        arrived: SimpleQueue[Outcome | None] = SimpleQueue()

        def work(column: Sequence[Change]) -> None:
            try:
                for outcome in apply_column(column, held.get(column[0].client, {}), writers, stop):
                    arrived.put(outcome)
            finally:
                arrived.put(None)

        working = [pool.submit(work, column) for column in columns.values()]
        finished = 0
        while finished < len(working):
            outcome = arrived.get()
            if outcome is None:
                finished += 1
            else:
                yield outcome
        for future in working:
            future.result()


def apply_column(
    column: Sequence[Change], held: dict[Kind, AppliedRecord], writers: Writers, stop: threading.Event
) -> Iterator[Outcome]:
    """Apply one client's changes in order; after the first failure the rest is skipped.

    What replaces something is put on record when the replaced thing is gone, since that is found by the record of the
    last apply. Until then the record is `held`; so is one that an earlier, cut off run did not come to write.
    """
    last = _last_take_away(column)
    made: dict[Kind, str] = {}
    broken: str | None = None
    for change in column:
        if broken or stop.is_set():
            yield Outcome(change, "skipped", broken or "the run was stopped")
            continue
        try:
            live_id, record = writers.write(change, made)
            if record is not None:
                held[change.kind] = record
            if change.kind in held and last.get(change.kind, change.id) == change.id:
                writers.store.record_applied(held.pop(change.kind))
            elif change.kind in OPTIONAL and last.get(change.kind) == change.id:
                writers.store.forget_applied(change.client, change.kind)
        except Stopped as stopped:
            yield Outcome(change, "skipped", str(stopped))
            continue
        except (ProviderError, StoreError) as error:
            broken = f"{change.kind} failed"
            yield Outcome(change, "failed", str(error))
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this client's; it is told and logged
            broken = f"{change.kind} failed"
            yield Outcome(change, "failed", fault_text(error), trace=fault_trace(error))
            continue
        if change.live_id is None:
            made[change.kind] = live_id
        yield Outcome(change, "applied", None, live_id)


def _last_take_away(column: Sequence[Change]) -> dict[Kind, str]:
    """By kind, the change that ends the taking away of what this client's other changes replace."""
    replaced = [change for change in column if change.action in TAKING_AWAY and change.source is not None]
    return {change.kind: change.id for change in replaced}


def _record_of(binding: Binding) -> AppliedRecord:
    return AppliedRecord(binding.client, binding.kind, binding.live_id, binding.values)


@dataclass(slots=True)
class Writers:
    """Everything that can write, built when it is first needed."""

    settings: Settings
    store: StoreWriter
    stop: threading.Event
    cleanup: ExitStack
    _openai: OpenAIWriter | None = None
    _knowledge: DocumentsWriter | None = None
    _twilio: dict[AccountKey, TwilioWriter] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, change: Change, made: Mapping[Kind, str]) -> tuple[str, AppliedRecord | None]:
        """Apply one change. Returns the live id, and what is to be recorded. Raises `ProviderError` or `StoreError`."""
        if change.action in TAKING_AWAY:
            self._take_away(change)
            return str(change.live_id), None
        after = _resolved(change.after, made)
        live_id = self._put(change, after)
        return live_id, AppliedRecord(change.client, change.kind, live_id, after)

    def _put(self, change: Change, after: Values) -> str:
        if change.kind == "knowledge":
            metadata = (change.before or {}).get("metadata", {})
            return self._documents().put(change.client, change.live_id, after, metadata)
        if change.kind == "assistant" and after["engine"] == "responses":
            return self.store.put_assistant(_assistant_record(change, after)).id
        if change.kind == "assistant":
            return self._put_object(change, after)
        if change.kind == "bot":
            if change.moves:
                self.store.move_numbers(change.moves)
            return self.store.put_bot(_bot_record(change, after)).id
        if change.action != "adopt" or change.fields:
            self._account(change.account).update_sender(str(change.live_id), change.before or {}, after)
        return str(change.live_id)

    def _put_object(self, change: Change, after: Values) -> str:
        if change.live_id is None:
            return self._assistants().create_object(change.client, after)
        changed = {str(field.steps[0]) for field in change.fields}
        self._assistants().update_object(change.live_id, change.client, after, change.before or {}, changed)
        return change.live_id

    def _take_away(self, change: Change) -> None:
        live_id = str(change.live_id)
        if change.kind == "knowledge":
            self._take_documents_away(change, live_id)
        elif change.kind == "sender":
            twilio = self._account(change.account)
            if change.action == "delete":
                twilio.delete_sender(live_id)
            else:
                twilio.detach_sender(live_id, change.before or {})
        elif change.kind == "bot":
            self.store.delete_bot(live_id)
        elif change.key == "responses":
            self.store.delete_assistant(live_id)
        else:
            self._assistants().delete_object(change.key, live_id)
        if change.source is None:
            self.store.forget_applied(change.client, change.kind)

    def _take_documents_away(self, change: Change, live_id: str) -> None:
        if change.key == EXPIRED:
            self._documents().delete_store(live_id)
        else:
            self._documents().delete(change.client, live_id)

    def _assistants(self) -> OpenAIWriter:
        with self._lock:
            if self._openai is None:
                from reconciler.writers.openai import OpenAIWriter

                rate_limit = RateLimit(self.settings.openai_concurrency, self.settings.openai_rate)
                self._openai = OpenAIWriter(self.settings, Patience(rate_limit, self.stop))
                self.cleanup.callback(self._openai.close)
            return self._openai

    def _documents(self) -> DocumentsWriter:
        openai = self._assistants()
        with self._lock:
            if self._knowledge is None:
                from reconciler.writers.documents import DocumentsWriter

                self._knowledge = DocumentsWriter(openai.client, openai.patience, self.settings.clients_dir)
            return self._knowledge

    def _account(self, account: AccountKey | None) -> TwilioWriter:
        if account is None or account.sid is None:
            raise KeyRefused("TWILIO_ACCOUNT_SID is not set")
        token = self.settings.secret(account.token_env)
        if not token:
            raise KeyRefused(f"{account.token_env}, the auth token of {account.sid}, is not set")
        with self._lock:
            if account not in self._twilio:
                from reconciler.writers.twilio import TwilioWriter

                rate_limit = RateLimit(self.settings.twilio_concurrency, self.settings.twilio_rate)
                self._twilio[account] = TwilioWriter(self.settings, account.sid, token, Patience(rate_limit, self.stop))
            return self._twilio[account]


def _resolved(values: Values, made: Mapping[Kind, str]) -> dict[str, Any]:
    """The values with the ids of the assistant and the vector store that were made a moment ago."""
    resolved = dict(values)
    if resolved.get("assistant_id") == UNKNOWN_ID:
        resolved["assistant_id"] = made["assistant"]
    if "tools" in resolved:
        resolved["tools"] = [
            {**tool, "vector_store_ids": [made["knowledge"]]} if tool.get("vector_store_ids") == [UNKNOWN_ID] else tool
            for tool in resolved["tools"]
        ]
    return resolved


def _assistant_record(change: Change, values: Values) -> AssistantRecord:
    return AssistantRecord(
        id=change.live_id or change.client,
        name=values["name"],
        instructions=values["instructions"],
        model=values["model"],
        tools=values["tools"],
        settings=values["settings"],
        metadata=(change.before or {}).get("metadata", {}),
        client=change.client,
        managed_by=change.source,
    )


def _bot_record(change: Change, values: Values) -> BotRecord:
    values = {**values, "policy": document_of(values["policy"])}
    return BotRecord(id=change.live_id or change.client, client=change.client, managed_by=change.source, **values)
