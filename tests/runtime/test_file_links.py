"""What Twilio fetches: a file of the store, under a signed address, and nothing without one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlsplit

import pytest

from runtime.delivery import file_links
from runtime.delivery.file_links import FileLinks, path_of_file
from runtime.errors import PermanentError
from runtime.store.messages.outbound_content import OutboundMedia, OutboundText
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime_process import API_TOKEN, Answer
from tests.sandbox_process import Sandbox

MENU = b"%PDF-1.7" + os.urandom(700_000)
NAMED = sha256(MENU).hexdigest()
PATH = path_of_file(NAMED, "menú.pdf")
OTHER = b"%PDF-1.7 de otro cliente"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("media"), sandbox_process) as serving:
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        for content in (MENU, OTHER):
            path = f"/files/{sha256(content).hexdigest()}"
            assert serving.replicas[0].request("PUT", path, content, headers).status == 204
        yield serving


def signed(fleet: Fleet, path: str = PATH) -> str:
    """The path with its signature, as the store's own secret makes it."""
    [(salt,)] = fleet.rows("SELECT salt FROM catalog")
    content = FileLinks(salt, "https://x.cl").resolved(OutboundMedia(path))
    assert isinstance(content, OutboundMedia)
    return content.url.removeprefix("https://x.cl")


def fetched(fleet: Fleet, target: str, method: str = "GET", **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return fleet.replicas[-1].request(method, target, None, given)


def test_a_file_is_served_with_its_type_and_its_name(fleet: Fleet) -> None:
    answer = fetched(fleet, signed(fleet))
    assert (answer.status, answer.body == MENU) == (200, True)
    shown = ("content-type", "content-length", "content-disposition", "x-content-type-options", "accept-ranges")
    assert [answer.headers[name] for name in shown] == [
        "application/pdf",
        str(len(MENU)),
        "inline; filename=\"men_.pdf\"; filename*=UTF-8''men%C3%BA.pdf",
        "nosniff",
        "bytes",
    ]
    assert answer.headers["cache-control"] == "private, max-age=3600"


def test_head_has_the_same_headers_and_no_byte(fleet: Fleet) -> None:
    answer, whole = fetched(fleet, signed(fleet), "HEAD"), fetched(fleet, signed(fleet))
    assert (answer.status, answer.body) == (200, b"")
    own = {"date"}
    assert {k: v for k, v in answer.headers.items() if k not in own} == {
        k: v for k, v in whole.headers.items() if k not in own
    }


@pytest.mark.parametrize(
    ("asked", "first", "after"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=262140-262150", 262_140, 262_151),
        ("bytes=524288-", 524_288, len(MENU)),
        ("bytes=-5", len(MENU) - 5, len(MENU)),
        ("bytes=-9999999", 0, len(MENU)),
        ("bytes=700000-9999999", 700_000, len(MENU)),
    ],
)
def test_a_range_is_that_part(fleet: Fleet, asked: str, first: int, after: int) -> None:
    answer = fetched(fleet, signed(fleet), Range=asked)
    assert (answer.status, answer.body == MENU[first:after]) == (206, True)
    assert answer.headers["content-range"] == f"bytes {first}-{after - 1}/{len(MENU)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=x"])
def test_what_is_not_one_range_of_bytes_gets_the_whole_file(fleet: Fleet, asked: str) -> None:
    assert fetched(fleet, signed(fleet), Range=asked).body == MENU


def test_a_range_behind_the_end_is_refused_and_one_of_another_version_is_not_served(fleet: Fleet) -> None:
    refused = fetched(fleet, signed(fleet), Range=f"bytes={len(MENU)}-")
    assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{len(MENU)}")
    assert fetched(fleet, signed(fleet), Range="bytes=0-9", If_Range='"other"').body == MENU
    assert fetched(fleet, signed(fleet), Range="bytes=0-9", If_Range=f'"{NAMED}"').status == 206


FORGERIES: dict[str, Callable[[str], str]] = {
    "no signature": lambda target: target.partition("?")[0],
    "an empty one": lambda target: target.partition("sig=")[0] + "sig=",
    "another one": lambda target: target[:-1] + ("0" if target[-1] != "0" else "1"),
    "letters": lambda target: target.partition("sig=")[0] + "sig=%C3%B1",
    "a later end": lambda target: target.replace("exp=", "exp=9"),
    "an end in other digits": lambda target: target.replace("exp=", "exp=%D9%A3"),
    "another name": lambda target: target.replace("men%C3%BA.pdf", "otro.pdf"),
    "a name of no type": lambda target: target.replace(".pdf", ".html"),
    "another file": lambda target: target.replace(NAMED, sha256(OTHER).hexdigest()),
    "a path in the name": lambda target: target.replace("men%C3%BA.pdf", "..%2Fmen%C3%BA.pdf"),
    "the folder": lambda _: "/media/",
    "another hash of it": lambda target: target.replace(NAMED, NAMED.upper()),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_valid_signature_there_is_nothing(fleet: Fleet, forged: Callable[[str], str], method: str) -> None:
    target = signed(fleet)
    assert fetched(fleet, target, method).status == 200
    answer = fetched(fleet, forged(target), method)
    assert answer.status == 404
    assert MENU[:4] not in answer.body


def test_a_signed_address_of_a_file_that_is_not_stored_is_a_404(fleet: Fleet) -> None:
    assert fetched(fleet, signed(fleet, path_of_file("0" * 64, "menu.pdf"))).status == 404


def test_an_address_expires_after_a_day(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(file_links.time, "time", lambda: now - 86_300)
    assert fetched(fleet, signed(fleet)).status == 200
    monkeypatch.setattr(file_links.time, "time", lambda: now - 86_500)
    assert fetched(fleet, signed(fleet)).status == 404


def test_many_callers_that_do_not_read_keep_no_other_from_its_file(fleet: Fleet) -> None:
    target = signed(fleet)
    slow = []
    for _ in range(40):
        caller = HTTPConnection("127.0.0.1", fleet.replicas[0].port, timeout=20)
        caller.request("GET", target)
        slow.append(caller)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fleet.replicas[0].request("GET", target), range(16)))
    assert [answer.body == MENU for answer in answers] == [True] * 16
    for caller in slow:
        caller.close()


def test_only_a_file_of_the_store_gets_an_address() -> None:
    links = FileLinks("salt", "https://x.cl")
    for content in (OutboundMedia("https://cdn.example/media/a.pdf"), OutboundText("/media/")):
        assert links.resolved(content) is content
    with pytest.raises(PermanentError, match="PUBLIC_URL is not set"):
        FileLinks("salt", None).resolved(OutboundMedia(PATH))


def test_another_store_s_secret_signs_nothing_here() -> None:
    content = FileLinks("salt", "https://x.cl").resolved(OutboundMedia(PATH))
    assert isinstance(content, OutboundMedia)
    query = parse_qs(urlsplit(content.url).query)
    given = NAMED, "menú.pdf", query["exp"][0], query["sig"][0]
    assert FileLinks("salt", None).is_valid(*given)
    assert not FileLinks("other", None).is_valid(*given)
