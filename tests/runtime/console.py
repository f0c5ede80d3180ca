"""A person at the console: a browser of few lines, which keeps cookies and fills in the forms that a page has."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pyotp

from tests.runtime_process import Answer, Runtime

PASSWORD = "una frase bastante larga"
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
SECRET = re.compile(r"secret=([A-Z2-7]+)")


@dataclass(slots=True)
class Browser:
    """A browser without JavaScript."""

    runtime: Runtime
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """Further ones, of each request."""
    token: str = ""
    """That of the form on the last page."""
    secret: str = ""
    """Of the second factor."""

    def get(self, path: str) -> Answer:
        """A page, redirects followed."""
        return self._follow(self.send("GET", path))

    def post(self, path: str, **fields: str) -> Answer:
        """A form with the token of the last page; redirects are followed."""
        return self._follow(self.send("POST", path, {"token": self.token, **fields}))

    def send(self, method: str, path: str, fields: dict[str, str] | None = None) -> Answer:
        """One request, as a browser sends it from a page of this site."""
        host = f"127.0.0.1:{self.runtime.port}"
        headers = {"Host": host, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{host}"}
        body = None if fields is None else urlencode(fields).encode()
        answer = self.runtime.request(method, path, body, headers | self.headers)
        self._keep(answer)
        return answer

    @contextmanager
    def stream(self, path: str) -> Iterator[HTTPResponse]:
        """A stream of events, which is left open; its lines come as the service sends them."""
        connection = HTTPConnection("127.0.0.1", self.runtime.port, timeout=30)
        try:
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request("GET", path, headers={"Cookie": cookies})
            yield connection.getresponse()
        finally:
            connection.close()

    def _keep(self, answer: Answer) -> None:
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            if morsel.value:
                self.cookies[name] = morsel.value
            else:
                self.cookies.pop(name, None)
        if found := TOKEN.search(answer.body.decode(errors="replace")):
            self.token = found[1]

    def _follow(self, answer: Answer) -> Answer:
        while answer.status == 303:
            answer = self.send("GET", answer.headers["location"])
        return answer


def text_of(answer: Answer) -> str:
    """What a page says, without its markup."""
    without = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", answer.body.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(without).split())


def invite(runtime: Runtime, email: str, *options: str) -> str:
    """Invites an operator; the path of the link."""
    ran = runtime.command("operator", "invite", email, "--name", email.partition("@")[0].title(), *options)
    assert ran.code == 0, ran.err
    return urlsplit(ran.out.strip()).path


def accept(runtime: Runtime, path: str, password: str = PASSWORD) -> Browser:
    """Accepts an invitation: the browser of who has signed in."""
    browser = Browser(runtime)
    page = browser.get(path)
    assert page.status == 200, page.body
    found = SECRET.search(page.body.decode())
    assert found is not None
    browser.secret = found[1]
    code = pyotp.TOTP(browser.secret).now()
    entered = browser.post(path, password=password, again=password, code=code)
    assert entered.status == 200, text_of(entered)
    return browser


def sign_in(runtime: Runtime, email: str, *options: str) -> Browser:
    """Invites an operator who accepts at once."""
    return accept(runtime, invite(runtime, email, *options))


def change(runtime: Runtime, statement: str, *values: object) -> None:
    """Changes a runtime's SQLite store as another process would."""
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=20)) as store:
        store.execute(statement, values)
        store.commit()
