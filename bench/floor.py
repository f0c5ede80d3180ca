"""The least that a durable webhook costs: an aiohttp handler that checks Twilio's signature and commits one row,
together with whatever else is waiting. `python -m bench.floor DATABASE` prints its port."""

from __future__ import annotations

import asyncio
import base64
import hmac
import queue
import sqlite3
import sys
import threading
from urllib.parse import parse_qsl

from aiohttp import web

from bench.sandbox import AUTH_TOKEN, PUBLIC_URL

GROUP_LIMIT = 512

Job = tuple[tuple[str, str, str], "asyncio.Future[None]"]


class Floor:
    """One handler, one table, one writer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._commit_groups, daemon=True).start()

    async def receive(self, request: web.Request) -> web.Response:
        """200 when it is on disk, 403 when it is not signed."""
        fields = dict(parse_qsl(await request.text(), keep_blank_values=True))
        signed = PUBLIC_URL + request.raw_path + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), signed.encode(), "sha1")).decode()
        if not hmac.compare_digest(signature, request.headers.get("X-Twilio-Signature", "")):
            return web.Response(status=403)
        stored = self._loop.create_future()
        self._jobs.put(((fields["MessageSid"], fields["From"], fields["Body"]), stored))
        await stored
        return web.Response(text="<Response></Response>", content_type="text/xml")

    def _commit_groups(self) -> None:
        store = sqlite3.connect(self._path, isolation_level=None)
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = FULL")
        store.execute("CREATE TABLE inbox (sid TEXT PRIMARY KEY, sender TEXT, body TEXT)")
        while True:
            group = [self._jobs.get()]
            while len(group) < GROUP_LIMIT and not self._jobs.empty():
                group.append(self._jobs.get())
            store.execute("BEGIN")
            store.executemany("INSERT OR IGNORE INTO inbox VALUES (?, ?, ?)", [row for row, _ in group])
            store.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resume, [stored for _, stored in group])


def _resume(waiting: list[asyncio.Future[None]]) -> None:
    for stored in waiting:
        stored.set_result(None)


async def _serve(path: str) -> None:
    app = web.Application()
    app.router.add_post("/webhook/whatsapp", Floor(path).receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"floor  http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
