"""Bytes of a file in a request: streamed into the store, so that no file is in memory whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from runtime.api.errors import ApiError
from runtime.inbound.connections import CONNECTIONS
from runtime.store import files
from runtime.store.database.database import Database
from runtime.store.errors import FileDiffers, FileTooLarge
from runtime.store.files import Receiving
from schemas.media_types import HEAD_BYTES, MAX_FILE_BYTES

UPLOAD_SECONDS = 120.0
"""Time limit of one upload."""

T = TypeVar("T")


async def received(
    database: Database, request: web.Request, sha256: str, check: Callable[[bytes], None] | None = None
) -> Receiving:
    """Stores the pieces of a file with this hash; the caller makes them a file. `check` gets its first bytes, and
    raises ApiError for those of a file that is not taken."""
    receiving = Receiving(sha256)
    if (request.content_length or 0) > MAX_FILE_BYTES:
        raise ApiError(413, "too_large", str(FileTooLarge(MAX_FILE_BYTES)))
    request.app[CONNECTIONS].allow(request, MAX_FILE_BYTES)
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            await _receive(database, request, receiving, check)
    except BaseException as error:
        await database.write(files.discard, receiving.upload)
        match error:
            case FileDiffers():
                raise ApiError(400, "file_differs", str(error)) from error
            case FileTooLarge():
                raise ApiError(413, "too_large", str(error)) from error
            case TimeoutError() | ConnectionError() | web.RequestPayloadError():
                raise ApiError(400, "incomplete", "The body has not arrived in full.") from error
        raise
    return receiving


async def _receive(
    database: Database, request: web.Request, receiving: Receiving, check: Callable[[bytes], None] | None
) -> None:
    head = b""
    async for part in request.content.iter_any():
        if check is not None and len(head) < HEAD_BYTES:
            head += part
            if len(head) >= HEAD_BYTES:
                check(head)
        for number, piece in receiving.pieces(part):
            await database.write(files.add_piece, receiving.upload, number, piece)
    if check is not None and len(head) < HEAD_BYTES:
        check(head)
    for number, piece in receiving.last():
        await database.write(files.add_piece, receiving.upload, number, piece)
