"""A process of its own: both providers as short as they can be, and users who write. Obeys JSON lines on stdin.

    {"think": S}                                     the model takes S seconds from now on
    {"urls", "public_url", "numbers", "messages",
     "rate", "users", "connections", "voice",
     "first"}                                        users write, `rate` a second (0: as fast as is acknowledged), each
                                                     in turn from number `first` on;
                                                     with `voice` every other one speaks
    {"answers": N, "patience": S}                    waits for N answers since the last order to write
    {"waiting": N, "patience": S}                    waits until the model is asked N things at once

What it saw is one JSON line for each. The clock is the machine's, so times of another process may be compared.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import uvloop
from aiohttp import web

from bench.sandbox import ACCOUNT_SID, AUTH_TOKEN
from tests.media_files import voice_note

TOKEN = re.compile(r"#(\d+)")
SECONDS = 10
"""Of a voice note."""
DIGITS = 9
SAID = re.compile(rb"TRANSCRIPT=(#\d{%d} Hola)" % DIGITS)
MEDIA = "/2010-04-01/Accounts/{sid}/Messages/{message}/Media/{media}"

Order = dict[str, Any]


class Traffic:
    """What goes in, and what comes out."""

    def __init__(self) -> None:
        self.think = 0.0
        self.waiting = 0
        self.written: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self.doubled = 0
        self._next = 0
        self._spoken: set[int] = set()
        self._note_of_voice = voice_note(f"#{0:0{DIGITS}} Hola", SECONDS, b"\xf8" + bytes(59))
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._acknowledged: list[float] = []
        self._refused = 0

    async def model(self, request: web.Request) -> web.Response:
        """OpenAI: an answer that repeats what the user said last."""
        document = await request.json()
        said = document["input"][-1]["content"]
        self.waiting += 1
        try:
            await asyncio.sleep(self.think)
        finally:
            self.waiting -= 1
        return web.json_response(_response(said))

    async def send(self, request: web.Request) -> web.Response:
        """Twilio: takes a message."""
        form = await request.post()
        self._note(str(form["Body"]))
        return web.json_response(_message(len(self.answered), form), status=201)

    async def media(self, request: web.Request) -> web.Response:
        """Twilio: where a voice note lies."""
        return web.Response(status=307, headers={"Location": f"/content/{request.match_info['media']}"})

    async def content(self, request: web.Request) -> web.Response:
        """Twilio: a voice note, which says its number."""
        number = int(request.match_info["media"].removeprefix("ME"), 16)
        content = self._note_of_voice.replace(b"#" + b"0" * DIGITS, b"#%0*d" % (DIGITS, number))
        return web.Response(body=content, content_type="audio/ogg")

    async def speech(self, request: web.Request) -> web.Response:
        """OpenAI: a transcript."""
        said = SAID.search(await request.read())
        assert said is not None, "a voice note says something"
        usage = {"type": "duration", "seconds": SECONDS}
        return web.json_response({"text": said[1].decode(), "languages": [{"code": "es"}], "usage": usage})

    async def anything(self, _request: web.Request) -> web.Response:
        """Lists that the runtime asks for: empty ones."""
        return web.json_response({"data": [], "messages": [], "senders": [], "meta": {"key": "senders"}})

    async def obey(self, order: Order) -> Order:
        """One line in, one out."""
        if "think" in order:
            self.think = order["think"]
            return {}
        if "urls" in order:
            return await self._write(order)
        if "answers" in order:
            await _until(lambda: len(self.answered) >= order["answers"], order["patience"])
            return self._overhead()
        await _until(lambda: self.waiting >= order["waiting"], order["patience"])
        return {"waiting": self.waiting}

    def _note(self, text: str) -> None:
        """Messages that are answered by a text, in a webhook's response or by a message."""
        now = time.monotonic()
        for number in map(int, TOKEN.findall(text)):
            self.doubled += number in self.answered
            self.answered[number] = now

    async def _write(self, order: Order) -> Order:
        self.written.clear()
        self._spoken.clear()
        self.answered.clear()
        self.doubled = self._refused = 0
        self._acknowledged.clear()
        senders = [
            asyncio.create_task(self._connection(order["urls"][n % len(order["urls"])]))
            for n in range(order["connections"])
        ]
        requests = list(self._requests(order))
        began = time.monotonic() + 0.05
        for index, (number, request) in enumerate(requests):
            due = began + index / order["rate"] if order["rate"] else 0.0
            if (pause := due - time.monotonic()) > 0.001:
                await asyncio.sleep(pause)
            # Counted from when it was due: a load that falls behind does not flatter what it measures.
            moment = due or time.monotonic()
            self.written[number] = moment
            self._queue.put_nowait((due, request))
            if not order["rate"] and self._queue.qsize() >= 4 * order["connections"]:
                await asyncio.sleep(0)
        await self._queue.join()
        seconds = time.monotonic() - began
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        return {
            "per_second": len(requests) / seconds,
            "refused": self._refused,
            **_quantiles(self._acknowledged),
        }

    def _requests(self, order: Order) -> Iterable[tuple[int, bytes]]:
        address = urlsplit(order["public_url"])
        numbers = order["numbers"]
        for index in range(order["first"], order["first"] + order["messages"]):
            self._next += 1
            is_voice = bool(order["voice"]) and index % 2 == 1
            if is_voice:
                self._spoken.add(self._next)
            fields = {
                "AccountSid": ACCOUNT_SID,
                "Body": "" if is_voice else f"#{self._next} Hola",
                "From": f"whatsapp:+569{index % order['users']:08}",
                "MessageSid": f"SM{self._next:032x}",
                **(self._media() if is_voice else {"NumMedia": "0"}),
                "ProfileName": "Ana",
                "To": f"whatsapp:{numbers[index % order['users'] % len(numbers)]}",
                "WaId": f"569{index % order['users']:08}",
            }
            signed = order["public_url"] + "".join(name + fields[name] for name in sorted(fields))
            signature = base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), signed.encode(), "sha1")).decode()
            body = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
            head = (
                f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nX-Twilio-Signature: {signature}\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield self._next, (head + body).encode()

    def _media(self) -> dict[str, str]:
        """What a webhook says of a voice note."""
        place = MEDIA.format(sid=ACCOUNT_SID, message=f"MM{self._next:032x}", media=f"ME{self._next:032x}")
        url = f"https://api.twilio.com{place}"
        return {"NumMedia": "1", "MediaContentType0": "audio/ogg", "MediaUrl0": url}

    async def _connection(self, url: str) -> None:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            while True:
                due, request = await self._queue.get()
                sent = due or time.monotonic()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                answer = await reader.readexactly(length)
                self._acknowledged.append(time.monotonic() - sent)
                self._note(answer.decode())
                self._refused += not head.startswith(b"HTTP/1.1 200")
                self._queue.task_done()
        finally:
            writer.close()

    def _overhead(self) -> Order:
        known = [number for number in self.answered if number in self.written]
        return {
            "answered": len(self.answered),
            "doubled": self.doubled,
            "first": min(self.answered.values(), default=0.0),
            **_quantiles([self._seconds(number) for number in known]),
            "voice": _quantiles([self._seconds(number) for number in known if number in self._spoken]),
            "text": _quantiles([self._seconds(number) for number in known if number not in self._spoken]),
        }

    def _seconds(self, number: int) -> float:
        """From when a message was written to its answer, without the model's."""
        return self.answered[number] - self.written[number] - self.think


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds) or [0.0]
    return {
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    }


def _response(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}
    counted = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 25,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-6-luna",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": counted,
    }


def _message(number: int, form: Any) -> dict[str, Any]:
    return {
        "sid": f"SM{number:032x}",
        "account_sid": ACCOUNT_SID,
        "from": str(form["From"]),
        "to": str(form["To"]),
        "body": str(form["Body"]),
        "status": "queued",
    }


async def _until(holds: Callable[[], bool], patience: float) -> None:
    give_up = time.monotonic() + patience
    while not holds() and time.monotonic() < give_up:  # noqa: ASYNC110 - many things change what it waits for
        await asyncio.sleep(0.02)


async def _serve() -> None:
    traffic = Traffic()
    app = web.Application()
    app.router.add_post("/v1/responses", traffic.model)
    app.router.add_post("/v1/audio/transcriptions", traffic.speech)
    app.router.add_post("/2010-04-01/Accounts/{sid}/Messages.json", traffic.send)
    app.router.add_get(MEDIA, traffic.media)
    app.router.add_get("/content/{media}", traffic.content)
    app.router.add_get("/{path:.*}", traffic.anything)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await traffic.obey(json.loads(line))), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(_serve())
