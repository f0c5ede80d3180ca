"""Fetches what a message's MediaUrl names, as Twilio does before WhatsApp gets it: HEAD, then GET, without credentials.

It refuses what WhatsApp does not take: a server that does not answer in time or with a file, a type that is not allowed
or not the file's own, and files that are too big. The ledger has each attempt.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from sandbox.state import State
from sandbox.storage import Json
from sandbox.twilio.wire import NAME

LARGEST: Final = 16 * 2**20
LARGEST_IMAGE: Final = 5 * 2**20
_SECONDS = 15.0
_PIECE = 2**16
_OFFICE = "application/vnd.openxmlformats-officedocument."
_BEGINNINGS: Final[dict[str, tuple[bytes, ...]]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/webp": (b"RIFF",),
    "audio/ogg": (b"OggS",),
    "audio/amr": (b"#!AMR",),
    "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/aac": (b"\xff\xf1", b"\xff\xf9"),
    "audio/mp4": (),
    "audio/3gpp": (),
    "video/mp4": (),
    "application/pdf": (b"%PDF",),
    "application/msword": (b"\xd0\xcf\x11\xe0",),
    "application/vnd.ms-excel": (b"\xd0\xcf\x11\xe0",),
    "application/vnd.ms-powerpoint": (b"\xd0\xcf\x11\xe0",),
    f"{_OFFICE}wordprocessingml.document": (b"PK\x03\x04",),
    f"{_OFFICE}spreadsheetml.sheet": (b"PK\x03\x04",),
    f"{_OFFICE}presentationml.presentation": (b"PK\x03\x04",),
    "text/vcard": (b"BEGIN:VCARD",),
    "text/plain": (),
}
"""The types that WhatsApp takes, each with how a file of it begins, where that is certain."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that WhatsApp takes."""

    content_type: str
    content: bytes


class MediaRefused(Exception):
    """Why a message with this file is not delivered: Twilio's code, and a sentence."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class MediaUrlFetcher:
    """Fetches files over one connection pool."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, message_sid: str, url: str) -> FetchedFile:
        """Raises MediaRefused."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "TwilioProxy/1.1"})
        try:
            await self._ask("HEAD", message_sid, url, self._session)
            return await self._ask("GET", message_sid, url, self._session)
        except TimeoutError:
            raise MediaRefused(63019, f"no answer within {_SECONDS:g} s") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise MediaRefused(63019, str(error) or type(error).__name__) from None

    async def _ask(self, method: str, message_sid: str, url: str, session: aiohttp.ClientSession) -> FetchedFile:
        started, seen = time.monotonic(), dict[str, object]()
        try:
            async with session.request(method, url) as response:
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                seen |= {"status": response.status, "content_type": kind}
                if not response.ok:
                    raise MediaRefused(63019, f"{method} answered HTTP {response.status}")
                _check_type(kind)
                content = await _bounded(response.content, LARGEST_IMAGE if kind.startswith("image/") else LARGEST)
                seen["bytes"] = len(content)
                if method == "GET":
                    seen |= {"sha256": hashlib.sha256(content).hexdigest(), "filename": _filename(response, url)}
                    _check_content(kind, content)
                return FetchedFile(kind, content)
        finally:
            self._record(method, message_sid, url, seen, started)

    def _record(self, method: str, message_sid: str, url: str, seen: Json, started: float) -> None:
        told = {"status": None, **seen, "seconds": round(time.monotonic() - started, 4)}
        self._state.ledger.append("media", NAME, message_sid=message_sid, method=method, url=url, **told)


def _check_type(kind: str) -> None:
    if kind not in _BEGINNINGS:
        raise MediaRefused(63021, f"WhatsApp does not take {kind or 'a file without Content-Type'}")


def _check_content(kind: str, content: bytes) -> None:
    beginnings = _BEGINNINGS[kind]
    if not content or (beginnings and not content.startswith(beginnings)):
        raise MediaRefused(63021, f"the file is not {kind}, as its Content-Type claims")


async def _bounded(stream: aiohttp.StreamReader, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in stream.iter_chunked(_PIECE):
        size += len(piece)
        if size > most:
            raise MediaRefused(63019, f"the file is bigger than {most} bytes")
        pieces.append(piece)
        await asyncio.sleep(0)
    return b"".join(pieces)


def _filename(response: aiohttp.ClientResponse, url: str) -> str:
    """What the phone calls a document: the name in Content-Disposition, else the end of the path."""
    disposition = response.content_disposition
    return (disposition.filename if disposition else None) or urlsplit(url).path.rpartition("/")[2]
