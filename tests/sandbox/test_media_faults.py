"""A media server that misbehaves, as those who fetch a file from it experience it."""

import socket
import time
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests import media_files
from tests.sandbox.conftest import NUMBER, USER, Webhook
from tests.sandbox_process import Sandbox, SandboxRefusal, wait_until

NOTE = media_files.voice_note("hola", 20)
CONTENT = {"provider": "twilio", "method": "GET", "path": "/AC*/*/ME*"}


@pytest.fixture
def place(sandbox: Sandbox, sender: Any, webhook: Webhook) -> str:
    """Where the content of a voice note is."""
    note = {"content_type": "audio/ogg", "base64": b64encode(NOTE).decode()}
    sandbox.inbound(NUMBER, "", USER, wait=0, media=[note])
    account = sandbox.account_sid, sandbox.auth_token
    redirect = requests.get(webhook.next().form["MediaUrl0"], auth=account, allow_redirects=False, timeout=10)
    return redirect.headers["Location"]


def test_a_body_may_take_its_time(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "slow_body", "seconds": 0.5})
    started = time.monotonic()
    assert requests.get(place, timeout=10).content == NOTE
    assert time.monotonic() - started > 0.4


def test_a_body_may_have_no_end(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "endless_body"})
    read = 0
    with requests.get(place, timeout=10, stream=True) as answer:
        assert "Content-Length" not in answer.headers
        for piece in answer.iter_content(2**20):
            read += len(piece)
            if read > 32 * 2**20:
                break
    assert sandbox.fired() == 1
    assert requests.get(f"{sandbox.twilio_url}/_sandbox/faults", timeout=10).ok


def test_a_body_may_be_called_something_else(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "wrong_type", "content_type": "image/png"})
    answer = requests.get(place, timeout=10)
    assert (answer.headers["Content-Type"], answer.content) == ("image/png", NOTE)


def test_a_length_may_promise_more_than_comes(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "wrong_length"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError), requests.get(place, timeout=10):
        pass


def test_a_length_may_promise_less_than_there_is(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "wrong_length", "length": 10})
    answer = requests.get(place, timeout=10)
    assert (answer.headers["Content-Length"], answer.content) == ("10", NOTE[:10])


def test_a_redirect_may_lead_anywhere(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "redirect", "url": "http://169.254.169.254/latest/meta-data/"})
    answer = requests.get(place, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://169.254.169.254/latest/meta-data/")
    assert [call["status"] for call in sandbox.calls("twilio", "GET", f"/{sandbox.account_sid}")] == [307]
    with pytest.raises(SandboxRefusal, match="a redirect needs 'url'"):
        sandbox.faults({"kind": "redirect"})


def test_other_faults_strike_there_too(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "status", "status": 503})
    assert requests.get(place, timeout=10).status_code == 503
    sandbox.faults({**CONTENT, "kind": "cut_body"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError), requests.get(place, timeout=10):
        pass


def test_a_reset_ends_a_body_without_an_end(sandbox: Sandbox, place: str) -> None:
    sandbox.faults({**CONTENT, "kind": "endless_body", "seconds": 0.01})
    parts = urlsplit(place)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as reader:
        reader.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: sandbox.fired() == 1)
        sandbox.reset()
        while reader.recv(2**20):
            pass
