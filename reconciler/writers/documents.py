"""Writes a client's documents to OpenAI: files, and the vector store that they are searched in.

The store has the client's marker from the first request on. A file has no metadata, so its name contains the client and
the content's hash: an upload whose answer was lost is found again by it. A new version is searchable before the old one
is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import openai
from openai.types.vector_stores import VectorStoreFile

from reconciler.errors import NotFound, PermanentError, ProviderError, Stopped
from reconciler.intents import Creating
from reconciler.kinds.knowledge.document import Document, document_of
from reconciler.manifest.texts import FileProblem, hash_document, opened_document
from reconciler.model import Values
from reconciler.ownership import CLIENT, FORMERLY, client_of, marked, renamed
from reconciler.writers.openai import called, id_of
from reconciler.writers.retry import Patience, create_once, repeat_safe
from reconciler.writers.uploads import Uploads

T = TypeVar("T")

UPLOAD_SECONDS: Final = 600.0
"""Time limit of one upload; the largest file has 512 MB."""
INDEXING_SECONDS: Final = 600.0
"""Time limit for indexing a client's documents."""
FIRST_LOOK, LONGEST_LOOK = 0.1, 10.0
"""Seconds between polls while files are being indexed."""


class DocumentsWriter:
    """Makes vector stores equal to what is declared. Thread-safe."""

    def __init__(self, client: openai.OpenAI, patience: Patience, folder: Path) -> None:
        self._client = client
        self._patience = patience
        self._folder = folder
        self._uploads = Uploads(client, patience)

    def put(self, client: str, store_id: str | None, values: Values, creating: Creating) -> str:
        """Make a store hold the declared documents, all of them indexed, and nothing else. Returns its id.

        An existing store with this client's marker is used. Metadata is sent whole, so all that it has by now is kept:
        there are servers that add entries of their own at a create, and know a store no more without them.
        """
        if store_id is None:
            store_id = self._create(client, values, creating)
        self._fill(client, store_id, values["files"], creating)
        metadata = self._again(lambda: self._client.vector_stores.retrieve(store_id)).metadata or {}
        body = {"name": values["name"], "expires_after": None, "metadata": marked(metadata, client, values)}
        self._again(lambda: self._client.vector_stores.update(store_id, **body))
        return store_id

    def rename(self, store_id: str, former: str, client: str) -> None:
        """Give a store with the marker of a client's `former` id that of its new one, and the documents in it.

        The store is last: while it has the former marker, the next run continues an interrupted one.
        """
        files = self._client.vector_stores.files
        for file in self._files(store_id):
            attributes = file.attributes or {}
            if document_of(attributes, former) is not None:
                changed = {**attributes, CLIENT: client}
                self._again(partial(files.update, file.id, vector_store_id=store_id, attributes=changed))
        metadata = self._again(lambda: self._client.vector_stores.retrieve(store_id)).metadata or {}
        if client_of(metadata) == former:
            marks = renamed(metadata, client)
            self._again(lambda: self._client.vector_stores.update(store_id, metadata=marks))

    def delete(self, client: str, store_id: str) -> None:
        """Delete a store and all documents of the client; not files that others put into the store, or maintain by
        hand.

        The store is deleted last: while it exists, the next run continues an interrupted one.
        """
        for file_id in self._uploads_of_former_ids(client, store_id):
            self._delete_file(file_id)
        for upload in self._uploads.free(client):
            self._delete_file(upload.id)
        self.delete_store(store_id)

    def delete_store(self, store_id: str) -> None:
        """Delete a store and no document, since another store has them now."""
        self._gone_is_fine(lambda: self._client.vector_stores.delete(store_id))

    def _uploads_of_former_ids(self, client: str, store_id: str) -> Sequence[str]:
        """Documents of a client that was renamed, which are not found by the names of its uploads."""
        try:
            live = self._again(lambda: self._client.vector_stores.retrieve(store_id))
            if FORMERLY not in (live.metadata or {}):
                return ()
            return [file.id for file in self._files(store_id) if document_of(file.attributes, client) is not None]
        except NotFound:
            return ()

    def _create(self, client: str, values: Values, creating: Creating) -> str:
        def find() -> str | None:
            return self._again(
                lambda: next(
                    (
                        id_of(item)
                        for item in self._client.vector_stores.list(limit=100)
                        if client_of(item.metadata or {}) == client and item.status != "expired"
                    ),
                    None,
                ),
                follows_up=True,
            )

        metadata = marked({}, client, values)

        def create() -> str:
            return called(lambda: id_of(self._client.vector_stores.create(name=values["name"], metadata=metadata)))

        return create_once(
            creating.noted(create, "vector store"),
            find,
            self._patience,
            lag=self._patience.list_lag,
        )

    def _fill(self, client: str, store_id: str, declared: Mapping[str, str], creating: Creating) -> None:
        """New documents in, all indexed, then the others out."""
        present = self._files(store_id)
        kept = dict(_kept(present, client, declared))
        for file in present:
            if file.status in ("failed", "cancelled"):
                self._remove(client, store_id, file)
        missing = [self._local(path, content) for path, content in declared.items() if path not in kept]
        found = self._left_over(client, missing, {file.id for file in present}) if missing else {}
        for document in missing:
            kept[document.path] = self._add(client, store_id, document, found.get(document.path), creating)
        self._await_index(store_id, {file_id: path for path, file_id in kept.items()})
        staying = set(kept.values())
        for file in present:
            if file.id not in staying:
                self._remove(client, store_id, file)

    def _left_over(self, client: str, missing: Sequence[Document], attached: Collection[str]) -> dict[str, str]:
        """By path, the id of an upload that an interrupted run did not put into the store; others are deleted."""
        names = {document.upload_name(client): document.path for document in missing}
        found: dict[str, str] = {}
        for upload in self._uploads.free(client, attached):
            path = names.get(upload.name)
            if path is None or path in found:
                self._delete_file(upload.id)
            else:
                found[path] = upload.id
        return found

    def _add(self, client: str, store_id: str, document: Document, uploaded: str | None, creating: Creating) -> str:
        try:
            return self._attach(client, store_id, document, uploaded or self._upload(client, document, creating))
        except Stopped:
            raise
        except ProviderError as error:
            raise PermanentError(f"{document.path}: {error}") from error

    def _attach(self, client: str, store_id: str, document: Document, file_id: str) -> str:
        attributes: dict[str, str | float | bool] = {**document.attributes(client)}

        def find() -> str | None:
            try:
                return self._again(
                    lambda: id_of(self._client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)),
                    follows_up=True,
                )
            except NotFound:
                return None

        return create_once(
            lambda: called(
                lambda: id_of(self._client.vector_stores.files.create(store_id, file_id=file_id, attributes=attributes))
            ),
            find,
            self._patience,
        )

    def _upload(self, client: str, document: Document, creating: Creating) -> str:
        name = document.upload_name(client)

        def upload() -> str:
            with opened_document(self._folder, document.path) as file:
                files = self._client.files
                return called(
                    lambda: id_of(files.create(file=(name, file), purpose="assistants", timeout=UPLOAD_SECONDS))
                )

        return create_once(
            creating.noted(upload, "file", name),
            lambda: self._uploads.find(name),
            self._patience,
            lag=self._patience.list_lag,
        )

    def _local(self, path: str, content: str) -> Document:
        """A document beside the manifest. Raises `PermanentError` when its content has changed since the plan."""
        try:
            read = hash_document(self._folder, path)
        except FileProblem as error:
            raise PermanentError(f"{path}: {error.message}") from error
        document = Document(path, read.size, read.sha256)
        if document.content != content:
            raise PermanentError(f"{path} has changed since the plan was made; run again")
        return document

    def _await_index(self, store_id: str, wanted: Mapping[str, str]) -> None:
        """Wait until all files are indexed. `wanted`: path by file id. Raises `PermanentError` if one never will be."""
        deadline = time.monotonic() + INDEXING_SECONDS
        pause = FIRST_LOOK
        while True:
            found = {file.id: file for file in self._files(store_id) if file.id in wanted}
            for file in found.values():
                if file.status in ("failed", "cancelled"):
                    raise PermanentError(_not_indexed(wanted[file.id], file))
            waiting = [path for key, path in wanted.items() if key not in found or found[key].status != "completed"]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise PermanentError(
                    f"{waiting[0]} is not indexed after {INDEXING_SECONDS / 60:g} minutes; "
                    "the next run continues to wait"
                )
            if self._patience.stop.wait(pause):
                raise Stopped(f"the run was stopped while {waiting[0]} was being indexed")
            pause = min(pause * 2, LONGEST_LOOK)

    def _remove(self, client: str, store_id: str, file: VectorStoreFile) -> None:
        """Remove a file from the store; a document from git is deleted as a file first, so that none is ever left
        over."""
        if document_of(file.attributes, client) is not None:
            self._delete_file(file.id)
        self._gone_is_fine(lambda: self._client.vector_stores.files.delete(file.id, vector_store_id=store_id))

    def _delete_file(self, file_id: str) -> None:
        self._gone_is_fine(lambda: self._client.files.delete(file_id))

    def _files(self, store_id: str) -> Sequence[VectorStoreFile]:
        def listed() -> Sequence[VectorStoreFile]:
            found = list(self._client.vector_stores.files.list(store_id, limit=100))
            for file in found:
                id_of(file)
            return found

        return self._again(listed)

    def _again(self, call: Callable[[], T], *, follows_up: bool = False) -> T:
        return repeat_safe(lambda: called(call), self._patience, follows_up=follows_up)

    def _gone_is_fine(self, delete: Callable[[], object]) -> None:
        try:
            self._again(delete)
        except NotFound:
            return


def _kept(present: Sequence[VectorStoreFile], client: str, declared: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Path and id of the files that are as declared; of two equal ones either is used."""
    for file in present:
        document = document_of(file.attributes, client)
        if document is None or file.status not in ("completed", "in_progress"):
            continue
        if document.content == declared.get(document.path):
            yield document.path, file.id


def _not_indexed(path: str, file: VectorStoreFile) -> str:
    said = file.last_error
    reason = f": {said.message.rstrip('.')} ({said.code})" if said else f" ({file.status})"
    return f"{path} could not be indexed{reason}; replace the document, then run again"
