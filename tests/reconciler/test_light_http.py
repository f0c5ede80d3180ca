"""The light HTTP client and servers that never come to an end, in bytes or in seconds."""

from __future__ import annotations

import gzip
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing
from email.utils import formatdate

import pytest

from runtime.store.client.light_http import AnswerTooLarge, HttpAnswer, LightHttp, NoAnswer, NotConnected, retry_after
from tests.bare_server import Serve, answer, head

MEBIBYTE = 1024 * 1024
OK = answer("200 OK", b"{}")
BOMB = gzip.compress(bytes(64 * MEBIBYTE))
"""64 KiB that are a thousand times as many."""


def call(base_url: str, method: str = "GET", timeout: float = 10.0, max_body: int = MEBIBYTE) -> HttpAnswer:
    """One call with a client of its own."""
    with closing(LightHttp(base_url, headers={}, timeout=timeout, max_body=max_body)) as http:
        return http.call(method, "/models")


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """An answer in chunks, of which nothing says how many come."""
    yield head("200 OK", "Transfer-Encoding: chunked")
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def until_closed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """An answer that ends with its connection."""
    yield head("200 OK", "Connection: close")
    yield from pieces


def dripping(begin: bytes, drop: bytes) -> Iterator[bytes]:
    """A server that never falls silent and never comes to an end."""
    yield begin
    while True:
        time.sleep(0.05)
        yield drop


@pytest.mark.parametrize("framing", [chunked, until_closed])
def test_a_body_without_end_is_given_up_at_the_bound(serve: Serve, framing: object) -> None:
    assert callable(framing)
    url = serve(framing(itertools.repeat(b"x" * 65536)))
    tracemalloc.start()
    with pytest.raises(AnswerTooLarge, match="it has more than 1048576 bytes"):
        call(url)
    assert tracemalloc.get_traced_memory()[1] < 4 * MEBIBYTE
    tracemalloc.stop()


def test_a_body_that_says_that_it_is_too_long_is_not_read(serve: Serve) -> None:
    with pytest.raises(AnswerTooLarge):
        call(serve(head("200 OK", f"Content-Length: {MEBIBYTE + 1}")))


def test_a_body_of_just_the_bound_is_taken(serve: Serve) -> None:
    body = b"x" * MEBIBYTE
    assert call(serve(answer("200 OK", body))).body == body
    assert call(serve(chunked(iter([body])))).body == body
    with pytest.raises(AnswerTooLarge):
        call(serve(chunked(iter([body, b"x"]))))


def test_what_is_packed_small_is_unpacked_up_to_the_bound_only(serve: Serve) -> None:
    url = serve(answer("200 OK", BOMB, "Content-Encoding: gzip"))
    tracemalloc.start()
    with pytest.raises(AnswerTooLarge):
        call(url)
    assert tracemalloc.get_traced_memory()[1] < 4 * MEBIBYTE
    tracemalloc.stop()


def test_what_is_packed_and_never_gives_a_byte_is_bounded_by_what_came(serve: Serve) -> None:
    begin, empty_block = gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff"
    url = serve(
        itertools.chain(
            [head("200 OK", "Content-Encoding: gzip", "Connection: close"), begin],
            itertools.repeat(empty_block * 10_000),
        )
    )
    with pytest.raises(AnswerTooLarge):
        call(url)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_what_is_packed_comes_out_as_it_was(serve: Serve, size: int) -> None:
    body = bytes(index * 7919 % 251 for index in range(size))
    packed = gzip.compress(body)
    url = serve(
        answer("200 OK", packed, "Content-Encoding: gzip"), answer("200 OK", packed * 2, "Content-Encoding: gzip")
    )
    with closing(LightHttp(url, headers={}, timeout=10, max_body=MEBIBYTE)) as http:
        assert http.call("GET", "/").body == body
        assert http.call("GET", "/").body == body * 2


@pytest.mark.parametrize(
    "packed", [b"no gzip", gzip.compress(b"x" * 1000)[:-9], zlib.compress(b"x")], ids=["plain", "cut off", "zlib"]
)
def test_what_is_packed_otherwise_is_no_answer(serve: Serve, packed: bytes) -> None:
    with pytest.raises(NoAnswer, match="the answer is compressed and cannot be uncompressed"):
        call(serve(answer("200 OK", packed, "Content-Encoding: gzip")))


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (head("200 OK", "Content-Length: 1000"), b"x"),
        (head("200 OK", "Connection: close"), b"x"),
        (head("200 OK", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
        (head("200 OK", "Transfer-Encoding: chunked") + b"0\r\n", b"X-Trailer: x\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Head", b"x"),
        (b"HTTP/1.1 ", b"2"),
        (b"", b""),
    ],
    ids=["body", "body until closed", "chunks", "trailers", "header", "status", "silence"],
)
def test_a_server_that_sends_a_byte_now_and_then_gets_no_more_than_its_time(
    serve: Serve, begin: bytes, drop: bytes
) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^timed out after 0.4 seconds$"):
        call(serve(dripping(begin, drop)), timeout=0.4)
    assert 0.3 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    "cut", [answer("200 OK", b"x" * 10)[:-1], head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nx"]
)
def test_half_an_answer_is_none(serve: Serve, cut: bytes) -> None:
    def half() -> Iterator[bytes]:
        yield cut
        raise ConnectionResetError  # the server hangs up

    with pytest.raises(NoAnswer, match="the connection ended in the middle of the answer"):
        call(serve(half()))


def test_nothing_that_listens_is_no_connection() -> None:
    with pytest.raises(NotConnected, match="Connection refused"):
        call("http://127.0.0.1:9")


@pytest.mark.parametrize("status", [200, 302, 404, 429, 500])
def test_every_status_is_an_answer(serve: Serve, status: int) -> None:
    url = serve(answer(f"{status} So", b"body", "Location: /elsewhere", "Retry-After: 3"))
    headers = {"content-length": "4", "location": "/elsewhere", "retry-after": "3"}
    assert call(url) == HttpAnswer(status, b"body", 3.0, headers)


def test_a_connection_is_kept_and_one_that_the_server_has_closed_is_replaced(serve: Serve) -> None:
    url = serve(OK, OK, None, OK)
    with closing(LightHttp(url, headers={}, timeout=10)) as http:
        assert [http.call("PUT", "/", b"{}").status for _ in range(3)] == [200] * 3


def test_a_new_connection_that_is_closed_is_not_tried_again(serve: Serve) -> None:
    with pytest.raises(NoAnswer, match="closed connection without response"):
        call(serve(None, OK))


def test_after_an_answer_that_was_not_read_its_connection_is_not_used_again(serve: Serve) -> None:
    url = serve(answer("200 OK", b"x" * 100), OK)
    with closing(LightHttp(url, headers={}, timeout=10, max_body=50)) as http:
        with pytest.raises(AnswerTooLarge):
            http.call("GET", "/")
        assert http.call("GET", "/").body == b"{}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.25", 0.25),
        ("-1", 0.0),
        (formatdate(0, usegmt=True), 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_that_is_asked_for_is_read(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_date_is_as_far_away_as_it_is() -> None:
    assert retry_after(formatdate(time.time() + 90, usegmt=True)) == pytest.approx(90, abs=3)
