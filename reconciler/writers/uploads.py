"""Uploads for clients among OpenAI's files, and those of them that are maintained by hand now.

An upload that is in no managed store was left by an interrupted run, unless its store is no longer managed: such a
store has lost our marker, and its files keep the names that we gave them. A file itself does not show that, so both
lists are read, once in a run and only where an upload would be used again or deleted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import openai

from reconciler.kinds.knowledge.document import owner_of_upload
from reconciler.ownership import client_of, had_other_name
from reconciler.writers.openai import called, id_of
from reconciler.writers.retry import Patience, repeat_safe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """One of OpenAI's files."""

    id: str
    name: str


class Uploads:
    """The uploads at the time of this run. Thread-safe."""

    def __init__(self, client: openai.OpenAI, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._lock = threading.Lock()
        self._by_client: Mapping[str, Sequence[Upload]] | None = None
        self._stores: Sequence[tuple[str, Mapping[str, str]]] | None = None
        self._kept_by_hand: Collection[str] | None = None

    def free(self, client: str, attached: Collection[str] = ()) -> Sequence[Upload]:
        """A client's uploads except those that are `attached` to its store, or in a store without our marker, or of a
        client that had this id before."""
        with self._lock:
            if self._by_client is None:
                self._by_client = _by_client(self._listed())
            found = [upload for upload in self._by_client.get(client, ()) if upload.id not in attached]
            if found and self._stores is None:
                self._stores = self._all(self._listed_stores)
                self._kept_by_hand = set(self._in_stores(lambda metadata: client_of(metadata) is None))
            kept = self._kept_by_hand or ()
            renamed = set(self._in_stores(lambda metadata: had_other_name(metadata, client))) if found else ()
        return [upload for upload in found if upload.id not in kept and upload.id not in renamed]

    def find(self, name: str) -> str | None:
        """The id of an upload that was just made and whose answer was lost; None when it was not made."""
        kept = self._kept_by_hand or ()
        listed = self._listed(follows_up=True)
        return next((upload.id for upload in listed if upload.name == name and upload.id not in kept), None)

    def _listed(self, *, follows_up: bool = False) -> Sequence[Upload]:
        def listed() -> Sequence[Upload]:
            found = self._client.files.list(purpose="assistants", limit=10_000)
            return [Upload(id_of(file), str(file.filename)) for file in found]

        return self._all(listed, follows_up=follows_up)

    def _in_stores(self, is_meant: Callable[[Mapping[str, str]], bool]) -> Iterator[str]:
        for store_id, metadata in self._stores or ():
            if is_meant(metadata):
                yield from self._all(partial(self._files_of, store_id))

    def _listed_stores(self) -> Sequence[tuple[str, Mapping[str, str]]]:
        return [(id_of(store), store.metadata or {}) for store in self._client.vector_stores.list(limit=100)]

    def _files_of(self, store_id: str) -> Sequence[str]:
        return [id_of(file) for file in self._client.vector_stores.files.list(store_id, limit=100)]

    def _all(self, read: Callable[[], T], *, follows_up: bool = False) -> T:
        return repeat_safe(lambda: called(read), self._patience, follows_up=follows_up)


def _by_client(listed: Sequence[Upload]) -> Mapping[str, Sequence[Upload]]:
    found: dict[str, list[Upload]] = {}
    for upload in listed:
        owner = owner_of_upload(upload.name)
        if owner is not None:
            found.setdefault(owner, []).append(upload)
    return found
