"""The least that answering costs, in two ways.

`python -m bench.answering_floors NAME DATABASE PROVIDERS ROWS` prints its port.

    procrastinate   on PostgreSQL: the webhook's statement stores the message and defers a job (lock: its sender); the
                    job asks the model, writes ROWS rows in one transaction, sends, and records that
    inbox           on either store, no jobs: the process that stores a message answers it; whatever waits is committed
                    together, and each message is stored, its answer recorded, and its send
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import queue
import re
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import procrastinate
import psycopg
import uvloop
from aiohttp import web
from procrastinate.jobs import DeleteJobCondition

from bench.sandbox import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL

GROUP_LIMIT = 512
JOBS_AT_ONCE = 2_000
POLL_SECONDS = 0.2
_TABLES = (
    "CREATE TABLE inbox (sid text PRIMARY KEY, sender text, body text, state text)",
    "CREATE TABLE outbox (sid text PRIMARY KEY, body text, state text)",
)
_WRITTEN = "CREATE TABLE written (id bigserial PRIMARY KEY, sid text, body text)"
STORE = (
    "INSERT INTO inbox (sid, sender, body, state) VALUES (%(sid)s, %(sender)s, %(body)s, 'open') ON CONFLICT DO NOTHING"
)
RECORD = "UPDATE inbox SET state = 'answered' WHERE sid = %(sid)s"
ANSWERED = "INSERT INTO outbox (sid, body, state) VALUES (%(sid)s, %(body)s, 'sending')"
SENT = "UPDATE outbox SET state = 'sent' WHERE sid = %(sid)s"
STORE_AND_DEFER = (
    f"WITH stored AS ({STORE} RETURNING sid, sender, body) SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('turns',"
    " 'answer', 0, sender, NULL, jsonb_build_object('sid', sid, 'body', body), NULL)::procrastinate_job_to_defer_v1])"
    " FROM stored"
)
WRITE = "INSERT INTO written (sid, body) SELECT %(sid)s, %(body)s FROM generate_series(1, %(rows)s)"

Message = dict[str, str]


class Providers:
    """The model and Twilio."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def answer(self, message: Message) -> str:
        """What the model says."""
        asked = {"model": "gpt-6-luna", "input": [{"role": "user", "content": message["body"]}]}
        async with self._session.post(f"{self._url}/v1/responses", json=asked) as response:
            said = await response.json()
        return str(said["output"][0]["content"][0]["text"])

    async def send(self, message: Message, body: str) -> None:
        """Gives an answer to Twilio."""
        form = {"From": "whatsapp:+56220000000", "To": message.get("sender", ""), "Body": body}
        url = f"{self._url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        async with self._session.post(url, data=form) as response:
            await response.read()


class GroupCommit:
    """One connection; what waits is committed together, statement by statement in the order of their first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[tuple[tuple[str, ...], Message, asyncio.Future[None]]] = queue.SimpleQueue()
        self._statements = [(one, _of_store(url, one)) for one in (STORE, RECORD, ANSWERED, SENT)]
        threading.Thread(target=self._commit_groups, daemon=True).start()

    async def write(self, values: Message, *statements: str) -> None:
        """On disk when this returns."""
        written = self._loop.create_future()
        self._waiting.put((statements, values, written))
        await written

    def _commit_groups(self) -> None:
        with closing(_connected(self._url)) as connection:
            while True:
                group = [self._waiting.get()]
                while len(group) < GROUP_LIMIT and not self._waiting.empty():
                    group.append(self._waiting.get())
                with closing(connection.cursor()) as cursor:
                    for statement, text in self._statements:
                        if values := [given for said, given, _ in group if statement in said]:
                            cursor.executemany(text, values)
                connection.commit()
                self._loop.call_soon_threadsafe(_resume, [written for _, _, written in group])


def _connected(url: str) -> Any:
    if not url.startswith("sqlite:"):
        return psycopg.connect(url)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _of_store(url: str, statement: str) -> str:
    return re.sub(r"%\((\w+)\)s", r":\1", statement) if url.startswith("sqlite:") else statement


async def _inbox(url: str, providers: Providers, _rows: int) -> Callable[[Message], Awaitable[None]]:
    store = GroupCommit(url)
    chains: dict[str, asyncio.Task[None]] = {}

    async def turn(message: Message, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        body = await providers.answer(message)
        await store.write({"sid": message["sid"], "body": body}, RECORD, ANSWERED)
        await providers.send(message, body)
        await store.write({"sid": message["sid"]}, SENT)
        if chains.get(message["sender"]) is asyncio.current_task():
            del chains[message["sender"]]

    async def accept(message: Message) -> None:
        await store.write(message, STORE)
        chains[message["sender"]] = asyncio.create_task(turn(message, chains.get(message["sender"])))

    return accept


async def _procrastinate(url: str, providers: Providers, rows: int) -> Callable[[Message], Awaitable[None]]:
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=4, max_size=12)
    app = procrastinate.App(connector=connector)

    @app.task(name="answer", queue="turns")
    async def answer(sid: str, body: str) -> None:
        message = {"sid": sid, "body": body}
        said = await providers.answer(message)
        await connector.execute_query_async(WRITE, sid=sid, body=said, rows=rows)
        await providers.send(message, said)
        await connector.execute_query_async(RECORD, sid=sid)

    async def accept(message: Message) -> None:
        await connector.execute_query_async(STORE_AND_DEFER, **message)

    await app.open_async()
    await app.schema_manager.apply_schema_async()
    await connector.execute_query_async(_WRITTEN)
    worker = app.run_worker_async(
        queues=["turns"],
        concurrency=JOBS_AT_ONCE,
        fetch_job_polling_interval=POLL_SECONDS,
        delete_jobs=DeleteJobCondition.ALWAYS,
        install_signal_handlers=False,
    )
    _RUNNING.append(asyncio.create_task(worker))
    return accept


_RUNNING: list[asyncio.Task[None]] = []
FLOORS = {"inbox": _inbox, "procrastinate": _procrastinate}


async def _serve(name: str, url: str, providers_url: str, rows: int) -> None:
    with closing(_connected(url)) as connection:
        for table in _TABLES:
            connection.execute(table)
        connection.commit()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        accept = await FLOORS[name](url, Providers(providers_url, session), rows)

        async def receive(request: web.Request) -> web.Response:
            fields = dict(parse_qsl(await request.text(), keep_blank_values=True))
            signed = PUBLIC_URL + request.raw_path + "".join(name + fields[name] for name in sorted(fields))
            signature = base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), signed.encode(), "sha1")).decode()
            if not hmac.compare_digest(signature, request.headers.get("X-Twilio-Signature", "")):
                return web.Response(status=403)
            await accept({"sid": fields["MessageSid"], "sender": fields["From"], "body": fields["Body"]})
            return web.Response(text="<Response></Response>", content_type="text/xml")

        app = web.Application()
        app.router.add_post("/webhook/whatsapp", receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(f"{name}  http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


def _resume(written: list[asyncio.Future[None]]) -> None:
    for one in written:
        one.set_result(None)


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
