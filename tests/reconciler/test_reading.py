"""Reading over HTTP where the server is slow to please: each situation is played by a bare socket."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from reconciler.errors import PermanentError, TemporaryError
from reconciler.readers.http import Reader
from tests.bare_server import Serve, answer, head


def reader(base_url: str, retries: int = 1) -> Reader:
    """A reader without a key."""
    return Reader(base_url, headers={}, timeout=5, retries=retries)


OK = answer("200 OK", b'{"data": []}')


def test_a_packed_answer_is_unpacked(serve: Serve) -> None:
    base_url = serve(answer("200 OK", gzip.compress(b'{"data": ["\xc3\xb1"]}'), "Content-Encoding: gzip"))
    assert reader(base_url).get("/models") == {"data": ["ñ"]}


def test_a_kept_connection_that_the_server_has_closed_is_opened_again(serve: Serve) -> None:
    reading = reader(serve(OK, None, OK))
    assert reading.get("/models") == reading.get("/models")


@pytest.mark.parametrize("patience", ["0", "0.01", formatdate(0, usegmt=True), "soon"])
def test_an_answer_that_asks_for_patience_is_asked_for_again(serve: Serve, patience: str) -> None:
    base_url = serve(answer("429 Too Many Requests", b"", f"Retry-After: {patience}"), OK)
    assert reader(base_url).get("/models") == {"data": []}


def test_the_last_refusal_is_what_is_told(serve: Serve) -> None:
    refusal = answer("503 Service Unavailable", b'{"message": "Busy."}', "Retry-After: 0")
    with pytest.raises(TemporaryError, match=r"/v1/models answered 503: Busy$"):
        reader(serve(refusal, refusal)).get("/models")


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    with pytest.raises(PermanentError, match=r"/v1/models answered 302, a redirect, and none is followed$"):
        reader(serve(answer("302 Found", b"", "Location: /elsewhere"))).get("/models")


def test_what_is_no_path_is_sent_escaped(serve: Serve) -> None:
    assert reader(serve(OK)).get("/vector_stores/vs ñ/files", {"after": "a b"}) == {"data": []}


def test_an_answer_that_has_no_end_is_not_read_to_it_nor_asked_for_again(serve: Serve) -> None:
    endless = itertools.chain([head("200 OK", "Connection: close")], itertools.repeat(b"x" * 65536))
    reading = Reader(serve(endless, OK), headers={}, timeout=5, max_body=1_000_000)
    with pytest.raises(PermanentError, match="/v1/models sent an answer that is not read: it has more than 1000000"):
        reading.get("/models")


@pytest.mark.parametrize("refusals", [1, 4])
def test_a_server_that_fails_is_asked_four_times_more(serve: Serve, refusals: int) -> None:
    refusal = answer("429 Too Many Requests", b"", "Retry-After: 0.01")
    assert reader(serve(*[refusal] * refusals, OK), retries=4).get("/models") == {"data": []}
    with pytest.raises(TemporaryError, match="answered 429"):
        reader(serve(*[refusal] * 5, OK), retries=4).get("/models")


def test_an_answer_that_breaks_off_is_asked_for_again(serve: Serve) -> None:
    broken = [answer("200 OK", b"{}")[:-1]]
    assert reader(serve(_broken(broken), OK)).get("/models") == {"data": []}
    with pytest.raises(TemporaryError, match="cannot be reached: the connection ended in the middle of the answer"):
        reader(serve(_broken(broken), _broken(broken))).get("/models")


def _broken(pieces: list[bytes]) -> Iterator[bytes]:
    yield from pieces
    raise ConnectionResetError  # the server hangs up
