"""The temporary vector stores that a trial searches in: made when the first answer needs one, removed at the end.

What a killed run leaves carries our mark, expires within a day, and is removed by the next run: the store has the mark
in its metadata, an upload in its name, both with who made them. A run removes what was made by a process that does not
exist any more, or somewhere else more than an hour ago.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.kinds.knowledge.document import Document
from reconciler.manifest.texts import opened_document
from reconciler.settings import Settings
from reconciler.trying.candidate import Candidate
from reconciler.trying.recordings import UPLOAD_PREFIX
from runtime.errors import PermanentError

if TYPE_CHECKING:
    import openai
    from openai import AsyncOpenAI

MARK: Final = "horizonai-trial"
"""Key of the mark in a store's metadata; its value is who made it."""
PREFIX: Final = UPLOAD_PREFIX
"""No client's uploads begin so."""
DAY_SECONDS: Final = 24 * 3600
ELSEWHERE_SECONDS: Final = 3600
"""How old something made on another machine is that no run uses any more."""
INDEXING_SECONDS: Final = 300.0
FIRST_LOOK, LONGEST_LOOK = 0.1, 5.0
"""Seconds between polls while documents are being indexed."""


def this_process() -> str:
    """Who makes something, in a name: machine and process."""
    return f"{_machine()}-{os.getpid()}"


class TemporaryStores:
    """The stores of one run; close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._candidates: dict[str, Candidate] = {}
        self._client: AsyncOpenAI | None = None
        self._opening = asyncio.Lock()
        self._made: dict[str, asyncio.Task[str]] = {}
        self._stores: list[str] = []
        self._files: list[str] = []

    def add(self, candidate: Candidate) -> None:
        """Makes the documents of an assistant known."""
        self._candidates[candidate.store] = candidate

    async def store_of(self, documents: str) -> str:
        """The id of the store that a request names by its documents (`candidate.store_of`), all of them indexed.
        Raises PermanentError."""
        if documents not in self._made:
            self._made[documents] = asyncio.ensure_future(self._make(self._candidates[documents]))
        return await asyncio.shield(self._made[documents])

    async def close(self) -> None:
        """Removes what this run made; what OpenAI does not remove now expires, and is removed by the next run."""
        import openai

        await asyncio.gather(*self._made.values(), return_exceptions=True)
        if self._client is None:
            return
        try:
            await _removed(self._client, self._stores, self._files)
        except openai.OpenAIError as error:
            hint = "it expires within a day, and the next run removes it"
            click.echo(f"warning: what was made at OpenAI to be tried is still there ({error}); {hint}", err=True)
        await self._client.close()

    async def _opened(self) -> AsyncOpenAI:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(_client, self._settings)
                await remove_left(self._client)
            return self._client

    async def _make(self, candidate: Candidate) -> str:
        import openai

        try:
            api = await self._opened()
            uploads = [await self._uploaded(api, candidate.folder, document) for document in candidate.documents]
            store = await api.vector_stores.create(
                name=f"{PREFIX}{candidate.client}",
                file_ids=uploads,
                metadata={MARK: this_process()},
                expires_after={"anchor": "last_active_at", "days": 1},
            )
            self._stores.append(store.id)
            await _indexed(api, store.id)
        except openai.OpenAIError as error:
            raise PermanentError(f"The documents cannot be searched: {error} {_advice(error)}") from error
        return store.id

    async def _uploaded(self, api: AsyncOpenAI, folder: Path, document: Document) -> str:
        name = upload_name(document)
        content = await asyncio.to_thread(_content, folder, document.path)
        file = await api.files.create(
            file=(name, content),
            purpose="assistants",
            expires_after={"anchor": "created_at", "seconds": DAY_SECONDS},
        )
        self._files.append(file.id)
        return file.id


def _advice(error: openai.OpenAIError) -> str:
    import openai

    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return "Set OPENAI_API_KEY to a key that is valid for this project."
    return "Check OPENAI_BASE_URL and the provider's status, then run again."


def upload_name(document: Document) -> str:
    """The name of a temporary upload: the mark, who made it, and the end that an apply gives it too."""
    return f"{PREFIX}{this_process()}--{document.upload_name('any').partition('--')[2]}"


async def remove_left(api: AsyncOpenAI) -> None:
    """Removes what earlier runs left that were killed."""
    stores = [
        store.id
        async for store in api.vector_stores.list(limit=100)
        if _is_left((store.metadata or {}).get(MARK), store.created_at)
    ]
    files = [
        file.id
        async for file in api.files.list(purpose="assistants", limit=10_000)
        if file.filename.startswith(PREFIX) and _is_left(_maker(file.filename), file.created_at)
    ]
    await _removed(api, stores, files)


def _maker(name: str) -> str:
    return name.removeprefix(PREFIX).partition("--")[0]


def _is_left(maker: str | None, created_at: float) -> bool:
    if maker is None:
        return False
    machine, _, process = maker.rpartition("-")
    if machine != _machine() or not process.isdecimal():
        return time.time() - created_at > ELSEWHERE_SECONDS
    return not _is_running(int(process))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


async def _removed(api: AsyncOpenAI, stores: list[str], files: list[str]) -> None:
    """Deletes stores and files; what does not exist any more is deleted."""
    import openai

    for store in stores:
        try:
            await api.vector_stores.delete(store)
        except openai.NotFoundError:
            continue
    for file in files:
        try:
            await api.files.delete(file)
        except openai.NotFoundError:
            continue


async def _indexed(api: AsyncOpenAI, store: str) -> None:
    """Waits until all documents can be found. Raises PermanentError where one never will be."""
    deadline, pause = time.monotonic() + INDEXING_SECONDS, FIRST_LOOK
    while True:
        counts = (await api.vector_stores.retrieve(store)).file_counts
        if counts.failed or counts.cancelled:
            raise PermanentError("A document could not be indexed.")
        if counts.in_progress == 0:
            return
        if time.monotonic() > deadline:
            raise PermanentError(f"The documents are not indexed after {INDEXING_SECONDS / 60:g} minutes.")
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_LOOK)


def _content(folder: Path, path: str) -> bytes:
    with opened_document(folder, path) as file:
        return file.read()


def _client(settings: Settings) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=settings.openai_api_key, base_url=settings.openai_base_url, timeout=settings.timeout, max_retries=3
    )
