"""Who looks at a file and does not read it keeps no file from others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from runtime.errors import TemporaryError
from runtime.media import showing, viewing
from runtime.media.folder import FILE_BYTES
from runtime.media.viewing import VIEWS_BYTES, MediaViews, View
from runtime.twilio.accounts import Account


async def test_who_does_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "SEND_SECONDS", 0.3)
    path = tmp_path / "file"
    path.write_bytes(bytes(FILE_BYTES))
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await showing._sent(View(path, "image/jpeg", FILE_BYTES), request)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await ended.wait()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(FILE_BYTES)
        writer.close()


async def test_a_file_does_not_wait_for_ever_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "WAIT_SECONDS", 0.05)
    views = MediaViews(tmp_path, None)
    looked_at = [views._folder.turn() for _ in range(VIEWS_BYTES // FILE_BYTES)]
    for files in looked_at:
        await files.begin(1)
    try:
        with pytest.raises(TemporaryError, match="Too many files are being looked at; try again in a minute"):
            async with views.view("https://api.twilio.com/x", Account("AC1", "t"), "image/jpeg"):
                pass
        looked_at.pop().__exit__(None, None, None)
        with pytest.raises(Exception, match="does not lead to Twilio"):
            async with views.view("https://example.com/x", Account("AC1", "t"), "image/jpeg"):
                pass
    finally:
        for files in looked_at:
            files.__exit__(None, None, None)
        await views.close()
