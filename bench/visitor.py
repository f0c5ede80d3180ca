"""An operator at the console: signs in as a browser does, gets pages, and keeps some of them open."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pyotp

from bench.measure import BenchError, environment
from bench.sandbox import PUBLIC_URL, ROOT

_TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
_SECRET = re.compile(r"secret=([A-Z2-7]+)")
_PASSWORD = "una frase bastante larga"
REFRESH = {"thread": 1.5, "list": 8.0}
"""Seconds after which console.js gets a page again, at the earliest."""


@dataclass(frozen=True, slots=True)
class Got:
    """A page as it came."""

    status: int
    seconds: float
    wire_bytes: int
    """Of its body."""
    text: str
    """Empty where it came compressed."""
    location: str


@dataclass(slots=True)
class Visitor:
    """Someone whose browser keeps cookies."""

    url: str
    """Of the runtime."""
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, *, compressed: bool = False) -> Got:
        """A page."""
        return self._send("GET", path, None, {"Accept-Encoding": "gzip"} if compressed else {})

    def accept(self, link: str) -> None:
        """Accepts an invitation, which signs in."""
        page = self.get(link).text
        secret, token = _SECRET.search(page), _TOKEN.search(page)
        if secret is None or token is None:
            raise BenchError(f"{link} shows no invitation: {page[:500]}")
        code = pyotp.TOTP(secret[1]).now()
        form = {"token": token[1], "password": _PASSWORD, "again": _PASSWORD, "code": code}
        entered = self._send("POST", link, urlencode(form).encode(), {})
        if entered.status != 303:
            raise BenchError(f"the invitation was not accepted, HTTP {entered.status}: {entered.text[:500]}")

    def keep_open(self, stream: str, page: str, over: threading.Event) -> int:
        """Listens to a page's stream, and gets the page again as console.js does, until it is over; gives how often.
        Someone has got the page before."""
        connection = self._connection()
        connection.request("GET", stream, headers=self._headers({}))
        response = connection.getresponse()
        times, last = 0, 0.0
        while not over.is_set():
            line = response.readline()
            if not line:
                raise BenchError(f"{stream} ended")
            name = line.decode().strip().removeprefix("event: ")
            if name in REFRESH and time.monotonic() >= last + REFRESH[name]:
                last = time.monotonic()
                times += self.get(page, compressed=True).status == 200
        connection.close()
        return times

    def _send(self, method: str, path: str, body: bytes | None, more: Mapping[str, str]) -> Got:
        headers = self._headers(more)
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": PUBLIC_URL}
        connection = self._connection()
        begun = time.monotonic()
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        seconds = time.monotonic() - begun
        for value in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
        connection.close()
        text = "" if response.headers.get("Content-Encoding") else content.decode()
        return Got(response.status, seconds, len(content), text, response.headers.get("Location", ""))

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        return HTTPConnection(str(parts.hostname), parts.port, timeout=60)

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Host": urlsplit(PUBLIC_URL).netloc, "Cookie": cookies, **more}


def invited(url: str, database: str, email: str, *options: str) -> Visitor:
    """Someone who was invited and has signed in."""
    command = [sys.executable, "-m", "runtime", "operator", "invite", email, "--name", "Ana", *options]
    settings = environment({"DATABASE_URL": database, "PUBLIC_URL": PUBLIC_URL, "PYTHONPATH": str(ROOT)})
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{email} was not invited: {done.stderr}")
    visitor = Visitor(url)
    visitor.accept(urlsplit(done.stdout.strip()).path)
    return visitor
