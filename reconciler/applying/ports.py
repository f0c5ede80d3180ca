"""The ports through which kinds write: the writers of the bot store and of each provider. Created here only."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import KeyRefused, PermanentError
from reconciler.intents import Creating
from reconciler.manifest.texts import FileProblem, opened_media
from reconciler.model import AccountKey, Change, KindName
from reconciler.settings import Settings
from reconciler.writers.rate_limit import RateLimit
from reconciler.writers.retry import Patience
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import FileDiffers, FileTooLarge

if TYPE_CHECKING:
    from reconciler.writers.documents import DocumentsWriter
    from reconciler.writers.event_streams import EventStreamsWriter
    from reconciler.writers.openai import OpenAIWriter
    from reconciler.writers.twilio import TwilioWriter


@dataclass(slots=True)
class Ports:
    """One run's writers, each built, and its SDK imported, when it is first needed. Thread-safe."""

    settings: Settings
    store: StoreWriter
    stop: threading.Event
    cleanup: ExitStack
    _objects: OpenAIWriter | None = None
    _documents: DocumentsWriter | None = None
    _senders: dict[AccountKey, TwilioWriter] = field(default_factory=dict)
    _creating: dict[tuple[str, KindName], Creating] = field(default_factory=dict)
    _files: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def creating(self, change: Change) -> Creating:
        """What the client creates of this kind in this run."""
        with self._lock:
            key = change.client, change.kind
            return self._creating.setdefault(key, Creating(self.store, *key))

    def is_creating(self, client: str, kind: KindName) -> bool:
        """Whether this run may have created something of it that is not recorded."""
        with self._lock:
            creating = self._creating.get((client, kind))
            return creating is not None and creating.is_open

    def objects(self) -> OpenAIWriter:
        """Assistants that live at the provider."""
        with self._lock:
            if self._objects is None:
                from reconciler.writers.openai import OpenAIWriter

                rate_limit = RateLimit(self.settings.openai_concurrency, self.settings.openai_rate)
                self._objects = OpenAIWriter(
                    self.settings, Patience(rate_limit, self.stop, list_lag=self.settings.openai_list_lag)
                )
                self.cleanup.callback(self._objects.close)
            return self._objects

    def put_file(self, path: str, sha256: str) -> None:
        """The bytes of a file in git in the bot store, once a run for all clients. Raises `PermanentError` when it is
        not the planned one any more."""
        with self._lock:
            lock = self._files.setdefault(sha256, threading.Lock())
        with lock:
            if self.store.has_file(sha256):
                return
            try:
                with opened_media(self.settings.clients_dir, path) as pieces:
                    self.store.put_file(sha256, pieces)
            except FileProblem as problem:
                raise PermanentError(f"{path}: {problem.message}") from problem
            except (FileDiffers, FileTooLarge) as error:
                raise PermanentError(f"{path} changed since the plan was made; run again") from error

    def documents(self) -> DocumentsWriter:
        """Vector stores, and the files in them."""
        openai = self.objects()
        with self._lock:
            if self._documents is None:
                from reconciler.writers.documents import DocumentsWriter

                self._documents = DocumentsWriter(openai.client, openai.patience, self.settings.clients_dir)
            return self._documents

    def event_streams(self, account: AccountKey | None) -> EventStreamsWriter:
        """The sinks and subscriptions of one Twilio account. Raises `KeyRefused` without its SID or token."""
        account, token = self._credentials(account)
        from reconciler.writers.event_streams import EventStreamsWriter

        limit = RateLimit(self.settings.twilio_concurrency, self.settings.twilio_rate)
        return EventStreamsWriter(self.settings, str(account.sid), token, Patience(limit, self.stop))

    def _credentials(self, account: AccountKey | None) -> tuple[AccountKey, str]:
        if account is None or account.sid is None:
            raise KeyRefused("TWILIO_ACCOUNT_SID is not set")
        token = self.settings.secret(account.token_env)
        if not token:
            raise KeyRefused(f"{account.token_env}, the auth token of {account.sid}, is not set")
        return account, token

    def senders(self, account: AccountKey | None) -> TwilioWriter:
        """The senders of one Twilio account. Raises `KeyRefused` without its SID or token."""
        account, token = self._credentials(account)
        with self._lock:
            if account not in self._senders:
                from reconciler.writers.twilio import TwilioWriter

                limit = RateLimit(self.settings.twilio_concurrency, self.settings.twilio_rate)
                self._senders[account] = TwilioWriter(
                    self.settings, str(account.sid), token, Patience(limit, self.stop)
                )
            return self._senders[account]
