"""/media/{sha256}/{name}: a file that a message sends, for a caller with its signed address, which Twilio has.

Twilio fetches with HEAD and GET, and refuses a file whose type is not the one that it finds (63019, 63021). Without a
valid signature everything here is one 404: it does not show which files there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import quote

import structlog
from aiohttp import web

from runtime.api.errors import ApiError
from runtime.delivery.file_links import FileLinks
from runtime.store import files
from runtime.store.database.database import Database
from runtime.store.files import PIECE_BYTES
from schemas.media_types import type_of_name

DOWNLOADS = 64
"""Maximum number of files that are sent concurrently; each has one piece in memory."""
DOWNLOAD_SECONDS = 60.0
"""Time limit of one of them."""

log = structlog.get_logger("runtime.api")


class _Range(NamedTuple):
    """The bytes of a file that are requested."""

    first: int
    after: int
    """The position behind the last one."""


class MediaFiles:
    """The handler of /media/…"""

    def __init__(self, database: Database, links: FileLinks) -> None:
        self._database = database
        self._links = links
        self._slots = asyncio.Semaphore(DOWNLOADS)

    def routes(self) -> list[web.RouteDef]:
        """The routes, which need no token."""
        return [web.get("/media/{sha256}/{name}", self.get)]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET and HEAD /media/{sha256}/{name}?exp=&sig="""
        sha256, name = request.match_info["sha256"], request.match_info["name"]
        media = type_of_name(name)
        if media is None or not self._links.is_valid(
            sha256, name, request.query.get("exp", ""), request.query.get("sig", "")
        ):
            raise _not_found()
        async with asyncio.timeout(DOWNLOAD_SECONDS), self._slots:
            size = await self._database.read(files.size_of, sha256)
            if size is None:
                raise _not_found()
            wanted = _range_of(request, size, f'"{sha256}"')
            if wanted is not None and wanted.first >= wanted.after:
                return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
            response = _response(wanted, size, sha256, name, media.content_type)
            await response.prepare(request)
            if request.method != "HEAD":
                async for part in self._content(sha256, wanted or _Range(0, size)):
                    await response.write(part)
            await response.write_eof()
            return response

    async def _content(self, sha256: str, wanted: _Range) -> AsyncIterator[bytes]:
        for number in range(wanted.first // PIECE_BYTES, -(-wanted.after // PIECE_BYTES)):
            piece = await self._database.read(files.piece, sha256, number)
            if piece is None:
                raise ConnectionResetError("the file was deleted while it was sent")
            begins = number * PIECE_BYTES
            yield piece[max(wanted.first - begins, 0) : wanted.after - begins]


def _range_of(request: web.Request, size: int, etag: str) -> _Range | None:
    """The part that is requested, empty behind the end; None for all of it, also where several parts are."""
    if request.headers.get("If-Range", etag) != etag:
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None:
        return None
    first = max(size + asked.start, 0) if asked.start < 0 else asked.start
    after = min(size if asked.stop is None else asked.stop, size)
    return _Range(first, after)


def _response(wanted: _Range | None, size: int, sha256: str, name: str, content_type: str) -> web.StreamResponse:
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in name
    )
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
        "Accept-Ranges": "bytes",
        "ETag": f'"{sha256}"',
    }
    part = wanted or _Range(0, size)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {part.first}-{part.after - 1}/{size}"
    response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
    response.content_length = part.after - part.first
    return response


def _not_found() -> ApiError:
    return ApiError(404, "not_found", "There is no such file, or its address has expired.")
