"""Files inside the JSON of a request, as `data:` URLs in base64. They are read from disk while they are sent: a picture
of 16 MB is never in memory, however long the model takes for its answer.

    {"image_url": DataUrl} ──► JSON with a token in its place ──► pieces: JSON, the file's base64, JSON
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

BLOCK: Final = 192 * 1024
"""Bytes of a file that are read at a time: a multiple of three, so that the base64 of blocks can be joined."""


class DataUrl(str):
    """Stands in the JSON of a request for a file. As a text it is a token that cannot be guessed, and that is in no
    user's words."""

    __slots__ = ("content_type", "path", "size")

    path: Path
    content_type: str
    size: int

    def __new__(cls, path: Path, content_type: str) -> DataUrl:
        token = super().__new__(cls, f"file-{secrets.token_hex(16)}")
        token.path = path
        token.content_type = content_type
        token.size = path.stat().st_size
        return token

    @property
    def head(self) -> bytes:
        """What is before the base64."""
        return f"data:{self.content_type};base64,".encode()


def data_urls_in(body: Mapping[str, Any]) -> list[DataUrl]:
    """The files of a request of the Responses API, in their order."""
    contents = [item.get("content") for item in body.get("input") or () if isinstance(item, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [value for part in parts for value in part.values() if isinstance(value, DataUrl)]


def size_with_files(data: bytes, files: Sequence[DataUrl]) -> int:
    """How many bytes `with_files` yields: servers that take no chunked requests need it in advance."""
    return len(data) + sum(len(file.head) + (file.size + 2) // 3 * 4 - len(file) for file in files)


async def with_files(data: bytes, files: Sequence[DataUrl]) -> AsyncIterator[bytes]:
    """The JSON with its files."""
    for file in files:
        before, _, data = data.partition(file.encode())
        yield before + file.head
        with file.path.open("rb") as opened:
            while block := await asyncio.to_thread(opened.read, BLOCK):
                yield b64encode(block)
    yield data
