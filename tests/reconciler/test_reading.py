"""Reading over HTTP where the server is slow to please: each situation is played by a bare socket."""

from __future__ import annotations

import gzip
from email.utils import formatdate

import pytest

from reconciler.errors import TemporaryError
from reconciler.readers.http import Reader
from tests.bare_server import Serve, answer


def reader(base_url: str, retries: int = 1) -> Reader:
    """A reader without a key."""
    return Reader(base_url, headers={}, timeout=5, connections=1, retries=retries)


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
    with pytest.raises(TemporaryError, match=r"cannot be reached: too many redirects$"):
        reader(serve(answer("302 Found", b"", "Location: /elsewhere"))).get("/models")


def test_what_is_no_path_is_sent_escaped(serve: Serve) -> None:
    assert reader(serve(OK)).get("/vector_stores/vs ñ/files", {"after": "a b"}) == {"data": []}
