"""A user's file for a person who reads the conversation: fetched from Twilio each time, and no copy is kept here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.errors import TemporaryError
from runtime.media.fetching import MediaFetcher
from runtime.media.file_types import ANIMATED, HEAD_BYTES, MP4, PDF, ZIP, type_of
from runtime.media.folder import FILE_BYTES, MediaFolder
from runtime.twilio.accounts import Account

VIEWS_BYTES: Final = 4 * FILE_BYTES
"""Of all files that are being looked at."""
PATIENCE_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 20.0
"""How long a file waits for those that are being looked at."""
_SHOWN: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "audio/ogg", "audio/mpeg", "audio/mp4", "audio/amr", PDF}
)
"""Types that a browser shows where it is; all others it is asked to save."""
_ENDINGS: Final[Mapping[str, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/amr": "amr",
    MP4: "mp4",
    PDF: "pdf",
    ZIP: "zip",
    "text/vcard": "vcf",
    "text/csv": "csv",
    "text/plain": "txt",
}


@dataclass(frozen=True, slots=True)
class View:
    """A fetched file."""

    path: Path
    """Where it lies while it is looked at."""
    content_type: str
    """By its bytes."""
    size: int

    @property
    def name(self) -> str:
        """Ours, with the extension of its type."""
        return f"archivo.{_ENDINGS.get(self.content_type, 'bin')}"

    @property
    def is_shown(self) -> bool:
        """Whether a browser is to show it."""
        return self.content_type in _SHOWN


class MediaViews:
    """Fetches files to be looked at, beside those of turns: a person who reads keeps no answer waiting."""

    def __init__(self, parent: Path | None, base_url: str | None) -> None:
        self._folder = MediaFolder(parent, VIEWS_BYTES)
        self._fetcher = MediaFetcher(base_url, patience=PATIENCE_SECONDS)

    async def close(self) -> None:
        """Closes the connections and removes what is left."""
        await self._fetcher.close()
        self._folder.close()

    @asynccontextmanager
    async def view(self, url: str, account: Account, declared: str) -> AsyncIterator[View]:
        """A file, whole, until the context ends. Raises PermanentError or TemporaryError."""
        with self._folder.turn() as files:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await files.begin(1)
            except TimeoutError as error:
                raise TemporaryError("Too many files are being looked at; try again in a minute.") from error
            path = files.new()
            size = await self._fetcher.fetch(url, account, path, files.left)
            files.read()
            head = await asyncio.to_thread(_head, path)
            yield View(path, _shown_type(head, declared), size)


def _shown_type(head: bytes, declared: str) -> str:
    """The type for a browser, for which what moves has no type of its own."""
    found = type_of(head, declared)
    if found != ANIMATED:
        return found
    return "image/webp" if head.startswith(b"RIFF") else "image/gif"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
